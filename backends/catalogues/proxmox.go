package catalogues

import b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// Proxmox is the catalogue of Proxmox VE.
func Proxmox() b.Catalogue {
	return b.Catalogue{
		Backend: b.Proxmox,
		Support: proxmoxSupport,
		Accepts: map[string][]string{
			"firmware":              {"bios", "uefi"},
			"cpu.threads":           {"1"},
			"disks.format":          {"qcow2", "raw", "vmdk"},
			"disks.provisioning":    {"thin", "thick"},
			"disks.bus":             {"virtio", "scsi", "sata", "ide"},
			"networks.model":        {"virtio", "e1000", "e1000e", "rtl8139", "vmxnet3"},
			"cloud_init.datasource": {"nocloud", "configdrive"},
			"console.type":          {"vnc", "spice", "serial", "none"},
			"watchdog":              {"", "reset", "poweroff", "pause", "none"},
		},
		Lacks:    proxmoxLacks,
		Spelled:  proxmoxSpelled,
		Reseeded: "Where Proxmox VE's own cloud-init drive has it, and no ISO with a seed, cloud-init takes the VM for a new instance at its next boot and runs again by itself.",
		Frozen:   proxmoxFrozen,
		Impact:   proxmoxImpact,
	}
}

// proxmoxLacks are the attributes of claimed features that Proxmox VE cannot have.
var proxmoxLacks = map[string]string{ //nolint:gosec // of passwords it says only that there are none
	"cpu.reservation_mhz":         "KVM reserves no processor time. Use cpu.shares, which weighs VMs against each other.",
	"memory.limit_mib":            "A VM never takes more memory than memory.size_mib.",
	"console.address":             "A VM's console is reached through Proxmox VE's own proxy with a ticket.",
	"console.port":                "A VM's console is reached through Proxmox VE's own proxy with a ticket.",
	"console.tls":                 "A VM's console is reached through Proxmox VE's own proxy, which always has TLS.",
	"console.password_wo_version": "A VM's console is reached through Proxmox VE's own proxy with a ticket that it makes each time.",
	"customization.windows":       "Proxmox VE hands guests data for cloud-init, which sysprep does not read. Give the image an answer file, or cloudbase-init and cloud_init.user_data.",
	"host_devices.vgpu":           "A profile alone names no device. Make a mapping of the card, and name it in host_devices.mapping.",
	"placement.cluster":           "A connection is to one cluster. Use placement.host.",
	"placement.resource_pool":     "Proxmox VE's pools are placement.pool.",
}

const (
	simulatedPVE   = "Proved on a simulator that is held to recorded answers of Proxmox VE."
	pretendedGuest = "Proved on a simulator with pretended guests."
)

