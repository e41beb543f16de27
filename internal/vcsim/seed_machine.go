package vcsim

import (
	"fmt"
	"path"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

// machines makes the machines and the template of an estate, on the host.
func (e *estate) machines(folder *object.Folder, host *object.HostSystem) error {
	pool, err := host.ResourcePool(e.ctx)
	if err != nil {
		return err
	}

	for _, name := range e.seed.VMs {
		if _, err := e.machine(folder, pool, host, name); err != nil {
			return err
		}
	}

	for i := range e.server.options.VMs {
		if _, err := e.machine(folder, pool, host, fmt.Sprintf("bulk-%04d", i)); err != nil {
			return err
		}
	}

	if e.seed.Template == "" {
		return nil
	}

	vm, err := e.machine(folder, pool, host, e.seed.Template)
	if err != nil {
		return err
	}

	return vm.MarkAsTemplate(e.ctx)
}

// machine makes a powered-off machine with one disk of 10 GiB, a network card
// and a CD-ROM drive.
func (e *estate) machine(folder *object.Folder, pool *object.ResourcePool, host *object.HostSystem, name string) (*object.VirtualMachine, error) {
	store := "[" + e.seed.Datastores[0] + "]"

	config := types.VirtualMachineConfigSpec{
		Name:     name,
		GuestId:  string(types.VirtualMachineGuestOsIdentifierOther5xLinux64Guest),
		NumCPUs:  2,
		MemoryMB: 2048,
		Files:    &types.VirtualMachineFileInfo{VmPathName: store},
	}

	var devices object.VirtualDeviceList

	scsi, err := devices.CreateSCSIController("pvscsi")
	if err != nil {
		return nil, err
	}

	ide, err := devices.CreateIDEController()
	if err != nil {
		return nil, err
	}

	cdrom, err := devices.CreateCdrom(ide.(types.BaseVirtualController)) //nolint:forcetypeassert // It is one.
	if err != nil {
		return nil, err
	}

	disk := devices.CreateDisk(scsi.(types.BaseVirtualController), types.ManagedObjectReference{}, //nolint:forcetypeassert // It is one.
		store+" "+path.Join(name, name+".vmdk"))
	disk.CapacityInKB = 10 << 20

	nic, err := devices.CreateEthernetCard("vmxnet3", &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: e.seed.Network},
	})
	if err != nil {
		return nil, err
	}

	devices = append(devices, scsi, ide, cdrom, disk, nic)

	config.DeviceChange, err = devices.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	if err != nil {
		return nil, err
	}

	ref, err := e.result(folder.CreateVM(e.ctx, config, pool, host))
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", name, err)
	}

	return object.NewVirtualMachine(e.client, ref), nil
}
