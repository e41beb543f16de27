package vsphere

import (
	"io"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// makeVM makes a VM by hand, beside the driver.
func makeVM(t *testing.T, s *vcsim.Server, name, store string, devices ...types.BaseVirtualDeviceConfigSpec) {
	t.Helper()
	client, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	vm, err := s.VM(s.Seed.VMs[0])
	if err != nil {
		t.Fatal(err)
	}
	pool, err := vm.ResourcePool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	props, err := s.Properties(s.Seed.VMs[0])
	if err != nil {
		t.Fatal(err)
	}
	task, err := object.NewFolder(client, *props.Parent).CreateVM(t.Context(), types.VirtualMachineConfigSpec{
		Name: name, GuestId: "otherGuest64", NumCPUs: 1, MemoryMB: 64, DeviceChange: devices,
		Files: &types.VirtualMachineFileInfo{VmPathName: "[" + store + "]"},
	}, pool, nil)
	if err == nil {
		err = task.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// attach makes a VM that has a disk.
func attach(t *testing.T, s *vcsim.Server, name, id string) {
	t.Helper()
	unit := int32(0)
	store, _, _ := datastore.Parse(id)
	makeVM(t, s, name, store)
	err := s.ReconfigureVM(name, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: "add", Device: &types.ParaVirtualSCSIController{VirtualSCSIController: types.VirtualSCSIController{
			SharedBus: "noSharing", VirtualController: types.VirtualController{VirtualDevice: types.VirtualDevice{Key: -1}},
		}}},
		&types.VirtualDeviceConfigSpec{Operation: "add", Device: &types.VirtualDisk{VirtualDevice: types.VirtualDevice{
			Key: -2, ControllerKey: -1, UnitNumber: &unit,
			Backing: &types.VirtualDiskFlatVer2BackingInfo{
				DiskMode: "persistent", VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: id},
			},
		}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// detach takes a disk out of a VM, any where id is "".
func detach(t *testing.T, s *vcsim.Server, name, id string) {
	t.Helper()
	props, err := s.Properties(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range props.Config.Hardware.Device {
		if disk, ok := d.(*types.VirtualDisk); ok && (id == "" || fileOf(disk) == id) {
			err := s.ReconfigureVM(name, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
				&types.VirtualDeviceConfigSpec{Operation: "remove", Device: disk},
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// download reads a file of a datastore as a client does.
func download(t *testing.T, s *vcsim.Server, id string) []byte {
	t.Helper()
	store, file, _ := datastore.Parse(id)
	client := soap.NewClient(s.URL(), true)
	dc := s.Seed.Datacenter
	r, _, err := client.Download(t.Context(), object.NewDatastoreURL(*s.URL(), dc, store, file), &soap.Download{Method: "GET"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
