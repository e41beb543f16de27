package libvirt

import (
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// newMark records what was asked for and libvirt has no place for.
func newMark(spec *backends.VMSpec) *mark {
	m := &mark{Version: markVersion, Token: spec.CreateToken}
	m.record(spec)
	return m
}

// record takes over from spec what the mark keeps of it, other than devices. What
// spec leaves nil stays.
func (m *mark) record(spec *backends.VMSpec) {
	if spec.GuestOS != nil {
		m.GuestOS = *spec.GuestOS
	}
	if spec.Tags != nil {
		m.Tags = append([]string{}, spec.Tags...)
	}
	if spec.CPU.MaxCores != nil {
		m.MaxCores = *spec.CPU.MaxCores
	}
	if spec.Memory.MaxMiB != nil {
		m.MaxMiB = *spec.Memory.MaxMiB
	}
	m.CPUHotAdd, m.MemoryHotAdd = first(spec.CPU.HotAdd, m.CPUHotAdd), first(spec.Memory.HotAdd, m.MemoryHotAdd)
	if spec.CPU.Affinity != nil {
		m.Affinity = *spec.CPU.Affinity
	}
	if spec.Placement.Storage != nil {
		m.PlacementStorage = *spec.Placement.Storage
	}
	if spec.Settings != nil {
		m.Settings = *spec.Settings
	}
	if spec.Console != nil && spec.Console.PasswordVersion != nil {
		m.ConsolePassword = spec.Console.PasswordVersion
	}
	if spec.Libvirt != nil && spec.Libvirt.Machine != nil {
		m.Machine = *spec.Libvirt.Machine
	}
}
