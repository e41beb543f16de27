package catalogues

import b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// esxiNotes are those of features that a stand-alone ESXi host has as well, in another way.
var esxiNotes = map[b.Feature]string{
	b.FeatureTaskStatus:    "Of what runs or ended within minutes: a stand-alone ESXi host keeps no history.",
	b.FeatureStoragePools:  "Datastores, by name.",
	b.FeatureNetwork:       "The host's standard port groups, by name.",
	b.FeatureStaticIP:      "By cloud-init. " + simulatedGuest,
	b.FeatureImageDownload: "A cloud image is converted to a VMDK while it is streamed to the datastore. The host makes a copy of it for each VM, of the size and provisioning that are asked for. " + simulatedContent,
	b.FeatureCDROM:         "ISO files on datastores.",
	b.FeatureResourcePools: "By name or path below the host.",
}

// VSphereESXi narrows the catalogue to what a stand-alone ESXi host can do.
func VSphereESXi(c b.Catalogue) b.Catalogue {
	const alone = "A stand-alone ESXi host cannot; this needs a vCenter."
	for f, why := range map[b.Feature]string{
		b.FeatureTemplateDeployment:  "A stand-alone ESXi host has no templates and clones nothing; connect to its vCenter, or make VMs from images.",
		b.FeatureClone:               "A stand-alone ESXi host clones nothing; connect to its vCenter, or make VMs from images.",
		b.FeatureFullClone:           "A stand-alone ESXi host clones nothing; connect to its vCenter, or make VMs from images.",
		b.FeatureLinkedClone:         "A stand-alone ESXi host clones nothing, and copies images whole; connect to its vCenter.",
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
	for f, note := range esxiNotes {
		c = c.Narrow(f, c.For(f).Level, note)
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
