package backends

import (
	"fmt"
	"strings"
)

// Effect is how a change is carried out.
type Effect int

// The effects, from mild to severe.
const (
	EffectLive    Effect = iota // while the VM runs
	EffectRestart               // the VM must be stopped for it
	EffectRefuse                // not after creation
)

// Impact is the effect of one change and, where it is not EffectLive, why.
type Impact struct {
	Effect Effect
	Reason string // a clause: "the guest's firmware is fixed while it runs"
}

func live() Impact                 { return Impact{} }
func restart(reason string) Impact { return Impact{Effect: EffectRestart, Reason: reason} }
func refuse(format string, args ...any) Impact {
	return Impact{Effect: EffectRefuse, Reason: fmt.Sprintf(format, args...)}
}

// DefaultImpact is what holds where a driver has no rule of its own: CPU and
// memory grow live up to their maxima, disks and NICs on a hot-plug bus come
// and go live, what the guest sees as hardware needs a restart, and what would
// lose data is refused.
func DefaultImpact(from, to *VMSpec, c Change) Impact {
	if c.PartOfAddition() {
		return live()
	}
	switch p := c.Path.Generic(); p {
	case "cpu.cores":
		return cpuImpact(from, to, c)
	case "memory.size_mib":
		return memoryImpact(from, c)
	case "cpu.sockets", "cpu.threads", "cpu.max_cores", "cpu.model", "cpu.hot_add", "cpu.affinity",
		"memory.max_mib", "memory.hot_add", "memory.ballooning",
		"firmware", "secure_boot", "tpm", "nested_virtualization", "guest_os", "host_devices", "watchdog", "rng",
		"console.type", "console.address", "console.port", "console.tls",
		"libvirt.machine", "libvirt.domain_type", "libvirt.loader",
		"vsphere.latency_sensitivity", "vsphere.scsi_controller",
		"proxmox.machine", "proxmox.scsi_controller", "proxmox.options":
		return restart("the guest sees this as hardware, which is fixed while it runs")
	case "disks":
		return diskImpact(from, to, c)
	case "disks.size_gib":
		if c.Action == Shrink {
			return refuse("a disk cannot shrink (it has %v GiB): that would cut off data", c.From)
		}
		return live()
	case "vsphere.hardware_version":
		if c.Action == Shrink {
			return refuse("a VM's virtual hardware is upgraded and never goes back (it has version %v)", c.From)
		}
		return restart("virtual hardware is upgraded while the VM is off")
	case "proxmox.vm_id":
		return refuse("a VM keeps its id (it has %v); make it anew, or take vm_id out", c.From)
	case "disks.bus", "disks.cache", "disks.discard", "disks.ssd", "disks.iothread", "disks.slot", "disks.shared", "disks.options":
		return restart("the disk must be detached and attached again for it")
	case "disks.storage", "disks.provisioning", "disks.format", "disks.policy":
		if c.From == nil { // not known before, now said: nothing to convert
			return live()
		}
		return refuse("a disk keeps it from its creation; add a disk under another key and move the data")
	case "networks.model", "networks.mac", "networks.mtu", "networks.order", "networks.options":
		return restart("the interface must be plugged anew for it")
	default:
		return live()
	}
}

// PartOfAddition reports whether c only names what the addition of a disk or NIC
// asks for beside itself. Check looks at it; whoever carries changes out skips it.
func (c Change) PartOfAddition() bool {
	steps := c.Path.Steps()
	return c.Action == Add && len(steps) > 2 && steps[1].IsKey
}

// IsNote reports whether c changes only what is written down about a VM, so that
// it can be made in any power state and without a guest that runs.
func (c Change) IsNote() bool {
	switch p := c.Path.Generic(); p {
	case "description", "tags", "settings", "placement.storage", "disks.keep_on_destroy", "libvirt.autostart", "vsphere.custom_attributes",
		"proxmox.autostart",
		"dns", "networks.ipv4", "networks.ipv6":
		return c.Action == Set
	default:
		return p == "cloud_init" || strings.HasPrefix(p, "cloud_init.")
	}
}

func cpuImpact(from, to *VMSpec, c Change) Impact {
	if c.Action != Grow {
		return restart("processors cannot be taken from a running guest safely")
	}
	if to.CPU.VCPUs() > from.CPU.MaxVCPUs() {
		return restart(fmt.Sprintf("the VM was started with at most %d vCPUs (cpu.max_cores)", from.CPU.MaxVCPUs()))
	}
	return live()
}

func memoryImpact(from *VMSpec, c Change) Impact {
	if c.Action != Grow {
		return restart("memory cannot be taken from a running guest safely")
	}
	limit := from.Memory.MaxMiB
	if limit == nil {
		return restart("the VM was started without memory.max_mib, so its memory cannot grow while it runs")
	}
	if want, ok := c.To.(int64); ok && want > *limit {
		return restart(fmt.Sprintf("the VM was started with at most %d MiB (memory.max_mib)", *limit))
	}
	return live()
}

func diskImpact(from, to *VMSpec, c Change) Impact {
	d := to.Disks[c.Key]
	if c.Action == Remove {
		d = from.Disks[c.Key]
	}
	if d.Bus != nil && (*d.Bus == "ide" || *d.Bus == "sata") {
		return restart("disks on the " + *d.Bus + " bus cannot be plugged while the VM runs")
	}
	return live()
}
