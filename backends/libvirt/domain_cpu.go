package libvirt

import (
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// setCPU writes processors, topology and model. The topology is that of the
// maximum, with cores to spare, so that vCPUs can be plugged.
func setCPU(d *libvirtxml.Domain, c backends.CPU, defaultMode string) {
	setVCPUs(d, c)
	setCPUModel(d, c.Model, defaultMode)
	if c.Affinity != nil {
		d.VCPU.CPUSet = *c.Affinity
	}
}

func setVCPUs(d *libvirtxml.Domain, c backends.CPU) {
	total, current := c.MaxVCPUs(), c.VCPUs()
	if d.VCPU == nil {
		d.VCPU = &libvirtxml.DomainVCPU{Placement: "static"}
	}
	d.VCPU.Value, d.VCPU.Current = uint(total), 0
	if current < total {
		d.VCPU.Current = uint(current)
	}
	d.VCPUs = nil // libvirt's record of which ones are plugged, of the old number
	sockets, threads := max(1, deref(c.Sockets)), max(1, deref(c.Threads))
	if d.CPU == nil {
		d.CPU = &libvirtxml.DomainCPU{}
	}
	d.CPU.Topology = &libvirtxml.DomainCPUTopology{
		Sockets: int(sockets), Cores: int(total / sockets / threads), Threads: int(threads),
	}
}

// setCPUModel writes a model's name or one of libvirt's modes; the default
// where model is nil.
func setCPUModel(d *libvirtxml.Domain, model *string, defaultMode string) {
	name := deref(model)
	if name == "" {
		name = defaultMode
	}
	topology, numa := (*libvirtxml.DomainCPUTopology)(nil), (*libvirtxml.DomainNuma)(nil)
	if d.CPU != nil {
		topology, numa = d.CPU.Topology, d.CPU.Numa
	}
	d.CPU = &libvirtxml.DomainCPU{Topology: topology, Numa: numa}
	switch name {
	case "":
	case "host-passthrough", "host-model", "maximum":
		d.CPU.Mode = name
		if name != "host-model" {
			d.CPU.Check = "none"
		}
	default:
		d.CPU.Mode, d.CPU.Match = "custom", "exact"
		d.CPU.Model = &libvirtxml.DomainCPUModel{Value: name, Fallback: "forbid"}
	}
}

// setMemory writes size and maximum. What lies between them is the balloon's.
func setMemory(d *libvirtxml.Domain, m backends.Memory) {
	size := deref(m.SizeMiB)
	if size <= 0 {
		size = defaultMemoryMiB
	}
	total := max(size, deref(m.MaxMiB))
	d.Memory = &libvirtxml.DomainMemory{Value: uint(total), Unit: "MiB"}
	d.CurrentMemory = &libvirtxml.DomainCurrentMemory{Value: uint(size), Unit: "MiB"}
	if d.Devices == nil {
		d.Devices = &libvirtxml.DomainDeviceList{}
	}
	want := "virtio"
	if m.Ballooning != nil && !*m.Ballooning {
		want = "none"
	}
	if d.Devices.MemBalloon == nil || m.Ballooning != nil && (d.Devices.MemBalloon.Model == "none") != (want == "none") {
		d.Devices.MemBalloon = &libvirtxml.DomainMemBalloon{Model: want}
	}
}

// observeCPU reads processors back. A domain without a topology has one core
// per vCPU as far as anybody cares.
func observeCPU(d *libvirtxml.Domain, m *mark) backends.CPU {
	total, current := int64(1), int64(1)
	var affinity *string
	if d.VCPU != nil {
		total = max(1, int64(d.VCPU.Value))
		current = total
		if d.VCPU.Current > 0 {
			current = min(total, int64(d.VCPU.Current))
		}
		if d.VCPU.CPUSet != "" {
			affinity = ptr(d.VCPU.CPUSet)
			if m != nil && sameCPUSet(m.Affinity, d.VCPU.CPUSet) {
				affinity = ptr(m.Affinity)
			}
		}
	}
	sockets, threads := int64(1), int64(1)
	if d.CPU != nil && d.CPU.Topology != nil {
		sockets, threads = max(1, int64(d.CPU.Topology.Sockets)), max(1, int64(d.CPU.Topology.Threads))
	}
	if sockets*threads > total {
		sockets, threads = 1, 1
	}
	c := backends.CPU{
		Cores:    ptr(max(1, current/(sockets*threads))),
		Sockets:  ptr(sockets),
		Threads:  ptr(threads),
		Model:    observeCPUModel(d.CPU),
		Affinity: affinity,
	}
	if m != nil {
		c.HotAdd = m.CPUHotAdd
	}
	// The maximum is told where it is one, or was asked for.
	if most := total / (sockets * threads); most > *c.Cores || m != nil && m.MaxCores == most {
		c.MaxCores = ptr(most)
	}
	return c
}

func observeCPUModel(c *libvirtxml.DomainCPU) *string {
	switch {
	case c == nil:
		return nil
	case c.Mode != "" && c.Mode != "custom":
		return ptr(c.Mode)
	case c.Model != nil && c.Model.Value != "":
		return ptr(strings.TrimSpace(c.Model.Value))
	}
	return nil
}

func observeMemory(d *libvirtxml.Domain, m *mark) backends.Memory {
	var total int64
	if d.Memory != nil {
		total = mebibytes(uint64(d.Memory.Value), d.Memory.Unit)
	}
	size := total
	if d.CurrentMemory != nil && d.CurrentMemory.Value > 0 {
		size = mebibytes(uint64(d.CurrentMemory.Value), d.CurrentMemory.Unit)
	}
	mem := backends.Memory{SizeMiB: ptr(size)}
	if total > size || m != nil && total > 0 && m.MaxMiB == total {
		mem.MaxMiB = ptr(total)
	}
	if m != nil {
		mem.HotAdd = m.MemoryHotAdd
	}
	balloon := d.Devices == nil || d.Devices.MemBalloon == nil || d.Devices.MemBalloon.Model != "none"
	mem.Ballooning = ptr(balloon)
	return mem
}

func ptr[T any](v T) *T { return &v }
