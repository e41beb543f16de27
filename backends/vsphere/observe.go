package vsphere

import (
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// observe turns a machine into what the seam tells of a VM.
func (m *machine) observe(aspects backends.Aspects) (*backends.VM, error) {
	vm := &backends.VM{ID: m.id(), Owned: m.mark != nil && !m.mark.Adopted, Power: m.power(), Host: m.host(), Status: string(m.Runtime.PowerState)}
	vm.Config.Name = m.Name
	if m.Config == nil {
		return vm, nil // being created, or inaccessible: vSphere tells nothing more
	}
	vm.UUID = m.Config.Uuid
	vm.Template = m.Config.Template
	vm.ConsoleType = "webmks"
	vm.Config.Description = &m.Config.Annotation
	if m.Config.Annotation == noAnnotation {
		vm.Config.Description = new("")
	}
	vm.Config.Tags = m.tags
	m.observeHardware(&vm.Config)
	vm.Config.Disks, vm.Disks = m.observeDisks()
	vm.Config.Networks, vm.Networks = m.observeNICs()
	vm.Config.Placement = m.observePlacement()
	if m.mark != nil { // else what extraConfig holds may be a copy, as in a clone made by hand
		vm.Config.CreateToken = m.mark.Token
		if settings, ok := extraValue(m.Config.ExtraConfig, settingsKey); ok && settings != "" {
			vm.Config.Settings = &settings
		}
	}
	guest := m.observeGuest(vm.Networks)
	if aspects&backends.AspectGuest != 0 {
		vm.Guest = guest
	}
	if aspects&backends.AspectSeed != 0 {
		if err := m.observeSeed(&vm.Config); err != nil {
			return nil, backends.Wrap(err, "read the cloud-init data", m.object())
		}
	}
	return vm, nil
}
