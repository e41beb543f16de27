package proxmox

import (
	"fmt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// observe turns a configuration into what the seam tells of a VM. seed asks for what cloud-init is given, too.
func (h *hardware) observe(w world, seed bool) *observation {
	o := &observation{
		UUID: h.Config.UUID(), Owned: h.Mark != nil && !h.Mark.Adopted, Agent: h.Config.Agent().Enabled(),
		Slots: h.diskSlots(), NICs: h.nicSlots(),
		Disks: map[string]backends.DiskStatus{}, Networks: map[string]backends.NICStatus{},
	}
	s := &o.Spec
	s.Name = h.Config["name"]
	if s.Name == "" {
		s.Name = fmt.Sprintf("VM %d", h.VMID) // as Proxmox VE itself calls it
	}
	h.observeGeneral(s)
	h.observeCPU(w, s)
	h.observeMemory(s)
	h.observeFirmware(s)
	h.observeDisks(w, o)
	h.observeNICs(o)
	h.observeCDROM(s)
	h.observeConsole(o)
	h.observeDevices(s)
	s.HostDevices = h.observeHostDevices()
	s.Proxmox = h.observeOptions()
	s.Proxmox.BootOrder = h.observeBoot(o)
	if seed {
		h.observeSeed(o)
	}
	return o
}

// marked is the mark, or an empty one.
func (h *hardware) marked() *mark {
	if h.Mark == nil {
		return &mark{}
	}
	return h.Mark
}
