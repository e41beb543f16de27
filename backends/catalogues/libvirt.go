package catalogues

import (
	"fmt"

	b "github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

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
			"watchdog":              {"reset", "poweroff", "pause", "none", ""},
			"console.type":          {"vnc", "spice", "serial", "none"},
		},
		Lacks:  libvirtLacks,
		Frozen: libvirtFrozen,
		Impact: libvirtImpact,
	}
}

// libvirtLacks are the attributes of claimed features that libvirt cannot have.
var libvirtLacks = map[string]string{
	"cpu.reservation_mhz":   "The kernel's control groups weigh and limit processor time, and guarantee none. Use cpu.shares, or cpu.affinity on processors that nobody else uses.",
	"customization.windows": "libvirt hands guests a seed for cloud-init, which sysprep does not read. Give the image an answer file, or cloudbase-init and cloud_init.user_data.",
	"memory.shares":         "The kernel's control groups do not weigh memory. Use memory.reservation_mib for VMs that must keep theirs.",
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
	b.FeatureConsoleURL:  full("vnc://, spice://, or libvirt's own URI for a serial console. One that listens on the host's loopback address is told only where the provider runs on that host."),

	b.FeatureCPU:          full(),
	b.FeatureMemory:       full(),
	b.FeatureHotCPUAdd:    full("Up to cpu.max_cores; the guest's kernel must have room for hot-plugged processors. Removal needs a restart."),
	b.FeatureHotMemoryAdd: full("Up to memory.max_mib: by DIMMs of 128 MiB with memory.hot_add, else through the balloon device."),
	b.FeatureReservations: partial("Memory: all of a VM's or none, taken from the host when the VM starts. Processor time by cpu.shares, a weight."),
	b.FeatureLimits:       full("cpu.limit_mhz is a share of the host's processor clock; to memory.limit_mib is added what QEMU needs for itself."),

	b.FeatureDiskCreate:       full(),
	b.FeatureDiskResize:       full(),
	b.FeatureMultipleDisks:    full(),
	b.FeatureThinProvisioning: full(),
	b.FeatureThickDisks:       full("Preallocated."),
	b.FeatureStoragePolicies:  no("libvirt has no storage policies; choose a pool."),
	b.FeatureStoragePools:     partial("Proved on directory pools only; logical, zfs, rbd and iscsi pools use the same calls and were not available to the tests."),

	b.FeatureNetwork:             full(),
	b.FeatureMultipleNICs:        full(),
	b.FeatureVLAN:                full("On Open vSwitch bridges and libvirt networks of that type; a plain Linux bridge cannot tag, and libvirt refuses it there."),
	b.FeatureStaticIP:            full("By cloud-init."),
	b.FeatureDHCP:                full(),
	b.FeatureBridgeNetworks:      full(`As network = "bridge:NAME", "direct:DEVICE" (macvtap) or "ovs:BRIDGE".`),
	b.FeatureDistributedSwitches: no("libvirt has no distributed switches; connect hosts with Open vSwitch."),

	b.FeatureTemplateDeployment: full(),
	b.FeatureClone:              full("With firmware variables and TPM state of its own, which begin afresh."),
	b.FeatureLinkedClone:        full("Layers over the source's volumes, which have to be files or devices on the host."),
	b.FeatureFullClone:          full("Copied on the host."),
	b.FeatureVMReconfiguration:  full("Live where QEMU can, else with a restart that the plan announces."),

	b.FeatureSnapshotCreate:  full("External: disks go on in qcow2 layers, so UEFI guests and raw disks have them too. Disks attached by volume are left out."),
	b.FeatureSnapshotDelete:  full("Layers that nobody needs any more are merged, below a running guest too."),
	b.FeatureSnapshotRevert:  full("With every libvirt version. Firmware variables and TPM state come back with the memory only."),
	b.FeatureSnapshotMemory:  full("Not of a VM that has disks attached by volume."),
	b.FeatureSnapshotQuiesce: full("By the guest agent."),
	b.FeatureSnapshotTree:    full(),

	b.FeatureOVAImport:       full("As a template; buses and network cards that QEMU lacks become virtio (sata and e1000e for Windows), and networks the provider's default."),
	b.FeatureImageDownload:   full("Streamed through the provider into the pool."),
	b.FeatureContentLibrary:  no("libvirt has no content libraries; a storage pool of images serves."),
	b.FeatureImageConversion: full("To qcow2 or raw: from qcow2, vmdk and vdi by qemu-img on the host, from vhd and vhdx while the image is streamed."),
	b.FeatureImageCaching:    full("Content that is in the pool already is not transferred again: under another name it is copied on the host."),

	b.FeatureCloudInit:          full("NoCloud, from a seed volume."),
	b.FeatureGuestTools:         full("The QEMU guest agent."),
	b.FeatureGuestAgent:         full(),
	b.FeatureGuestCustomization: full("Host name, domain and time zone of guests with cloud-init, by the seed; customization.windows is refused."),
	b.FeatureGuestMonitoring:    full("Users, file systems, clock and time zone, as far as the guest's agent tells."),

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
	b.FeatureConsoleGeneration: full("The same as console_url."),
	b.FeatureAgentIntegration:  full("Addresses by agent or DHCP lease, else from the host's ARP table (not proved: the libvirt of the tests cannot read it); operating system by agent."),

	b.FeatureUEFI:           full("With firmware variables of its own for each VM."),
	b.FeatureSecureBoot:     full("Needs the q35 machine type and firmware with enrolled keys on the host."),
	b.FeatureTPM:            full("Emulated by swtpm on the host."),
	b.FeatureNestedVirt:     full("On KVM where the host's module allows it (nested=1)."),
	b.FeatureDiskHotplug:    full("On the virtio and scsi buses."),
	b.FeatureNICHotplug:     full(),
	b.FeatureCDROM:          full(),
	b.FeatureDiskVolume:     full(),
	b.FeatureHostDevices:    no(later),
	b.FeatureHostPlacement:  no("libvirt manages one host: the one of the connection's URI."),
	b.FeatureFolders:        no("libvirt has no folders; use tags."),
	b.FeatureDeferredChange: full("Kept in the domain's persistent definition."),
	b.FeatureLibvirtOptions: full(),
	b.FeatureImageFromVM:    full("Copied on the host, of a running VM too."),
	b.FeatureDiskLimits:     full(),
	b.FeatureNetworkLimits:  partial("Each direction is bounded by the host's kernel, on Open vSwitch by the switch. Proved on Open vSwitch and as configuration: the kernel of the tests has no queueing disciplines."),
	b.FeatureConsoleOptions: full("vnc, spice where QEMU has it, serial or none. TLS with spice only: for vnc it is a setting of the whole host."),
	b.FeatureWatchdog:       full("The i6300esb card."),
	b.FeatureRNG:            full("On unless it is set to false."),
	b.FeaturePause:          full(),
	b.FeatureVSphereOptions: no("These options exist on vSphere only."),
	b.FeatureProxmoxOptions: no(proxmoxOnly),
	b.FeatureDiskSlot:       no(later),
	b.FeatureDiskSharing:    no(later),
}

