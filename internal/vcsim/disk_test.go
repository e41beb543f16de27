package vcsim_test

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

const gib = int64(1) << 30

// free returns the free space of a datastore, as it shows it.
func (l *lab) free(name string) int64 {
	l.t.Helper()
	ds := must[*object.Datastore](l.t)(l.find.Datastore(l.t.Context(), name))
	var p mo.Datastore
	if err := property.DefaultCollector(l.client.Client).RetrieveOne(l.t.Context(), ds.Reference(), []string{"summary", "info"}, &p); err != nil {
		l.t.Fatal(err)
	}
	if info := p.Info.GetDatastoreInfo().FreeSpace; info != p.Summary.FreeSpace {
		l.t.Errorf("%s: %d bytes are free, or %d", name, p.Summary.FreeSpace, info)
	}
	return p.Summary.FreeSpace
}

// thickDisks makes the disks of a specification thick.
func thickDisks(s *types.VirtualMachineConfigSpec) {
	for _, c := range s.DeviceChange {
		if d, ok := c.GetVirtualDeviceConfigSpec().Device.(*types.VirtualDisk); ok {
			d.Backing.(*types.VirtualDiskFlatVer2BackingInfo).ThinProvisioned = types.NewBool(false)
		}
	}
}

// newDisk returns a disk for the machine's first SCSI controller.
func (l *lab) newDisk(vm *object.VirtualMachine, unit int32, file string, size int64, thin bool) *types.VirtualDisk {
	l.t.Helper()
	return &types.VirtualDisk{
		CapacityInBytes: size, CapacityInKB: size >> 10,
		VirtualDevice: types.VirtualDevice{
			Key: -1, ControllerKey: device[*types.ParaVirtualSCSIController](l, vm).Key, UnitNumber: &unit,
			Backing: &types.VirtualDiskFlatVer2BackingInfo{
				VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: file},
				DiskMode:                     "persistent", ThinProvisioned: types.NewBool(thin),
			},
		},
	}
}

func onFile(op types.VirtualDeviceConfigSpecOperation, file types.VirtualDeviceConfigSpecFileOperation, d types.BaseVirtualDevice) types.VirtualMachineConfigSpec {
	return types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: op, FileOperation: file, Device: d},
	}}
}

// diskAt returns the disk of that unit.
func (l *lab) diskAt(vm *object.VirtualMachine, unit int32) *types.VirtualDisk {
	l.t.Helper()
	for _, d := range l.properties(vm).Config.Hardware.Device {
		if disk, ok := d.(*types.VirtualDisk); ok && *disk.UnitNumber == unit {
			return disk
		}
	}
	l.t.Fatalf("no disk at unit %d", unit)
	return nil
}

