package catalogues

import (
	b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func restart(reason string) b.Impact { return b.Impact{Effect: b.EffectRestart, Reason: reason} }

// vsphereImpact departs from the portable rules where vSphere can do more or less.
func vsphereImpact(from, to *b.VMSpec, c b.Change) b.Impact {
	if c.PartOfAddition() {
		return b.Impact{}
	}
	switch c.Path.Generic() {
	case "cpu.cores", "cpu.sockets":
		return vsphereCPU(from, to, c)
	case "memory.size_mib":
		if c.Action != b.Grow {
			return restart("vSphere takes no memory from a running VM")
		}
		if !isTrue(from.Memory.HotAdd) {
			return restart("the VM was started without memory.hot_add")
		}
		return b.Impact{}
	case "cpu.max_cores":
		return hotAddMaximum(from.CPU.HotAdd, c, to.CPU.Cores, "cpu.hot_add")
	case "memory.max_mib":
		return hotAddMaximum(from.Memory.HotAdd, c, to.Memory.SizeMiB, "memory.hot_add")
	case "disks":
		return vsphereDisk(from, to, c)
	case "disks.storage", "disks.policy": // Storage vMotion, which a running guest does not notice
		return b.Impact{}
	case "disks.provisioning": // a disk that moves can be laid out anew on the way
		if was, is := from.Disks[c.Key].Storage, to.Disks[c.Key].Storage; was != nil && is != nil && *was != *is {
			return b.Impact{}
		}
	case "customization":
		return restart("vCenter customizes a guest when it starts")
	}
	return b.DefaultImpact(from, to, c)
}

// vsphereCPU: a running VM gets sockets, never cores in those it has. With one socket, each
// core of a VM that grows is a socket of its own.
func vsphereCPU(from, to *b.VMSpec, c b.Change) b.Impact {
	several := from.CPU.Sockets != nil && *from.CPU.Sockets > 1
	switch {
	case to.CPU.VCPUs() < from.CPU.VCPUs() || less(c):
		return restart("vSphere takes no processors from a running VM")
	case !isTrue(from.CPU.HotAdd):
		return restart("the VM was started without cpu.hot_add")
	case several && c.Path == "cpu.cores":
		return restart("a running VM gets sockets, and no cores in those that it has")
	case !several && c.Path == "cpu.sockets" && from.CPU.Cores != nil && *from.CPU.Cores > 1:
		return restart("each core of a VM with one socket is a socket of its own, so that more can be added, and cores are put into sockets only while it is stopped")
	}
	return b.Impact{}
}

// less reports whether a number goes down.
func less(c b.Change) bool {
	was, ok := c.From.(int64)
	is, both := c.To.(int64)
	return ok && both && is < was
}

// vsphereMaximum: there are none, so that a maximum above the size is only the wish for hot add.
func hotAddMaximum(hotAdd *bool, c b.Change, size *int64, name string) b.Impact {
	most, ok := c.To.(int64)
	if isTrue(hotAdd) || ok && size != nil && most <= *size {
		return b.Impact{}
	}
	return restart(name + " is switched on for it, which the guest sees when it starts")
}

func vsphereDisk(from, to *b.VMSpec, c b.Change) b.Impact {
	d := to.Disks[c.Key]
	if c.Action == b.Remove {
		d = from.Disks[c.Key]
	}
	if d.Bus != nil && *d.Bus == "ide" {
		return restart("disks on the ide bus cannot be plugged while the VM runs")
	}
	return b.Impact{}
}

func isTrue(p *bool) bool { return p != nil && *p }
