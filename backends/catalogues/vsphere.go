package catalogues

import b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"

// VSphere is the catalogue of vSphere with a vCenter.
func VSphere() b.Catalogue {
	return b.Catalogue{
		Backend: b.VSphere,
		Support: vsphereSupport,
		Accepts: map[string][]string{
			"firmware":                    {"bios", "uefi"},
			"cpu.threads":                 {"1"},
			"disks.format":                {"vmdk"},
			"disks.provisioning":          {"thin", "thick", "eager_zeroed"},
			"disks.bus":                   {"scsi", "sata", "nvme", "ide"},
			"networks.model":              {"vmxnet3", "e1000e", "e1000"},
			"cloud_init.datasource":       {"guestinfo", "nocloud"},
			"vsphere.latency_sensitivity": {"low", "normal", "medium", "high"},
			"vsphere.scsi_controller":     {"pvscsi", "lsilogic", "lsilogic_sas", "buslogic"},
		},
		Lacks:  vsphereLacks,
		Frozen: vsphereFrozen,
		Impact: vsphereImpact,

		LinkedKeepSize: true,
	}
}

// vsphereLacks are the attributes of claimed features that vSphere cannot have.
var vsphereLacks = map[string]string{
	"cpu.model":            "Guests see the host's processor as far as the cluster's EVC mode lets them. Set the mode on the cluster.",
	"memory.ballooning":    `The balloon is a part of VMware Tools. vsphere.extra_config = { "sched.mem.maxmemctl" = "0" } keeps it from taking memory.`,
	"disks.cache":          "The datastore decides how it caches.",
	"disks.discard":        "Thin disks take the guest's discards by themselves, where the datastore can.",
	"disks.iothread":       "Each controller serves its disks by itself. Spread busy disks over controllers with disks.slot.",
	"disks.ssd":            `Set vsphere.extra_config = { "scsi0:1.virtualSSD" = "1" }, with the disk's own slot.`,
	"disks.throughput_mib": "vSphere limits operations, not bytes. Use disks.iops_limit.",
	"host_devices.mapping": "Mappings exist on Proxmox VE. Name the device's PCI address, or a vGPU profile.",
	"host_devices.usb":     "USB devices of a host are handed to VMs in the vSphere client.",
	"networks.mtu":         "The MTU is the switch's, and the guest's own setting.",
	"placement.pool":       "Pools of this kind exist on Proxmox VE. Use placement.resource_pool.",
}

const (
	simulatedContent = "Proved on a simulator that is made to keep the content of disks."
	simulatedGuest   = "Proved on a simulator with pretended guests."
)

