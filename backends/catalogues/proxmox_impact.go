package catalogues

import (
	"maps"
	"slices"

	b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

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
	case "disks.options":
		return proxmoxOptions(from.Disks[c.Key].Options, to.Disks[c.Key].Options, "backup", "replicate")
	case "networks.options":
		return proxmoxOptions(from.Networks[c.Key].Options, to.Networks[c.Key].Options, "firewall", "trunks")
	case "proxmox.options":
		var had map[string]string
		if from.Proxmox != nil {
			had = from.Proxmox.Options
		}
		return proxmoxOptions(had, to.Proxmox.Options, "tablet", "protection", "startup", "hookscript",
			"migrate_downtime", "migrate_speed", "spice_enhancements", "vmstatestorage")
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

// proxmoxOptions: live are those that a running VM takes; any other is of its hardware.
func proxmoxOptions(from, to map[string]string, live ...string) b.Impact {
	all := maps.Clone(from)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, to)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		was, had := from[key]
		is, has := to[key]
		if (was != is || had != has) && !slices.Contains(live, key) {
			return restart("the option " + key + " is fixed while the VM runs")
		}
	}
	return b.Impact{}
}
