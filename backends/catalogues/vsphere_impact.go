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
		return vsphereMaximum(from.CPU.HotAdd, c, to.CPU.Cores, "cpu.hot_add")
	case "memory.max_mib":
		return vsphereMaximum(from.Memory.HotAdd, c, to.Memory.SizeMiB, "memory.hot_add")
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
func vsphereMaximum(hotAdd *bool, c b.Change, size *int64, name string) b.Impact {
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

// VSphereESXi narrows the catalogue to what a stand-alone ESXi host can do.
func VSphereESXi(c b.Catalogue) b.Catalogue {
	const alone = "A stand-alone ESXi host cannot; this needs a vCenter."
	for f, why := range map[b.Feature]string{
		b.FeatureTemplateDeployment:  "A stand-alone ESXi host has no templates and clones nothing; connect to its vCenter, or make VMs from images.",
		b.FeatureClone:               "A stand-alone ESXi host clones nothing; connect to its vCenter, or make VMs from images.",
		b.FeatureFullClone:           "A stand-alone ESXi host clones nothing; connect to its vCenter, or make VMs from images.",
		b.FeatureLinkedClone:         "A stand-alone ESXi host clones nothing; connect to its vCenter.",
		b.FeatureImageFromVM:         "A stand-alone ESXi host has no templates and clones nothing; connect to its vCenter.",
		b.FeatureOVAImport:           "An appliance becomes a template, of which a stand-alone ESXi host makes no VMs; connect to its vCenter.",
		b.FeatureContentLibrary:      "Content libraries are vCenter's.",
		b.FeatureStoragePolicies:     "Storage policies are vCenter's; choose a datastore.",
		b.FeatureDistributedSwitches: "Distributed switches are vCenter's; use the host's own port groups.",
		b.FeatureMigration:           "A stand-alone ESXi host has nowhere to move a VM to.",
		b.FeatureHostPlacement:       "A stand-alone ESXi host is the only one, and in no cluster.",
		b.FeatureFolders:             "A stand-alone ESXi host has no folders; use tags.",
		b.FeatureGuestCustomization:  "vCenter customizes guests; on a stand-alone ESXi host use cloud_init.",
		b.FeatureTPM:                 "A virtual TPM needs a key provider, which vCenter has.",
		b.FeatureHighAvailability:    alone,
		b.FeatureDRS:                 alone,
		b.FeatureFaultTolerance:      alone,
		b.FeatureAffinityRules:       alone,
	} {
		c = c.Narrow(f, b.Unavailable, why)
	}
	lacks := map[string]string{"vsphere.custom_attributes": "Custom attributes are vCenter's."}
	for path, why := range c.Lacks {
		lacks[path] = why
	}
	c.Lacks = lacks
	impact := c.Impact
	c.Impact = func(from, to *b.VMSpec, ch b.Change) b.Impact {
		if ch.Path.Generic() == "disks.storage" && ch.From != nil && !ch.PartOfAddition() {
			return b.Impact{Effect: b.EffectRefuse, Reason: "a stand-alone ESXi host moves no disks; add a disk under another key and move the data"}
		}
		if impact != nil {
			return impact(from, to, ch)
		}
		return b.DefaultImpact(from, to, ch)
	}
	return c
}