// Thick disks take their size, thin ones what is written, and what goes gives it back.
func TestDatastoreSpace(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	start := l.free("datastore1")
	vm := l.vm("web", thickDisks) // 1 GiB
	if got := start - l.free("datastore1"); got != gib {
		t.Errorf("a thick GiB takes %d", got)
	}
	if err := l.reconfigure(vm, onFile(addDevice, "create", l.newDisk(vm, 1, "", 40*gib, true))); err != nil {
		t.Fatal(err)
	}
	thin := l.diskAt(vm, 1)
	if got := start - l.free("datastore1"); got != gib {
		t.Errorf("with a thin disk: %d", got)
	}
	if err := l.WriteDisk("web", thin.Key, 0, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if got := start - l.free("datastore1"); got != gib+1<<20 {
		t.Errorf("after writing a MiB: %d", got)
	}
	disk := l.diskAt(vm, 0)
	disk.CapacityInKB, disk.CapacityInBytes = 2<<20, 2*gib
	if err := l.reconfigure(vm, change(editDevice, disk)); err != nil {
		t.Fatal(err)
	}
	if got := start - l.free("datastore1"); got != 2*gib+1<<20 {
		t.Errorf("after growing: %d", got)
	}
	task, err := vm.Destroy(ctx)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	if got := l.free("datastore1"); got != start {
		t.Errorf("afterwards %d are free, before %d", got, start)
	}

	if !l.FillDatastore("fast", gib/2) {
		t.Fatal("no such datastore")
	}
	_, err = l.create(l.spec("full", thickDisks, func(s *types.VirtualMachineConfigSpec) {
		s.Files.VmPathName = "[fast]"
		for _, c := range s.DeviceChange {
			if d, ok := c.GetVirtualDeviceConfigSpec().Device.(*types.VirtualDisk); ok {
				d.Backing.(*types.VirtualDiskFlatVer2BackingInfo).FileName = "[fast]"
			}
		}
	}))
	if got := faultOf(err); got != "NoDiskSpace" && got != "InsufficientDisksSpace" && got != "InsufficientStorageSpace" {
		t.Errorf("on a full datastore: %q", got)
	}
	if free := l.free("fast"); free != gib/2 {
		t.Errorf("%d are free after a failure", free)
	}
}

// A disk that was detached stays, with what it holds, and can be attached elsewhere; files of others stay, too.
func TestDetachedDisksStay(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	first, second := l.vm("first"), l.vm("second")
	if err := l.reconfigure(first, onFile(addDevice, "create", l.newDisk(first, 1, "", gib, true))); err != nil {
		t.Fatal(err)
	}
	data := l.diskAt(first, 1)
	file := data.Backing.(*types.VirtualDiskFlatVer2BackingInfo).FileName
	if err := l.WriteDisk("first", data.Key, 0, []byte("precious")); err != nil {
		t.Fatal(err)
	}
	// The key alone is enough to remove a device.
	if err := l.reconfigure(first, change(removeDevice, &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: data.Key}})); err != nil {
		t.Fatal(err)
	}
	ds := must[*object.Datastore](t)(l.find.Datastore(ctx, "datastore1"))
	if err := ds.Upload(ctx, strings.NewReader("text"), "first/notes.txt", nil); err != nil {
		t.Fatal(err)
	}
	task, err := first.Destroy(ctx)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	for path, there := range map[string]bool{"first/notes.txt": true, strings.TrimPrefix(file, "[datastore1] "): true, "first/first.vmx": false, "first/first.vmdk": false} {
		if _, err := ds.Stat(ctx, path); (err == nil) != there {
			t.Errorf("%s: %v", path, err)
		}
	}

	attach := l.newDisk(second, 1, file, 0, false)
	if err := l.reconfigure(second, onFile(addDevice, "", attach)); err != nil {
		t.Fatal(err)
	}
	got := l.diskAt(second, 1)
	if text, err := l.ReadDisk("second", got.Key, 0, 8); err != nil || string(text) != "precious" || got.CapacityInBytes != gib {
		t.Errorf("the disk holds %q (%v), %d bytes", text, err, got.CapacityInBytes)
	}
	if err := l.reconfigure(second, onFile(addDevice, "", l.newDisk(second, 2, "[datastore1] nowhere/x.vmdk", gib, false))); faultOf(err) != "FileNotFound" {
		t.Errorf("attaching what is missing: %v", err)
	}
	if err := l.reconfigure(second, onFile(removeDevice, "destroy", got)); err != nil {
		t.Fatal(err)
	}
	if _, err := ds.Stat(ctx, strings.TrimPrefix(file, "[datastore1] ")); err == nil {
		t.Error("the destroyed disk is still there")
	}
}

// Two machines that run have a disk in common only if both say so.
func TestLockedDisks(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	for name, sharing := range map[string]string{"FileLocked": "", "": "sharingMultiWriter"} {
		t.Run(sharing, func(t *testing.T) {
			one, two := l.vm("one"+sharing), l.vm("two"+sharing)
			d := l.newDisk(one, 1, "", gib, false)
			d.Backing.(*types.VirtualDiskFlatVer2BackingInfo).EagerlyScrub = types.NewBool(true)
			d.Backing.(*types.VirtualDiskFlatVer2BackingInfo).Sharing = sharing
			if err := l.reconfigure(one, onFile(addDevice, "create", d)); err != nil {
				t.Fatal(err)
			}
			file := l.diskAt(one, 1).Backing.(*types.VirtualDiskFlatVer2BackingInfo).FileName
			again := l.newDisk(two, 1, file, 0, false)
			again.Backing.(*types.VirtualDiskFlatVer2BackingInfo).Sharing = sharing
			if err := l.reconfigure(two, onFile(addDevice, "", again)); err != nil {
				t.Fatal(err)
			}
			l.start(one)
			task, err := two.PowerOn(t.Context())
			if got := faultOf(run(t.Context(), task, err)); got != name {
				t.Errorf("starting the second: %q, want %q", got, name)
			}
		})
	}
}