var vsphereSupport = map[b.Feature]b.Support{
	b.FeatureVMCreate:    full(),
	b.FeatureVMDelete:    full(),
	b.FeaturePower:       full(),
	b.FeatureReboot:      full("Asks VMware Tools in the guest."),
	b.FeatureSuspend:     full("The memory is on the VM's datastore."),
	b.FeatureDescribe:    full(),
	b.FeatureReconfigure: full("Live as far as hot add is on; vSphere never takes processors or memory from a running VM."),
	b.FeatureTaskStatus:  full(),
	b.FeatureConsoleURL:  full("WebMKS: a wss:// address of the host with a ticket that is good for one connection. Proved on a simulator that is made to issue tickets."),

	b.FeatureCPU:          full("Threads per core are the host's matter: cpu.threads is 1."),
	b.FeatureMemory:       full(),
	b.FeatureHotCPUAdd:    full("With cpu.hot_add, which a cpu.max_cores above cpu.cores switches on. A running VM gets sockets, so with a cpu.sockets above 1 more cores need a restart; with one, each core is a socket of its own. Removal needs a restart."),
	b.FeatureHotMemoryAdd: full("With memory.hot_add, which a memory.max_mib above memory.size_mib switches on. Removal needs a restart."),
	b.FeatureReservations: full("A memory.reservation_mib equal to memory.size_mib reserves all of it, and locks it to the host."),
	b.FeatureLimits:       full(),

	b.FeatureDiskCreate:       full("VMDK files on a datastore."),
	b.FeatureDiskResize:       full("Not of a VM that has snapshots."),
	b.FeatureMultipleDisks:    full(),
	b.FeatureThinProvisioning: full(),
	b.FeatureThickDisks:       full("thick takes the space, eager_zeroed also writes it."),
	b.FeatureStoragePolicies:  full("By name; the storage of the disk must be compatible."),
	b.FeatureStoragePools:     full("Datastores and datastore clusters, of which the datastore with most free space is taken."),

	b.FeatureNetwork:             full("Standard and distributed port groups and opaque networks, by name or inventory path."),
	b.FeatureMultipleNICs:        full(),
	b.FeatureVLAN:                full("The tag is the port group's: networks.*.vlan names the one that the port group must carry, and another is refused."),
	b.FeatureStaticIP:            full("By cloud-init or guest customization. " + simulatedGuest),
	b.FeatureDHCP:                full(simulatedGuest),
	b.FeatureBridgeNetworks:      no("A VM reaches a host's network cards through the port groups of a switch only."),
	b.FeatureDistributedSwitches: full(),

	b.FeatureTemplateDeployment: full("From a template or VM by name, inventory path or id."),
	b.FeatureClone:              full("With firmware variables and TPM state of its own. " + simulatedContent),
	b.FeatureLinkedClone:        full("From a snapshot, which is taken where none is named. Disks keep the size of the source's. " + simulatedContent),
	b.FeatureFullClone:          full("Copied by vCenter. " + simulatedContent),
	b.FeatureVMReconfiguration:  full("Live where vSphere can, else with a restart that the plan announces."),

	b.FeatureSnapshotCreate:  full("Disks attached by volume are left out. " + simulatedContent),
	b.FeatureSnapshotDelete:  full("Proved on a simulator that is made to merge layers."),
	b.FeatureSnapshotRevert:  full(simulatedContent),
	b.FeatureSnapshotMemory:  full("Not of a VM that has disks attached by volume."),
	b.FeatureSnapshotQuiesce: full("By VMware Tools. " + simulatedGuest),
	b.FeatureSnapshotTree:    full(),

	b.FeatureOVAImport:       full("Through an NFC lease, as a template; an OVF's networks are mapped to the provider's."),
	b.FeatureImageDownload:   full("A cloud image is converted to a VMDK while it is streamed to the datastore."),
	b.FeatureContentLibrary:  full("Items by LIBRARY/ITEM."),
	b.FeatureImageConversion: full("To VMDK, in the stream, from qcow2, raw, vhd, vhdx and vdi."),
	b.FeatureImageCaching:    full("Content that is on the datastore already is not transferred again: under another name it is copied by vSphere."),

	b.FeatureCloudInit:          full("By guestinfo properties, which cloud-init's VMware datasource reads, or from a NoCloud ISO. " + simulatedGuest),
	b.FeatureGuestTools:         full("VMware Tools or open-vm-tools. " + simulatedGuest),
	b.FeatureGuestAgent:         full("VMware Tools or open-vm-tools. " + simulatedGuest),
	b.FeatureGuestCustomization: full("vCenter's own, of Linux and Windows guests that have VMware Tools. " + simulatedGuest),
	b.FeatureGuestMonitoring:    full("File systems, as far as VMware Tools tell. " + simulatedGuest),

	b.FeatureHighAvailability: no(later),
	b.FeatureDRS:              no(later),
	b.FeatureFaultTolerance:   no(later),
	b.FeatureMigration:        full("vMotion, with Storage vMotion where the disks' storage changes too."),
	b.FeatureResourcePools:    full("By name or path below the cluster or host."),
	b.FeatureAffinityRules:    no(later),

	b.FeatureMetrics:           no(later),
	b.FeatureEvents:            no(later),
	b.FeatureHealth:            no(later),
	b.FeatureAlerting:          no(later),
	b.FeatureHistoricalMetrics: no(later),
	b.FeatureConsoleGeneration: full("The same as console_url."),
	b.FeatureAgentIntegration:  full("Addresses, host name and operating system by VMware Tools. " + simulatedGuest),

	b.FeatureUEFI:           full(),
	b.FeatureSecureBoot:     full(),
	b.FeatureTPM:            full("Needs UEFI and a key provider in vCenter. Proved on a simulator that is made to refuse it without."),
	b.FeatureNestedVirt:     full("Hardware virtualization is shown to the guest; what runs in it was not available to the tests."),
	b.FeatureDiskHotplug:    full("On the scsi, sata and nvme buses."),
	b.FeatureNICHotplug:     full(),
	b.FeatureCDROM:          full("ISO files on datastores and in content libraries."),
	b.FeatureDiskVolume:     full("Virtual disk files, which a VM attaches as independent persistent disks: snapshots leave them out."),
	b.FeatureHostDevices:    full("PCI devices and vGPU profiles. All of the VM's memory must be reserved. Proved as configuration: the simulator has no such devices to use."),
	b.FeatureHostPlacement:  full(),
	b.FeatureFolders:        full("Of VMs and templates, by path."),
	b.FeatureDeferredChange: no("vSphere keeps no changes for the next start."),
	b.FeatureLibvirtOptions: no("These options exist on libvirt only."),
	b.FeatureImageFromVM:    full("Copied by vCenter. " + simulatedContent),
	b.FeatureDiskLimits:     full("Operations only."),
	b.FeatureNetworkLimits:  no("vSphere bounds interfaces by the traffic shaping or network I/O control of their port group. Choose a port group that has it."),
	b.FeatureConsoleOptions: no("A VM's console is reached through its host with a ticket; there is nothing to choose."),
	b.FeatureWatchdog:       no("Guests that hang are restarted by vSphere HA's VM monitoring, which is set on the cluster."),
	b.FeatureRNG:            no("vSphere has no such device; guests have the processor's."),
	b.FeatureVSphereOptions: full(),
	b.FeatureProxmoxOptions: no(proxmoxOnly),
	b.FeatureDiskSlot:       full("CONTROLLER:UNIT on the disk's bus; unit 7 of a SCSI controller is its own."),
	b.FeatureDiskSharing:    full("Multi-writer: volumes with provisioning eager_zeroed, which snapshots leave out."),
	b.FeaturePause:          no("vSphere suspends to the datastore only."),
}

// vsphereFrozen says what snapshots are in the way of.
func vsphereFrozen(c b.Change) string {
	switch c.Path.Generic() {
	case "disks.size_gib":
		return "vSphere does not grow disks that snapshots hold"
	case "disks":
		if disk, ok := c.From.(b.Disk); c.Action == b.Remove && ok && disk.Volume == nil {
			return "they can hold content of the disk"
		}
	}
	return ""
}
