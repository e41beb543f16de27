package catalogues

import b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// Libvirt is the catalogue of libvirt with the QEMU driver.
func Libvirt() b.Catalogue {
	return b.Catalogue{
		Backend: b.Libvirt,
		Support: libvirtSupport,
		Accepts: map[string][]string{
			"firmware":              {"bios", "uefi"},
			"disks.format":          {"qcow2", "raw"},
			"disks.provisioning":    {"thin", "thick"},
			"disks.bus":             {"virtio", "scsi", "sata", "ide"},
			"disks.cache":           {"none", "writeback", "writethrough", "directsync", "unsafe"},
			"networks.model":        {"virtio", "e1000", "e1000e", "rtl8139"},
			"cloud_init.datasource": {"nocloud"},
			"libvirt.domain_type":   {"kvm", "qemu"},
		},
		Impact: libvirtImpact,
	}
}

var libvirtSupport = map[b.Feature]b.Support{
	b.FeatureVMCreate:    full(),
	b.FeatureVMDelete:    full(),
	b.FeaturePower:       full(),
	b.FeatureReboot:      full(),
	b.FeatureSuspend:     full("A managed save: the memory is on the host's disk."),
	b.FeatureDescribe:    full(),
	b.FeatureReconfigure: full("Live up to cpu.max_cores and memory.max_mib; what the guest sees as fixed hardware needs a restart."),
	b.FeatureTaskStatus:  notApplicable("libvirt has no tasks: every call ends when its work is done."),
	b.FeatureConsoleURL:  no(later),

	b.FeatureCPU:          full(),
	b.FeatureMemory:       full(),
	b.FeatureHotCPUAdd:    full("Up to cpu.max_cores; the guest's kernel must have room for hot-plugged processors. Removal needs a restart."),
	b.FeatureHotMemoryAdd: full("Up to memory.max_mib, through the balloon device."),
	b.FeatureReservations: no(later),
	b.FeatureLimits:       no(later),

	b.FeatureDiskCreate:       full(),
	b.FeatureDiskResize:       full(),
	b.FeatureMultipleDisks:    full(),
	b.FeatureThinProvisioning: full(),
	b.FeatureThickDisks:       full("Preallocated."),
	b.FeatureStoragePolicies:  no("libvirt has no storage policies; choose a pool."),
	b.FeatureStoragePools:     partial("Proved on directory pools only; logical, zfs, rbd and iscsi pools use the same calls and were not available to the tests."),

	b.FeatureNetwork:             full(),
	b.FeatureMultipleNICs:        full(),
	b.FeatureVLAN:                partial("On Open vSwitch bridges and libvirt networks of that type; a plain Linux bridge cannot tag. Proved as configuration, without tagged traffic."),
	b.FeatureStaticIP:            full("By cloud-init."),
	b.FeatureDHCP:                full(),
	b.FeatureBridgeNetworks:      full(`As network = "bridge:NAME", "direct:DEVICE" (macvtap) or "ovs:BRIDGE".`),
	b.FeatureDistributedSwitches: no("libvirt has no distributed switches; connect hosts with Open vSwitch."),

	b.FeatureTemplateDeployment: no(later + " Use an image."),
	b.FeatureClone:              no(later),
	b.FeatureLinkedClone:        no(later),
	b.FeatureFullClone:          no(later),
	b.FeatureVMReconfiguration:  full("Live where QEMU can, else with a restart that the plan announces."),

	b.FeatureSnapshotCreate:  no(later),
	b.FeatureSnapshotDelete:  no(later),
	b.FeatureSnapshotRevert:  no(later),
	b.FeatureSnapshotMemory:  no(later),
	b.FeatureSnapshotQuiesce: no(later),
	b.FeatureSnapshotTree:    no(later),

	b.FeatureOVAImport:       no(later),
	b.FeatureImageDownload:   full("Streamed through the provider into the pool."),
	b.FeatureContentLibrary:  no("libvirt has no content libraries; a storage pool of images serves."),
	b.FeatureImageConversion: no(later),
	b.FeatureImageCaching:    full("An image whose fingerprint is in the pool already is not transferred again."),

	b.FeatureCloudInit:          full("NoCloud, from a seed volume."),
	b.FeatureGuestTools:         full("The QEMU guest agent."),
	b.FeatureGuestAgent:         full(),
	b.FeatureGuestCustomization: no(later + " Use cloud_init."),
	b.FeatureGuestMonitoring:    no(later),

	b.FeatureHighAvailability: no("libvirt manages one host; a cluster manager above it restarts VMs elsewhere."),
	b.FeatureDRS:              no("libvirt manages one host."),
	b.FeatureFaultTolerance:   no("QEMU's COLO is not managed by libvirt."),
	b.FeatureMigration:        no(later),
	b.FeatureResourcePools:    no("libvirt has no hierarchical resource pools."),
	b.FeatureAffinityRules:    no("libvirt manages one host, so there is nowhere to keep VMs apart."),

	b.FeatureMetrics:           no(later),
	b.FeatureEvents:            no(later),
	b.FeatureHealth:            no(later),
	b.FeatureAlerting:          no("libvirt raises no alarms."),
	b.FeatureHistoricalMetrics: no("libvirt keeps no history."),
	b.FeatureConsoleGeneration: no(later),
	b.FeatureAgentIntegration:  full("Addresses by agent or DHCP lease, else from the host's ARP table (not proved: the libvirt of the tests cannot read it); operating system by agent."),

	b.FeatureUEFI:           full("With firmware variables of its own for each VM."),
	b.FeatureSecureBoot:     full("Needs the q35 machine type and firmware with enrolled keys on the host."),
	b.FeatureTPM:            full("Emulated by swtpm on the host."),
	b.FeatureNestedVirt:     no(later + " cpu.model = \"host-passthrough\" hands the host's virtualization to the guest where the host allows it."),
	b.FeatureDiskHotplug:    full("On the virtio and scsi buses."),
	b.FeatureNICHotplug:     full(),
	b.FeatureCDROM:          full(),
	b.FeatureDiskVolume:     full(),
	b.FeatureHostDevices:    no(later),
	b.FeatureHostPlacement:  no("libvirt manages one host: the one of the connection's URI."),
	b.FeatureFolders:        no("libvirt has no folders; use tags."),
	b.FeatureDeferredChange: full("Kept in the domain's persistent definition."),
	b.FeatureLibvirtOptions: full(),
	b.FeatureImageFromVM:    no(later),
	b.FeatureDiskLimits:     no(later),
	b.FeatureNetworkLimits:  no(later),
	b.FeatureConsoleOptions: no(later),
	b.FeatureWatchdog:       no(later),
	b.FeatureRNG:            no(later),
}

// libvirtImpact departs from the portable rules where QEMU can do more or less.
func libvirtImpact(from, to *b.VMSpec, c b.Change) b.Impact {
	switch c.Path.Generic() {
	case "name":
		return b.Impact{Effect: b.EffectRestart, Reason: "libvirt renames a domain only while it does not run"}
	case "memory.size_mib":
		// The balloon gives and takes memory below the maximum.
		if want, ok := c.To.(int64); ok && from.Memory.MaxMiB != nil && want <= *from.Memory.MaxMiB {
			return b.Impact{}
		}
	case "networks.vlan":
		return b.Impact{Effect: b.EffectRestart, Reason: "the interface must be plugged anew for another VLAN"}
	}
	return b.DefaultImpact(from, to, c)
}
