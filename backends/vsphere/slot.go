package vsphere

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// slot is where a disk or a drive is connected: "scsi0:1".
type slot struct {
	bus  string // "scsi", "sata", "nvme" or "ide"
	ctl  int32  // VirtualController.busNumber
	unit int32
}

func (s slot) String() string { return fmt.Sprintf("%s%d:%d", s.bus, s.ctl, s.unit) }

// place is backends.Disk.Slot, "1:0".
func (s slot) place() string { return fmt.Sprintf("%d:%d", s.ctl, s.unit) }

// busOf is the bus that a controller drives, "" where it drives no disks.
func busOf(d types.BaseVirtualDevice) string {
	switch d.(type) {
	case types.BaseVirtualSCSIController:
		return "scsi"
	case types.BaseVirtualSATAController:
		return "sata"
	case *types.VirtualNVMEController:
		return "nvme"
	case *types.VirtualIDEController:
		return "ide"
	}
	return ""
}

// slotOf is where a device is connected; ok is false where that is no bus of disks.
func slotOf(list object.VirtualDeviceList, device types.BaseVirtualDevice) (s slot, ok bool) {
	d := device.GetVirtualDevice()
	c, isController := list.FindByKey(d.ControllerKey).(types.BaseVirtualController)
	if !isController || d.UnitNumber == nil {
		return slot{}, false
	}
	s = slot{bus: busOf(c.(types.BaseVirtualDevice)), ctl: c.GetVirtualController().BusNumber, unit: *d.UnitNumber}
	return s, s.bus != ""
}

// bus is what a kind of controllers can have (VMware configuration maximums, vSphere 7).
type bus struct {
	controllers int32
	units       int32
	reserved    int32 // a unit that is the controller's own, -1 none
}

// busLimits are those of a bus for a hardware version; pvscsi says that its controllers are paravirtual.
func busLimits(name string, pvscsi bool, version int64) (bus, bool) {
	switch name {
	case "scsi":
		if pvscsi && version >= 14 {
			return bus{controllers: 4, units: 64, reserved: 7}, true
		}
		return bus{controllers: 4, units: 16, reserved: 7}, true
	case "sata":
		return bus{controllers: 4, units: 30, reserved: -1}, true
	case "nvme":
		return bus{controllers: 4, units: 15, reserved: -1}, true
	case "ide":
		return bus{controllers: 2, units: 2, reserved: -1}, true
	}
	return bus{}, false
}

// parsePlace reads backends.Disk.Slot.
func parsePlace(busName, text string) (slot, error) {
	ctl, unit, ok := strings.Cut(text, ":")
	c, err := strconv.ParseInt(ctl, 10, 32)
	u, err2 := strconv.ParseInt(unit, 10, 32)
	if !ok || err != nil || err2 != nil || c < 0 || u < 0 {
		return slot{}, backends.Errorf(backends.Invalid, "", "", `%q is no place on a bus: it takes the form "CONTROLLER:UNIT", such as "1:0"`, text)
	}
	return slot{bus: busName, ctl: int32(c), unit: int32(u)}, nil
}
