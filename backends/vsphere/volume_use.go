package vsphere

import (
	"context"
	"path"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
)

// volume is a disk's file, and the VM that has it.
type volume struct {
	store *datastore.Datastore
	file  string
	info  datastore.File

	vm   *machine           // nil: none has it in its hardware
	disk *types.VirtualDisk // of vm
	past *machine           // has it in a snapshot, as far as that was read
}

func (v *volume) id() string { return v.store.Path(v.file) }

// bytes is what a guest sees.
func (v *volume) bytes() int64 {
	if v.disk != nil {
		return capacityOf(v.disk)
	}
	return v.info.CapacityBytes
}

// findVolume reads a disk, and by one read of all VMs who has it.
func (b *Backend) findVolume(ctx context.Context, id string, paths ...string) (*volume, error) {
	none := backends.Errorf(backends.NotFound, "", "", "there is no disk with this id").Advise(`Ids are datastore paths: "[datastore] directory/disk.vmdk".`)
	name, file, ok := datastore.Parse(id)
	if !ok || path.Ext(file) != ".vmdk" {
		return nil, none
	}
	store, err := b.storeNamed(ctx, name)
	if backends.CodeOf(err) == backends.NotFound {
		// What cannot be seen now is not gone.
		return nil, backends.Errorf(backends.Precondition, "", "", "there is no datastore %q that the provider's user can see", name)
	}
	if err != nil {
		return nil, err
	}
	v := &volume{store: store, file: file}
	if v.info, err = store.Stat(ctx, file); err != nil {
		if backends.CodeOf(err) == backends.NotFound {
			err = backends.Errorf(backends.NotFound, "", "", "the datastore %q has no file %q", name, file)
		}
		return nil, err
	}
	all, err := b.everyVM(ctx, append([]string{"name", "runtime.powerState", "config.changeVersion", "config.hardware.device"}, paths...))
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if disk := m.diskWith(v.id()); disk != nil && (v.vm == nil || fileOf(disk) == v.id()) {
			v.vm, v.disk = m, disk
		}
		if m.Snapshot != nil && m.files()[v.id()] {
			v.past = m
		}
	}
	return v, nil
}

// diskWith is the disk that has a file, itself or below it; nil: there is none.
func (m *machine) diskWith(file string) *types.VirtualDisk {
	for _, d := range m.devices() {
		if disk, ok := d.(*types.VirtualDisk); ok {
			for _, f := range chainOf(disk.Backing) {
				if f == file {
					return disk
				}
			}
		}
	}
	return nil
}

// GetDisk reads a disk.
func (b *Backend) GetDisk(ctx context.Context, id string) (backends.Volume, error) {
	v, err := b.findVolume(ctx, id)
	if err != nil {
		return backends.Volume{}, volumeError(err, "read", id)
	}
	got := backends.Volume{
		ID: v.id(), Name: strings.TrimSuffix(path.Base(v.file), ".vmdk"), Path: v.id(),
		Disk: backends.Disk{SizeGiB: new(wholeGiB(v.bytes())), Storage: &v.store.Name, Format: new("vmdk"), Provisioning: new(v.provisioning())},
	}
	if v.vm != nil {
		got.AttachedTo = v.vm.id()
	}
	return got, nil
}

// provisioning is how the disk takes its space. Of one that is free vSphere does not tell whether it was zeroed beforehand.
func (v *volume) provisioning() string {
	if v.info.Thin {
		return "thin"
	}
	if v.disk != nil {
		if b, ok := v.disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && b.EagerlyScrub != nil && *b.EagerlyScrub {
			return "eager_zeroed"
		}
	}
	return "thick"
}

// ResizeDisk grows a disk: by itself where it is free, else as a disk of its VM, which may run.
func (b *Backend) ResizeDisk(ctx context.Context, id string, sizeGiB int64) error {
	return volumeError(b.resizeDisk(ctx, id, sizeGiB), "resize", id)
}

func (b *Backend) resizeDisk(ctx context.Context, id string, sizeGiB int64) error {
	v, err := b.findVolume(ctx, id, "snapshot", "config.instanceUuid", "config.extraConfig")
	if err != nil {
		return err
	}
	want := sizeGiB * gib
	switch {
	case want < v.bytes()/gib*gib:
		return backends.Errorf(backends.Invalid, "", "", "the disk has %d GiB, and a disk cannot shrink", v.bytes()/gib).At("size_gib")
	case sizeGiB > 62<<10:
		return backends.Errorf(backends.Invalid, "", "", "a disk has at most 62 TiB").At("size_gib")
	case want <= v.bytes():
		return nil
	case v.vm == nil:
		return v.store.ExtendDisk(ctx, v.file, want)
	}
	if err := v.vm.canGrow(v.disk, "size_gib"); err != nil {
		return err
	}
	v.disk.CapacityInBytes, v.disk.CapacityInKB = want, want/1024
	return b.reconfigure(ctx, v.vm, "resize", types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: v.disk},
	}})
}

// DeleteDisk removes a disk that no VM has, in its hardware or in a snapshot.
func (b *Backend) DeleteDisk(ctx context.Context, id string) error {
	return volumeError(b.deleteDisk(ctx, id), "delete", id)
}

func (b *Backend) deleteDisk(ctx context.Context, id string) error {
	v, err := b.findVolume(ctx, id, "snapshot", "layoutEx.file")
	if err != nil {
		return err
	}
	if v.vm == nil && v.past != nil {
		return backends.Errorf(backends.Precondition, "", "", "snapshots of VM %q (%s) need it", v.past.Name, v.past.Self.Value).Advise("Remove the snapshots first.")
	}
	if v.vm != nil {
		return backends.Errorf(backends.Precondition, "", "", "it is attached to VM %q (%s)", v.vm.Name, v.vm.Self.Value).Advise("Detach it there first.")
	}
	return v.store.RemoveDisk(ctx, v.file)
}

// volumeError names operation and disk in an error, also where what happened below did so in other words.
func volumeError(err error, op, id string) error {
	if err == nil {
		return nil
	}
	e, ok := backends.Wrap(err, op, backends.DiskObject(id)).(*backends.Error) //nolint:errorlint // that is what Wrap returns
	if !ok {
		return err
	}
	c := *e
	c.Op, c.Object = op, backends.DiskObject(id)
	return &c
}
