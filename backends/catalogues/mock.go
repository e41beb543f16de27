package catalogues

import b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// Mock is the catalogue of the embedded hypervisor when it imitates no other.
func Mock() b.Catalogue {
	return b.Catalogue{Backend: b.Mock, Impact: mockImpact, Support: map[b.Feature]b.Support{
		b.FeatureVMCreate:    full(),
		b.FeatureVMDelete:    full(),
		b.FeaturePower:       full(),
		b.FeatureReboot:      full(),
		b.FeatureSuspend:     full(),
		b.FeatureDescribe:    full(),
		b.FeatureReconfigure: full(),
		b.FeatureTaskStatus:  full(),
		b.FeatureConsoleURL:  full("A pretended address with a ticket; nobody answers there."),

		b.FeatureCPU:          full(),
		b.FeatureMemory:       full(),
		b.FeatureHotCPUAdd:    full("Up to cpu.max_cores."),
		b.FeatureHotMemoryAdd: full("Up to memory.max_mib."),
		b.FeatureReservations: full("Counted against the capacity of the host."),
		b.FeatureLimits:       full(),

		b.FeatureDiskCreate:       full(),
		b.FeatureDiskResize:       full(),
		b.FeatureMultipleDisks:    full(),
		b.FeatureThinProvisioning: full(),
		b.FeatureThickDisks:       full("Counted whole against the capacity of the storage."),
		b.FeatureStoragePolicies:  full("gold, silver and bronze."),
		b.FeatureStoragePools:     full(),

		b.FeatureNetwork:             full(),
		b.FeatureMultipleNICs:        full(),
		b.FeatureVLAN:                full(),
		b.FeatureStaticIP:            full(),
		b.FeatureDHCP:                full(),
		b.FeatureBridgeNetworks:      full(),
		b.FeatureDistributedSwitches: full("Networks of kind distributed, such as dvs-prod."),

		b.FeatureTemplateDeployment: full("From any VM or template by name or id."),
		b.FeatureClone:              full(),
		b.FeatureLinkedClone:        full("Of a VM, a template, a snapshot or an image; each costs a twentieth of the space."),
		b.FeatureFullClone:          full(),
		b.FeatureVMReconfiguration:  full(),

		b.FeatureSnapshotCreate:  full(),
		b.FeatureSnapshotDelete:  full(),
		b.FeatureSnapshotRevert:  full(),
		b.FeatureSnapshotMemory:  full(),
		b.FeatureSnapshotQuiesce: full("By the pretended agent."),
		b.FeatureSnapshotTree:    full(),

		b.FeatureOVAImport:       full("Verified and mapped to a template; of the disks only the sizes are kept."),
		b.FeatureImageDownload:   full("The content is read and checked, then only its size and fingerprint are kept."),
		b.FeatureContentLibrary:  full("The library shared."),
		b.FeatureImageConversion: full("Of the bookkeeping: format and size."),
		b.FeatureImageCaching:    full(),

		b.FeatureCloudInit:          full(),
		b.FeatureGuestTools:         full("A pretended agent."),
		b.FeatureGuestAgent:         full("A pretended agent."),
		b.FeatureGuestCustomization: full("The pretended guest takes host name and time zone."),
		b.FeatureGuestMonitoring:    full("A pretended agent tells users, file systems and time."),

		b.FeatureHighAvailability: no(later),
		b.FeatureDRS:              no(later),
		b.FeatureFaultTolerance:   no(later),
		b.FeatureMigration:        full("Between the hosts of the inventory."),
		b.FeatureResourcePools:    full(),
		b.FeatureAffinityRules:    no(later),

		b.FeatureMetrics:           no(later),
		b.FeatureEvents:            no(later),
		b.FeatureHealth:            no(later),
		b.FeatureAlerting:          no(later),
		b.FeatureHistoricalMetrics: no(later),
		b.FeatureConsoleGeneration: full("A pretended address with a ticket; nobody answers there."),
		b.FeatureAgentIntegration:  full("A pretended agent tells addresses and the host name."),

		b.FeatureUEFI:           full(),
		b.FeatureSecureBoot:     full(),
		b.FeatureTPM:            full(),
		b.FeatureNestedVirt:     full(),
		b.FeatureDiskHotplug:    full(),
		b.FeatureNICHotplug:     full(),
		b.FeatureCDROM:          full(),
		b.FeatureDiskVolume:     full(),
		b.FeatureHostDevices:    full("Four that every host has: the PCI address 0000:65:00.0, the mapping gpu, the USB device 046d:c52b and the profile grid_p40-2q."),
		b.FeatureHostPlacement:  full(),
		b.FeatureFolders:        full(),
		b.FeatureDeferredChange: full(),
		b.FeatureLibvirtOptions: no("These options exist on libvirt only."),
		b.FeatureImageFromVM:    full(),
		b.FeatureDiskLimits:     full(),
		b.FeatureNetworkLimits:  full(),
		b.FeatureConsoleOptions: full(),
		b.FeatureWatchdog:       full(),
		b.FeatureRNG:            full(),
		b.FeaturePause:          full(),
		b.FeatureVSphereOptions: no("These options exist on vSphere only."),
		b.FeatureProxmoxOptions: no(proxmoxOnly),
		b.FeatureDiskSlot:       full(),
		b.FeatureDiskSharing:    full("Volumes, which several VMs attach."),
	}}
}

// mockImpact departs from the portable rules where the mock can do more.
func mockImpact(from, to *b.VMSpec, c b.Change) b.Impact {
	if c.Path.Generic() == "disks.policy" { // the storage stays, if it satisfies the policy
		return b.Impact{}
	}
	return b.DefaultImpact(from, to, c)
}
