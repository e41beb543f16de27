package vcsim

import (
	"reflect"

	"github.com/vmware/govmomi/vim25/types"
)

// deviceCheck looks at the changes of a machine's devices, one after the
// other, and knows what the ones before have changed.
type deviceCheck struct {
	*checks

	machine  *VirtualMachine // nil for one that is to be made
	folder   types.ManagedObjectReference
	host     *types.ManagedObjectReference
	home     types.ManagedObjectReference // datastore of the machine's files
	present  []types.BaseVirtualDevice
	firmware string
	running  bool

	devices map[int32]types.BaseVirtualDevice
	gone    map[int32]int // index of the change that removes a controller
	need    map[types.ManagedObjectReference]int64
}

// devices returns why changes of devices are refused.
func (c *checks) devices(d *deviceCheck, changes []types.BaseVirtualDeviceConfigSpec) types.BaseMethodFault {
	d.devices = make(map[int32]types.BaseVirtualDevice)
	d.gone = make(map[int32]int)
	d.need = make(map[types.ManagedObjectReference]int64)

	for _, p := range d.present {
		d.devices[p.GetVirtualDevice().Key] = p
	}

	if d.machine != nil && d.machine.Runtime.PowerState == stateSuspended && len(changes) > 0 {
		return wrongPower(stateSuspended, stateOff)
	}

	added := make(map[int32]bool)

	for i, b := range changes {
		s := b.GetVirtualDeviceConfigSpec()
		if s.Device == nil {
			return d.invalid(i, "The device is missing.")
		}

		key := s.Device.GetVirtualDevice().Key
		if s.Operation == types.VirtualDeviceConfigSpecOperationAdd {
			if _, taken := d.devices[key]; key != 0 && added[key] || taken && key > 0 && d.machine != nil {
				return d.invalid(i, "Device key %d is in use.", key)
			}

			added[key] = true
		}
	}

	for i, b := range changes {
		if f := d.change(i, b.GetVirtualDeviceConfigSpec(), changes); f != nil {
			return f
		}
	}

	for _, p := range d.devices {
		if i, ok := d.gone[p.GetVirtualDevice().ControllerKey]; ok {
			return d.operation(i, types.VirtualDeviceConfigSpecOperationRemove, "The controller has devices.")
		}
	}

	return c.space(d.need)
}

// change returns why one change is refused, and notes it.
func (d *deviceCheck) change(i int, s *types.VirtualDeviceConfigSpec, all []types.BaseVirtualDeviceConfigSpec) types.BaseMethodFault {
	dev := s.Device.GetVirtualDevice()

	if s.Operation == types.VirtualDeviceConfigSpecOperationAdd {
		return d.add(i, s, all)
	}

	old, ok := d.devices[dev.Key]
	if !ok {
		return d.invalid(i, "There is no device of key %d.", dev.Key)
	}

	if s.Operation == types.VirtualDeviceConfigSpecOperationRemove {
		return d.remove(i, old)
	}

	return d.edit(i, old, s)
}

func (d *deviceCheck) remove(i int, old types.BaseVirtualDevice) types.BaseMethodFault {
	if f := d.plug(i, old); f != nil {
		return f
	}

	key := old.GetVirtualDevice().Key
	delete(d.devices, key)

	if _, ok := old.(types.BaseVirtualController); ok {
		d.gone[key] = i
	}

	return nil
}

func (d *deviceCheck) add(i int, s *types.VirtualDeviceConfigSpec, all []types.BaseVirtualDeviceConfigSpec) types.BaseMethodFault {
	if f := d.plug(i, s.Device); f != nil {
		return f
	}

	if f := d.attach(i, s.Device, all); f != nil {
		return f
	}

	var f types.BaseMethodFault

	switch dev := s.Device.(type) {
	case types.BaseVirtualEthernetCard:
		f = d.nic(i, dev.GetVirtualEthernetCard())
	case *types.VirtualDisk:
		f = d.newDisk(i, s, dev)
	case *types.VirtualTPM:
		f = d.tpm(i)
	case *types.VirtualCdrom:
		f = d.backing(dev.Backing)
	}

	if f != nil {
		return f
	}

	key := s.Device.GetVirtualDevice().Key
	for _, taken := d.devices[key]; key == 0 || taken; _, taken = d.devices[key] {
		key-- // Only to tell it from the others.
	}

	d.devices[key] = s.Device

	return nil
}

