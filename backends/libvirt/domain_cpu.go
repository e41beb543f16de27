package libvirt

import (
	"cmp"
	"slices"
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
	setCellCPUs(d)
}

// setCPUModel writes a model's name or one of libvirt's modes; the default
// where model is nil.
func setCPUModel(d *libvirtxml.Domain, model *string, defaultMode string) {
	name := deref(model)
	if name == "" {
		name = defaultMode
	}
	had := d.CPU
	d.CPU = &libvirtxml.DomainCPU{}
	if had != nil {
		d.CPU.Topology, d.CPU.Numa = had.Topology, had.Numa
	}
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

// observeCPU reads processors back. A domain without a topology has one core
// per vCPU as far as anybody cares.
func observeCPU(d *libvirtxml.Domain, m *mark, hostMHz int64) backends.CPU {
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
	c.Shares, c.LimitMHz = observeCPUTune(d, m, hostMHz)
	if m != nil {
		c.HotAdd = m.CPUHotAdd
	}
	// The maximum is told where it is one, or was asked for.
	if most := total / (sockets * threads); most > *c.Cores || m != nil && m.MaxCores == most {
		c.MaxCores = ptr(most)
	}
	return c
}

// The processor features that are virtualization for guests within the guest: Intel's and AMD's.
const featureVMX, featureSVM = "vmx", "svm"

// setNested hands virtualization to the guest, or keeps it away; where want is nil it is left to
// the model. feature is the one of the host's processor.
func setNested(d *libvirtxml.Domain, want *bool, feature, defaultMode string) {
	if want == nil {
		return
	}
	if d.CPU == nil || d.CPU.Mode == "" && d.CPU.Model == nil {
		setCPUModel(d, nil, cmp.Or(defaultMode, "host-model"))
	}
	d.CPU.Features = slices.DeleteFunc(d.CPU.Features, isNesting)
	d.CPU.Features = append(d.CPU.Features, libvirtxml.DomainCPUFeature{Name: feature, Policy: choose(*want, "require", "disable")})
}

func isNesting(f libvirtxml.DomainCPUFeature) bool {
	return f.Name == featureVMX || f.Name == featureSVM
}

// observeNested reads it back; nil where the definition leaves it to the model.
func observeNested(c *libvirtxml.DomainCPU) *bool {
	if c == nil {
		return nil
	}
	for _, f := range c.Features {
		if !isNesting(f) {
			continue
		}
		switch f.Policy {
		case "", "require", "force":
			return ptr(true)
		case "disable", "forbid":
			return ptr(false)
		}
	}
	return nil
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

func ptr[T any](v T) *T { return &v }