// libvirtFrozen says what snapshots are in the way of. All else a revert undoes.
func libvirtFrozen(c b.Change) string {
	switch c.Path.Generic() {
	case "name":
		return "libvirt does not rename a VM that has snapshots"
	case "disks":
		if disk, ok := c.From.(b.Disk); c.Action == b.Remove && ok && disk.Volume == nil {
			return "they can hold content of the disk"
		}
	}
	return ""
}

// libvirtImpact departs from the portable rules where QEMU can do more or less.
func libvirtImpact(from, to *b.VMSpec, c b.Change) b.Impact {
	switch c.Path.Generic() {
	case "name":
		return b.Impact{Effect: b.EffectRestart, Reason: "libvirt renames a domain only while it does not run"}
	case "memory.size_mib":
		return libvirtMemory(from, to, c)
	case "memory.reservation_mib":
		if from.Memory.ReservationMiB != nil && c.To != nil && (*from.Memory.ReservationMiB > 0) == (c.To != int64(0)) {
			return b.Impact{} // all of the memory, before and after
		}
		return b.Impact{Effect: b.EffectRestart, Reason: "QEMU takes all of a VM's memory from the host when it starts, or never"}
	case "console.type", "console.address", "console.port", "console.tls":
		return b.Impact{Effect: b.EffectRestart, Reason: "QEMU opens its console when it starts"}
	case "console.password_wo_version":
		if c.From == nil {
			return b.Impact{Effect: b.EffectRestart, Reason: "QEMU opened its console without a password"}
		}
	case "networks.vlan":
		return b.Impact{Effect: b.EffectRestart, Reason: "the interface must be plugged anew for another VLAN"}
	}
	return b.DefaultImpact(from, to, c)
}

// DIMMMiB is the unit in which guests on x86 take plugged memory into use.
const DIMMMiB = 128

// libvirtMemory: with memory.hot_add memory grows by DIMMs; without, the balloon gives and takes memory
// below the maximum.
func libvirtMemory(from, to *b.VMSpec, c b.Change) b.Impact {
	want, ok := c.To.(int64)
	most := from.Memory.MaxMiB
	if !ok || most == nil || want > *most {
		return b.DefaultImpact(from, to, c)
	}
	if from.Memory.HotAdd == nil || !*from.Memory.HotAdd {
		if from.Memory.Ballooning != nil && !*from.Memory.Ballooning {
			return b.Impact{Effect: b.EffectRestart, Reason: "the VM has neither a balloon device (memory.ballooning) nor slots for DIMMs (memory.hot_add)"}
		}
		return b.Impact{}
	}
	have := int64(0)
	if from.Memory.SizeMiB != nil {
		have = *from.Memory.SizeMiB
	}
	switch more := want - have; {
	case more < 0:
		return b.Impact{Effect: b.EffectRestart, Reason: "DIMMs are pulled out of a stopped VM only"}
	case more%DIMMMiB != 0:
		return b.Impact{
			Effect: b.EffectRestart,
			Reason: fmt.Sprintf("a running guest takes memory in DIMMs of %d MiB, and %d MiB more are no whole number of them", DIMMMiB, more),
		}
	}
	return b.Impact{}
}
