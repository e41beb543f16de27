package vsphere

import (
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// layout is which controllers a VM has and what is connected to them, with what an edit adds.
type layout struct {
	version  int64  // of the hardware
	scsiType string // of controllers to come
	keys     map[slot]int32
	types    map[slot]string // of SCSI controllers; slots of controllers have unit 0
	taken    map[slot]bool
	last     int32 // the last temporary key
	add      func(types.BaseVirtualDevice, backends.Path) *types.VirtualDeviceConfigSpec
}

// The IDE controllers, which every VM has under these keys.
const (
	ide0 = 200
	ide1 = 201
)

func newLayout(list object.VirtualDeviceList, version int64, scsiType string) *layout {
	l := &layout{version: version, scsiType: scsiType, keys: map[slot]int32{}, types: map[slot]string{}, taken: map[slot]bool{}}
	if list == nil {
		l.keys[slot{bus: "ide"}], l.keys[slot{bus: "ide", ctl: 1}] = ide0, ide1
	}
	for _, d := range list {
		if c, ok := d.(types.BaseVirtualController); ok {
			if name := busOf(d); name != "" {
				at := slot{bus: name, ctl: c.GetVirtualController().BusNumber}
				l.keys[at], l.types[at] = d.GetVirtualDevice().Key, scsiTypeOf(d)
			}
			continue
		}
		if s, ok := slotOf(list, d); ok {
			l.taken[s] = true
		}
	}
	return l
}

// newKey is a temporary key of a device that is added.
func (l *layout) newKey() int32 { l.last--; return l.last }

// limits of one controller: those of the type that it has or gets.
func (l *layout) limits(at slot) (bus, bool) {
	kind, ok := l.types[at]
	if !ok || kind == "" {
		kind = l.scsiType
	}
	return busLimits(at.bus, kind == "pvscsi", l.version)
}

// free takes a free place on a bus: on a controller that is there, else on a new one.
func (l *layout) free(name string, path backends.Path) (slot, error) {
	b, _ := busLimits(name, true, l.version)
	for ctl := range b.controllers {
		at := slot{bus: name, ctl: ctl}
		limits, _ := l.limits(at)
		for unit := range limits.units {
			s := slot{bus: name, ctl: ctl, unit: unit}
			if unit != limits.reserved && !l.taken[s] {
				return s, l.take(s, path)
			}
		}
	}
	return slot{}, backends.Errorf(backends.Invalid, "", "", "the %s bus has no room for another disk", name).At(path.Attr("bus"))
}

// take takes one place, with a new controller where there is none yet.
func (l *layout) take(s slot, path backends.Path) error {
	at := slot{bus: s.bus, ctl: s.ctl}
	b, ok := l.limits(at)
	switch {
	case !ok || s.ctl >= b.controllers:
		return backends.Errorf(backends.Invalid, "", "", "%s: the %s bus has controllers 0 to %d", s.place(), s.bus, b.controllers-1).At(path.Attr("slot"))
	case s.unit >= b.units:
		return backends.Errorf(backends.Invalid, "", "", "%s: a controller of the %s bus has units 0 to %d", s.place(), s.bus, b.units-1).At(path.Attr("slot"))
	case s.unit == b.reserved:
		return backends.Errorf(backends.Invalid, "", "", "%s: unit %d of a %s controller is its own", s.place(), s.unit, s.bus).At(path.Attr("slot"))
	case l.taken[s]:
		return backends.Errorf(backends.Invalid, "", "", "%s of the %s bus is taken by another disk or drive", s.place(), s.bus).At(path.Attr("slot"))
	}
	if _, ok := l.keys[at]; !ok {
		// Controllers are numbered without gaps for guests' sake only as far as the user lets us.
		l.keys[at], l.types[at] = l.newKey(), l.scsiType
		l.add(newController(at, l.keys[at], l.scsiType), path)
	}
	l.taken[s] = true
	return nil
}

// connect puts a device to a place that was taken.
func (l *layout) connect(d *types.VirtualDevice, s slot) {
	d.ControllerKey, d.UnitNumber = l.keys[slot{bus: s.bus, ctl: s.ctl}], new(s.unit)
}

func newController(at slot, key int32, scsiType string) types.BaseVirtualDevice {
	c := types.VirtualController{VirtualDevice: types.VirtualDevice{Key: key}, BusNumber: at.ctl}
	switch at.bus {
	case "sata":
		return &types.VirtualAHCIController{VirtualSATAController: types.VirtualSATAController{VirtualController: c}}
	case "nvme":
		return &types.VirtualNVMEController{VirtualController: c}
	case "ide":
		return &types.VirtualIDEController{VirtualController: c}
	}
	scsi := types.VirtualSCSIController{VirtualController: c, SharedBus: types.VirtualSCSISharingNoSharing}
	switch scsiType {
	case "lsilogic":
		return &types.VirtualLsiLogicController{VirtualSCSIController: scsi}
	case "lsilogic_sas":
		return &types.VirtualLsiLogicSASController{VirtualSCSIController: scsi}
	case "buslogic":
		return &types.VirtualBusLogicController{VirtualSCSIController: scsi}
	}
	return &types.ParaVirtualSCSIController{VirtualSCSIController: scsi}
}

// scsiTypeOf is VSphereOptions.SCSIType of a controller, "" where it is none of SCSI.
func scsiTypeOf(d types.BaseVirtualDevice) string {
	switch d.(type) {
	case *types.ParaVirtualSCSIController:
		return "pvscsi"
	case *types.VirtualLsiLogicSASController:
		return "lsilogic_sas"
	case *types.VirtualLsiLogicController:
		return "lsilogic"
	case *types.VirtualBusLogicController:
		return "buslogic"
	}
	return ""
}

// scsiTypes are those that VSphereOptions.SCSIType takes.
var scsiTypes = []string{"pvscsi", "lsilogic", "lsilogic_sas", "buslogic"}

// observeSCSIType is the type of the first SCSI controller, nil where there is none.
func (m *machine) observeSCSIType() *string {
	for ctl := range int32(4) {
		for _, d := range m.devices() {
			if kind := scsiTypeOf(d); kind != "" && d.(types.BaseVirtualController).GetVirtualController().BusNumber == ctl {
				return &kind
			}
		}
	}
	return nil
}

// swapControllers replaces the SCSI controllers by others of the wanted type, and hands them their disks.
func (e *edit) swapControllers() error {
	path := backends.Path("vsphere.scsi_controller")
	for _, d := range e.m.devices() {
		kind := scsiTypeOf(d)
		if kind == "" || kind == e.layout.scsiType {
			continue
		}
		old := d.(types.BaseVirtualController).GetVirtualController()
		at := slot{bus: "scsi", ctl: old.BusNumber}
		e.layout.keys[at], e.layout.types[at] = e.layout.newKey(), e.layout.scsiType
		limits, _ := e.layout.limits(at)
		e.remove(d, path)
		e.add(newController(at, e.layout.keys[at], e.layout.scsiType), path)
		for _, child := range e.m.devices() {
			v := child.GetVirtualDevice()
			if v.ControllerKey != old.Key {
				continue
			}
			if value(v.UnitNumber) >= limits.units {
				return backends.Errorf(backends.Invalid, "", "", "a disk is at unit %d, and %s controllers have units 0 to %d", *v.UnitNumber, e.layout.scsiType, limits.units-1).At(path)
			}
		}
		e.swapped = append(e.swapped, old.Key)
	}
	return nil
}
