package catalogues

import b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// Mock is the catalogue of the embedded hypervisor when it imitates no other.
func Mock() b.Catalogue {
	return b.Catalogue{Backend: b.Mock, Support: map[b.Feature]b.Support{
		b.FeatureVMCreate:    full(),
		b.FeatureVMDelete:    full(),
		b.FeaturePower:       full(),
		b.FeatureReboot:      full(),
		b.FeatureSuspend:     full(),
		b.FeatureDescribe:    full(),
		b.FeatureReconfigure: full(),
		b.FeatureTaskStatus:  full(),
		b.FeatureConsoleURL:  no(later),

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
		b.FeatureStoragePolicies:  no(later),
		b.FeatureStoragePools:     full(),

		b.FeatureNetwork:             full(),
		b.FeatureMultipleNICs:        full(),
		b.FeatureVLAN:                full(),
		b.FeatureStaticIP:            full(),
		b.FeatureDHCP:                full(),
		b.FeatureBridgeNetworks:      full(),
		b.FeatureDistributedSwitches: full("Networks of kind distributed, such as dvs-prod."),

		b.FeatureTemplateDeployment: full("From a template of the sample inventory."),
		b.FeatureClone:              no(later),
		b.FeatureLinkedClone:        no(later),
		b.FeatureFullClone:          no(later),
		b.FeatureVMReconfiguration:  full(),

		b.FeatureSnapshotCreate:  no(later),
		b.FeatureSnapshotDelete:  no(later),
		b.FeatureSnapshotRevert:  no(later),
		b.FeatureSnapshotMemory:  no(later),
		b.FeatureSnapshotQuiesce: no(later),
		b.FeatureSnapshotTree:    no(later),

		b.FeatureOVAImport:       no(later),
		b.FeatureImageDownload:   full("The content is read and checked, then only its size and fingerprint are kept."),
		b.FeatureContentLibrary:  no(later),
		b.FeatureImageConversion: no(later),
		b.FeatureImageCaching:    full(),

		b.FeatureCloudInit:          full(),
		b.FeatureGuestTools:         full("A pretended agent."),
		b.FeatureGuestAgent:         full("A pretended agent."),
		b.FeatureGuestCustomization: no(later),
		b.FeatureGuestMonitoring:    no(later),

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
		b.FeatureConsoleGeneration: no(later),
		b.FeatureAgentIntegration:  full("A pretended agent tells addresses and the host name."),

		b.FeatureUEFI:           full(),
		b.FeatureSecureBoot:     full(),
		b.FeatureTPM:            full(),
		b.FeatureNestedVirt:     full(),
		b.FeatureDiskHotplug:    full(),
		b.FeatureNICHotplug:     full(),
		b.FeatureCDROM:          full(),
		b.FeatureDiskVolume:     full(),
		b.FeatureHostDevices:    no(later),
		b.FeatureHostPlacement:  full(),
		b.FeatureFolders:        full(),
		b.FeatureDeferredChange: full(),
		b.FeatureLibvirtOptions: no("These options exist on libvirt only."),
	}}
}