func TestVirtualDiskManager(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	dc := must[*object.Datacenter](t)(l.find.Datacenter(ctx, l.Seed.Datacenter))
	m := object.NewVirtualDiskManager(l.client.Client)
	vm := l.vm("web", thickDisks)
	l.write("web", "content")
	source := l.disk(vm).FileName
	start := l.free("fast")

	task, err := m.CopyVirtualDisk(ctx, source, dc, "[fast] copy.vmdk", dc, nil, false)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	task, err = m.MoveVirtualDisk(ctx, "[fast] copy.vmdk", dc, "[fast] moved.vmdk", dc, false)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	if got := start - l.free("fast"); got != gib {
		t.Errorf("the copy takes %d", got)
	}
	if err := l.reconfigure(vm, onFile(addDevice, "", l.newDisk(vm, 1, "[fast] moved.vmdk", 0, false))); err != nil {
		t.Fatal(err)
	}
	if text, err := l.ReadDisk("web", l.diskAt(vm, 1).Key, 4096, 7); err != nil || string(text) != "content" {
		t.Errorf("the copy holds %q (%v)", text, err)
	}
	task, err = m.DeleteVirtualDisk(ctx, "[fast] moved.vmdk", dc)
	if got := faultOf(run(ctx, task, err)); got != "FileLocked" {
		t.Errorf("deleting a machine's disk: %q", got)
	}
	if err := l.reconfigure(vm, change(removeDevice, l.diskAt(vm, 1))); err != nil {
		t.Fatal(err)
	}
	task, err = m.DeleteVirtualDisk(ctx, "[fast] moved.vmdk", dc)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	if got := l.free("fast"); got != start {
		t.Errorf("afterwards %d are free, before %d", got, start)
	}
}

// Files that are deleted give their space back, unless a machine that runs has them.
func TestDeletedFiles(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	dc := must[*object.Datacenter](t)(l.find.Datacenter(ctx, l.Seed.Datacenter))
	ds := must[*object.Datastore](t)(l.find.Datastore(ctx, "fast"))
	start := l.free("fast")
	m := ds.NewFileManager(dc, false) // deletes folders too
	if err := object.NewFileManager(l.client.Client).MakeDirectory(ctx, "[fast] kept", dc, false); err != nil {
		t.Fatal(err)
	}
	task, err := object.NewVirtualDiskManager(l.client.Client).CreateVirtualDisk(ctx, "[fast] kept/data.vmdk", dc, &types.FileBackedVirtualDiskSpec{
		VirtualDiskSpec: types.VirtualDiskSpec{AdapterType: "lsiLogic", DiskType: "preallocated"}, CapacityKb: 1 << 20,
	})
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	vm := l.vm("web")
	if err := l.reconfigure(vm, onFile(addDevice, "", l.newDisk(vm, 1, "[fast] kept/data.vmdk", 0, false))); err != nil {
		t.Fatal(err)
	}
	l.start(vm)
	if err := m.DeleteFile(ctx, "kept"); faultOf(err) != "FileLocked" {
		t.Errorf("deleting what is in use: %v", err)
	}
	if err := l.reconfigure(vm, change(removeDevice, l.diskAt(vm, 1))); err != nil {
		t.Fatal(err)
	}
	if err := m.DeleteFile(ctx, "kept"); err != nil {
		t.Fatal(err)
	}
	if got := l.free("fast"); got != start {
		t.Errorf("afterwards %d are free, before %d", got, start)
	}
}
