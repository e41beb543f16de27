package catalogues

import b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// proxmoxImpact departs from the portable rules where Proxmox VE can do more or less.
func proxmoxImpact(from, to *b.VMSpec, c b.Change) b.Impact {
	if c.PartOfAddition() {
		return b.Impact{}
	}
	switch c.Path.Generic() {
	case "memory.size_mib":
		if c.Action != b.Grow {
			return restart("memory is not taken from a running guest")
		}
		if !isTrue(from.Memory.HotAdd) {
			return restart("the VM was started without memory.hot_add")
		}
		return b.Impact{}
	case "memory.max_mib":
		return hotAddMaximum(from.Memory.HotAdd, c, to.Memory.SizeMiB, "memory.hot_add")
	case "disks":
		return proxmoxDisk(from, to, c)
	case "disks.storage", "disks.format": // moved while the VM runs
		return b.Impact{}
	case "disks.backup", "disks.replicate", "networks.firewall", "networks.vlan_trunks", "proxmox.tablet":
		return b.Impact{}
	}
	return b.DefaultImpact(from, to, c)
}

func proxmoxDisk(from, to *b.VMSpec, c b.Change) b.Impact {
	d := to.Disks[c.Key]
	if c.Action == b.Remove {
		d = from.Disks[c.Key]
	}
	if d.Bus != nil && (*d.Bus == "ide" || *d.Bus == "sata") {
		return restart("disks on the " + *d.Bus + " bus cannot be plugged while the VM runs")
	}
	return b.Impact{}
}