var proxmoxSupport = map[b.Feature]b.Support{
	b.FeatureVMCreate:    full(),
	b.FeatureVMDelete:    full("With its snapshots, saved memory and its entry in high availability."),
	b.FeaturePower:       full(),
	b.FeatureReboot:      full("Asks the guest agent, or the guest by ACPI."),
	b.FeatureSuspend:     full("Suspends to disk."),
	b.FeatureDescribe:    full(),
	b.FeatureReconfigure: full("Live where the VM's hotplug setting and guest take it, else with a restart that the plan announces."),
	b.FeatureTaskStatus:  full(),
	b.FeatureConsoleURL:  full("noVNC or a terminal as pages of Proxmox VE, which ask the browser for a login and make a ticket when they are opened; SPICE as a file for remote-viewer with a ticket in it."),

	b.FeatureCPU:          full("Threads per core are not shown to guests: cpu.threads is 1."),
	b.FeatureMemory:       full(),
	b.FeatureHotCPUAdd:    full("Up to cpu.max_cores. Removal needs a restart."),
	b.FeatureHotMemoryAdd: full("With memory.hot_add, which a memory.max_mib above memory.size_mib switches on. Removal needs a restart."),
	b.FeatureReservations: full("memory.reservation_mib is below what the balloon never takes a guest; of processors there are only shares."),
	b.FeatureLimits:       full("cpu.limit_mhz is rounded to hundredths of one of the node's processors."),

	b.FeatureDiskCreate:       full(),
	b.FeatureDiskResize:       full(),
	b.FeatureMultipleDisks:    full(),
	b.FeatureThinProvisioning: full("Where the storage's type and the format are thin."),
	b.FeatureThickDisks:       full("Where the storage's type and the format take all space at once."),
	b.FeatureStoragePolicies:  no("Proxmox VE has no storage policies. Choose a storage."),
	b.FeatureStoragePools:     full(),

	b.FeatureNetwork:             full("Linux bridges, Open vSwitch bridges and SDN virtual networks, by name."),
	b.FeatureMultipleNICs:        full(),
	b.FeatureVLAN:                full("Needs a bridge that is VLAN aware."),
	b.FeatureStaticIP:            full("By cloud-init. " + pretendedGuest),
	b.FeatureDHCP:                full(pretendedGuest),
	b.FeatureBridgeNetworks:      full(),
	b.FeatureDistributedSwitches: no("Proxmox VE has no distributed switches. Its SDN virtual networks are networks by name."),

	b.FeatureTemplateDeployment: full("From a template or VM by name or VMID."),
	b.FeatureClone:              full(simulatedPVE),
	b.FeatureLinkedClone:        full("Of templates, on storages that can. Of a VM that is no template they are refused: make a template of it, or a full clone. " + simulatedPVE),
	b.FeatureFullClone:          full("Of a VM with a TPM only while it is stopped. " + simulatedPVE),
	b.FeatureVMReconfiguration:  full("Live where the VM's hotplug setting and guest take it, else with a restart that the plan announces."),

	b.FeatureSnapshotCreate:  full("Where the storage and format of every disk can, and no disk is attached by volume: Proxmox VE cannot leave one out. " + simulatedPVE),
	b.FeatureSnapshotDelete:  full(simulatedPVE),
	b.FeatureSnapshotRevert:  full(simulatedPVE),
	b.FeatureSnapshotMemory:  full(simulatedPVE),
	b.FeatureSnapshotQuiesce: full("By the guest agent, which Proxmox VE asks to freeze file systems at every snapshot of a running VM. " + pretendedGuest),
	b.FeatureSnapshotTree:    full(),

	b.FeatureOVAImport:       full("The provider checks the package and hands its disks to the node, by way of a storage with the content Import."),
	b.FeatureImageDownload:   full("The node itself fetches what has a URL that it can reach."),
	b.FeatureContentLibrary:  no("Proxmox VE has no content libraries. Images lie on storages, templates are VMs."),
	b.FeatureImageConversion: full("By the node, when a disk is made of the image; of formats that it does not know, such as VHDX, by the provider on the way there."),
	b.FeatureImageCaching:    full("Content that is there already is not transferred again: the node copies the image."),

	b.FeatureCloudInit:          full("By Proxmox VE's own drive where it can express what is asked for, else from a NoCloud ISO that is uploaded. " + pretendedGuest),
	b.FeatureGuestTools:         full("The QEMU guest agent. " + pretendedGuest),
	b.FeatureGuestAgent:         full("The QEMU guest agent. " + pretendedGuest),
	b.FeatureGuestCustomization: full("By cloud-init. " + pretendedGuest),
	b.FeatureGuestMonitoring:    full("Users, file systems and time, as the agent tells. " + pretendedGuest),

	b.FeatureHighAvailability: no(later),
	b.FeatureDRS:              no("Proxmox VE does not balance running VMs."),
	b.FeatureFaultTolerance:   no("Proxmox VE has no fault tolerance."),
	b.FeatureMigration:        full("Live and offline, with local disks. " + simulatedPVE),
	b.FeatureResourcePools:    full("placement.pool."),
	b.FeatureAffinityRules:    no(later),

	b.FeatureMetrics:           no(later),
	b.FeatureEvents:            no(later),
	b.FeatureHealth:            no(later),
	b.FeatureAlerting:          no(later),
	b.FeatureHistoricalMetrics: no(later),
	b.FeatureConsoleGeneration: full("The same as console_url."),
	b.FeatureAgentIntegration:  full("Addresses, host name and operating system by the QEMU guest agent. " + pretendedGuest),

	b.FeatureUEFI:           full(),
	b.FeatureSecureBoot:     full("With the keys of the distributions and of Microsoft enrolled."),
	b.FeatureTPM:            full(),
	b.FeatureNestedVirt:     full("The guest gets the processor of the host. What runs in it was not available to the tests."),
	b.FeatureDiskHotplug:    full("On the scsi and virtio buses."),
	b.FeatureNICHotplug:     full(),
	b.FeatureCDROM:          full("ISO files on storages."),
	b.FeatureDiskVolume:     full("Volumes that belong to a VMID which no VM has, until a VM attaches them."),
	b.FeatureHostDevices:    full("Mappings of PCI and USB devices. Proved as configuration: the simulator has no such devices to use."),
	b.FeatureHostPlacement:  full(),
	b.FeatureFolders:        no("Proxmox VE has no folders of VMs. Use placement.pool or tags."),
	b.FeatureDeferredChange: full("Changes wait as pending ones for the next start."),
	b.FeatureLibvirtOptions: no("These options exist on libvirt only."),
	b.FeatureImageFromVM:    full("Templates: the VM is cloned and the clone converted. Disks: the node copies the VM's disk root."),
	b.FeatureDiskLimits:     full(),
	b.FeatureNetworkLimits:  full("What the guest receives; Proxmox VE limits one direction only."),
	b.FeatureConsoleOptions: full("The type only."),
	b.FeatureWatchdog:       full("An i6300esb."),
	b.FeatureRNG:            full("Fed by the node's urandom."),
	b.FeatureVSphereOptions: no("These options exist on vSphere only."),
	b.FeatureProxmoxOptions: full(),
	b.FeatureDiskSlot:       no("Proxmox VE numbers the places of disks by itself."),
	b.FeatureDiskSharing:    no("Proxmox VE gives a disk to one VM."),
	b.FeaturePause:          full("The memory stays in the node's."),
}

// proxmoxFrozen says what snapshots are in the way of.
func proxmoxFrozen(c b.Change) string {
	switch c.Path.Generic() {
	case "disks":
		if disk, ok := c.From.(b.Disk); c.Action == b.Remove && ok && disk.Volume == nil {
			return "they hold content of the disk"
		}
	case "disks.storage", "disks.format", "disks.provisioning":
		return "Proxmox VE does not move disks that snapshots hold"
	}
	return ""
}
