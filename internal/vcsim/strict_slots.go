package vcsim

import (
	"github.com/vmware/govmomi/vim25/types"
)

// slots is how many units a controller has and which it keeps for itself.
type slots struct{ units, own int32 }

// slotsOf returns the slots of a controller of disks and drives. A controller
// of something else is not looked at.
func slotsOf(controller types.BaseVirtualDevice) (slots, bool) {
	switch c := controller.(type) {
	case *types.ParaVirtualSCSIController:
		return slots{units: 64, own: 7}, true
	case types.BaseVirtualSCSIController:
		return slots{units: 16, own: 7}, true
	case types.BaseVirtualSATAController:
		return slots{units: 30, own: -1}, true
	case *types.VirtualNVMEController:
		return slots{units: 15, own: -1}, true
	case *types.VirtualIDEController:
		return slots{units: 2, own: -1}, true
	default:
		_ = c

		return slots{}, false
	}
}

// most is how many of a kind a machine can have.
const (
	mostControllers = 4
	mostIDE         = 2
	mostCards       = 10
)

// attach refuses a device without a controller or with a unit that is taken,
// and one too many.
func (d *deviceCheck) attach(i int, dev types.BaseVirtualDevice, all []types.BaseVirtualDeviceConfigSpec) types.BaseMethodFault {
	if f := d.count(dev); f != nil {
		return f
	}

	switch dev.(type) {
	case *types.VirtualDisk, *types.VirtualCdrom:
	default:
		return nil
	}

	base := dev.GetVirtualDevice()

	controller, ok := d.devices[base.ControllerKey]
	if !ok {
		controller, ok = addedController(all, base.ControllerKey)
	}

	s, holds := slotsOf(controller)
	if !ok || !holds {
		f := &types.InvalidController{ControllerKey: base.ControllerKey}
		f.DeviceIndex = int32(i) //nolint:gosec // A short list.
		f.FaultCause = because("There is no controller of key %d.", base.ControllerKey)

		return f
	}

	taken, count := d.taken(base.ControllerKey)

	if u := base.UnitNumber; u != nil {
		if *u == s.own || *u >= s.units || *u < 0 || taken[*u] {
			return d.invalid(i, "Unit %d of the controller cannot be used.", *u)
		}

		return nil
	}

	free := s.units
	if s.own >= 0 {
		free--
	}

	if count >= free {
		return &types.TooManyDevices{InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device.unitNumber"}}
	}

	return nil
}

// taken returns the units of a controller that are in use.
func (d *deviceCheck) taken(controller int32) (map[int32]bool, int32) {
	taken, count := make(map[int32]bool), int32(0)

	for _, p := range d.devices {
		dev := p.GetVirtualDevice()
		if dev.ControllerKey != controller {
			continue
		}

		count++

		if dev.UnitNumber != nil {
			taken[*dev.UnitNumber] = true
		}
	}

	return taken, count
}

// addedController returns the controller that another change adds.
func addedController(all []types.BaseVirtualDeviceConfigSpec, key int32) (types.BaseVirtualDevice, bool) {
	for _, b := range all {
		s := b.GetVirtualDeviceConfigSpec()
		if s.Operation == types.VirtualDeviceConfigSpecOperationAdd && s.Device != nil && s.Device.GetVirtualDevice().Key == key {
			return s.Device, true
		}
	}

	return nil, false
}

// count refuses controllers and cards beyond what a machine can have.
func (d *deviceCheck) count(dev types.BaseVirtualDevice) types.BaseMethodFault {
	kind, most := kindOf(dev)
	if kind == "" || kind == "ide" && d.machine == nil {
		return nil // A new machine has its IDE controllers anyway.
	}

	n := 1

	for _, p := range d.devices {
		if k, _ := kindOf(p); k == kind {
			n++
		}
	}

	if n > most {
		return &types.TooManyDevices{InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device"}}
	}

	return nil
}

func kindOf(dev types.BaseVirtualDevice) (string, int) {
	switch dev.(type) {
	case types.BaseVirtualSCSIController:
		return "scsi", mostControllers
	case types.BaseVirtualSATAController:
		return "sata", mostControllers
	case *types.VirtualNVMEController:
		return "nvme", mostControllers
	case *types.VirtualIDEController:
		return "ide", mostIDE
	case types.BaseVirtualEthernetCard:
		return "card", mostCards
	default:
		return "", 0
	}
}