func (d *deviceCheck) edit(i int, old types.BaseVirtualDevice, s *types.VirtualDeviceConfigSpec) types.BaseMethodFault {
	if reflect.TypeOf(old) != reflect.TypeOf(s.Device) {
		return d.invalid(i, "The type of a device cannot be changed.")
	}

	var f types.BaseMethodFault

	switch dev := s.Device.(type) {
	case types.BaseVirtualEthernetCard:
		card, before := dev.GetVirtualEthernetCard(), old.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard() //nolint:forcetypeassert // The same type.
		if d.running && card.MacAddress != "" && card.MacAddress != before.MacAddress {
			return wrongPower(stateOn, stateOff)
		}

		f = d.nic(i, card)
	case *types.VirtualDisk:
		f = d.sameDisk(i, old.(*types.VirtualDisk), dev) //nolint:forcetypeassert // The same type.
	case *types.VirtualMachineVideoCard:
		if d.running {
			return wrongPower(stateOn, stateOff)
		}
	case *types.VirtualCdrom:
		f = d.backing(dev.Backing)
	}

	if f == nil {
		d.devices[s.Device.GetVirtualDevice().Key] = s.Device
	}

	return f
}

// plug refuses to add to or to remove from a running machine what cannot be
// plugged.
func (d *deviceCheck) plug(i int, dev types.BaseVirtualDevice) types.BaseMethodFault {
	if !d.running {
		return nil
	}

	switch dev.(type) {
	case *types.VirtualTPM:
		return wrongPower(stateOn, stateOff)
	case *types.VirtualDisk, *types.VirtualCdrom:
		if _, ide := d.devices[dev.GetVirtualDevice().ControllerKey].(*types.VirtualIDEController); !ide {
			return nil
		}
	case types.BaseVirtualEthernetCard, types.BaseVirtualSCSIController, *types.VirtualNVMEController,
		types.BaseVirtualSATAController, *types.VirtualUSB, *types.VirtualUSBController, *types.VirtualUSBXHCIController:
		return nil
	}

	f := &types.DeviceHotPlugNotSupported{}
	f.DeviceIndex = int32(i) //nolint:gosec // A short list.
	f.FaultCause = because("The device cannot be added to or removed from a running machine.")

	return f
}

// tpm refuses a virtual TPM where it cannot be encrypted or has no EFI.
func (d *deviceCheck) tpm(i int) types.BaseMethodFault {
	if d.firmware != efi {
		return d.invalid(i, "A virtual TPM requires EFI firmware.")
	}

	if d.server.options.NoKeyProvider || d.server.options.ESXi {
		f := &types.GenericVmConfigFault{Reason: "Cannot add a virtual TPM: no default key provider is configured."}
		f.FaultCause = because("%s", f.Reason)

		return f
	}

	for _, p := range d.devices {
		if _, ok := p.(*types.VirtualTPM); ok {
			return &types.TooManyDevices{InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device"}}
		}
	}

	return nil
}

// invalid refuses the device of a change.
func (d *deviceCheck) invalid(i int, format string, args ...any) types.BaseMethodFault {
	f := &types.InvalidDeviceSpec{DeviceIndex: int32(i)} //nolint:gosec // A short list.
	f.FaultCause = because(format, args...)

	return f
}

// operation refuses what is to be done to the device of a change.
func (d *deviceCheck) operation(i int, op types.VirtualDeviceConfigSpecOperation, format string, args ...any) types.BaseMethodFault {
	f := &types.InvalidDeviceOperation{BadOp: op}
	f.DeviceIndex = int32(i) //nolint:gosec // A short list.
	f.FaultCause = because(format, args...)

	return f
}
