package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// edit turns what a VM is into what it shall be: one specification. Each aspect compares from with to and writes
// what differs, so that a creation is an edit of nothing and a change that holds already is none.
type edit struct {
	*Backend
	from, to *backends.VMSpec
	m        *machine // nil for a new VM; the source of a clone
	creating bool     // to becomes a VM of its own
	place    inventory.Place
	layout   *layout
	mark     *mark
	spec     types.VirtualMachineConfigSpec

	disksOf map[string]*types.VirtualDisk // that there are, by key
	stay    map[string]*types.VirtualDisk // of disksOf, those that remain
	others  []*types.VirtualDisk          // of the source of a clone, which are left out
	swapped []int32                       // keys of controllers that are replaced
	before  []string                      // the custom attributes that were asked for until now

	datastores map[string]inventory.Object // of disks, by key
	blames     []backends.Path             // of spec.DeviceChange, by index
	// boot is set where the order of devices at boot has to be written once they have keys.
	boot bool
}

// aspects in the order in which they are built: controllers before what is connected to them.
func (e *edit) build(ctx context.Context) error {
	for _, aspect := range []func(context.Context) error{
		e.general, e.cpu, e.memory, e.firmware, e.disks, e.nics, e.cdrom, e.hostDevices, e.options,
	} {
		if err := aspect(ctx); err != nil {
			return err
		}
	}
	return nil
}

// device records a change of a device; blame is the attribute that asks for it.
func (e *edit) device(op types.VirtualDeviceConfigSpecOperation, d types.BaseVirtualDevice, blame backends.Path) *types.VirtualDeviceConfigSpec {
	change := &types.VirtualDeviceConfigSpec{Operation: op, Device: d}
	e.spec.DeviceChange = append(e.spec.DeviceChange, change)
	e.blames = append(e.blames, blame)
	return change
}

func (e *edit) add(d types.BaseVirtualDevice, blame backends.Path) *types.VirtualDeviceConfigSpec {
	return e.device(types.VirtualDeviceConfigSpecOperationAdd, d, blame)
}

func (e *edit) change(d types.BaseVirtualDevice, blame backends.Path) {
	e.device(types.VirtualDeviceConfigSpecOperationEdit, d, blame)
}

func (e *edit) remove(d types.BaseVirtualDevice, blame backends.Path) *types.VirtualDeviceConfigSpec {
	return e.device(types.VirtualDeviceConfigSpecOperationRemove, d, blame)
}

// extra sets a key of extraConfig; "" takes it away.
func (e *edit) extra(key, text string) {
	e.spec.ExtraConfig = append(e.spec.ExtraConfig, &types.OptionValue{Key: key, Value: text})
}

// changed reports whether to asks for another value than the VM has.
func changed[T comparable](from, to *T) bool { return to != nil && (from == nil || *from != *to) }

// value is what p points to, or zero.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// noAnnotation stands for none: the SDK leaves an empty one out of a request, which leaves the old one.
const noAnnotation = " "

// general is name, notes, guest operating system and hardware version.
func (e *edit) general(context.Context) error {
	if e.creating || e.to.Name != e.from.Name {
		e.spec.Name = escaped(e.to.Name)
	}
	if changed(e.from.Description, e.to.Description) {
		e.spec.Annotation = *e.to.Description
		if e.spec.Annotation == "" && value(e.from.Description) != "" {
			e.spec.Annotation = noAnnotation
		}
	}
	if changed(e.from.Settings, e.to.Settings) || e.creating {
		if e.to.Settings != nil || e.m != nil {
			e.extra(settingsKey, value(e.to.Settings))
		}
	}
	return e.guestOS()
}

// up reports whether the VM that is changed runs, or would go on from saved memory.
func (e *edit) up() bool { return !e.creating && e.m.power() != backends.Stopped }

// nicsOf are the interfaces that there are, by key.
func (e *edit) nicsOf() map[string]types.BaseVirtualEthernetCard {
	if e.m == nil {
		return nil
	}
	return e.m.nicDevices()
}
