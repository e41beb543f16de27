package backends

// Feature is one capability of a hypervisor. The first 63 are the rows of the
// capability matrix, the others are what this product adds.
type Feature string

// Core operations.
const (
	FeatureVMCreate    Feature = "vm_create"
	FeatureVMDelete    Feature = "vm_delete"
	FeaturePower       Feature = "power"
	FeatureReboot      Feature = "reboot"
	FeatureSuspend     Feature = "suspend"
	FeatureDescribe    Feature = "describe"
	FeatureReconfigure Feature = "reconfigure"
	FeatureTaskStatus  Feature = "task_status"
	FeatureConsoleURL  Feature = "console_url"
)

// Resource management.
const (
	FeatureCPU          Feature = "cpu"
	FeatureMemory       Feature = "memory"
	FeatureHotCPUAdd    Feature = "hot_cpu_add"
	FeatureHotMemoryAdd Feature = "hot_memory_add"
	FeatureReservations Feature = "resource_reservations"
	FeatureLimits       Feature = "resource_limits"
)

// Storage operations.
const (
	FeatureDiskCreate       Feature = "disk_create"
	FeatureDiskResize       Feature = "disk_resize"
	FeatureMultipleDisks    Feature = "multiple_disks"
	FeatureThinProvisioning Feature = "thin_provisioning"
	FeatureThickDisks       Feature = "thick_provisioning"
	FeatureStoragePolicies  Feature = "storage_policies"
	FeatureStoragePools     Feature = "storage_pools"
)

// Network configuration.
const (
	FeatureNetwork             Feature = "network"
	FeatureMultipleNICs        Feature = "multiple_nics"
	FeatureVLAN                Feature = "vlan"
	FeatureStaticIP            Feature = "static_ip"
	FeatureDHCP                Feature = "dhcp"
	FeatureBridgeNetworks      Feature = "bridge_networks"
	FeatureDistributedSwitches Feature = "distributed_switches"
)

// VM lifecycle.
const (
	FeatureTemplateDeployment Feature = "template_deployment"
	FeatureClone              Feature = "clone"
	FeatureLinkedClone        Feature = "clone_linked"
	FeatureFullClone          Feature = "clone_full"
	FeatureVMReconfiguration  Feature = "vm_reconfiguration"
)

// Snapshot operations.
const (
	FeatureSnapshotCreate  Feature = "snapshot_create"
	FeatureSnapshotDelete  Feature = "snapshot_delete"
	FeatureSnapshotRevert  Feature = "snapshot_revert"
	FeatureSnapshotMemory  Feature = "snapshot_memory"
	FeatureSnapshotQuiesce Feature = "snapshot_quiesce"
	FeatureSnapshotTree    Feature = "snapshot_tree"
)

// Image management.
const (
	FeatureOVAImport       Feature = "ova_import"
	FeatureImageDownload   Feature = "image_download"
	FeatureContentLibrary  Feature = "content_library"
	FeatureImageConversion Feature = "image_conversion"
	FeatureImageCaching    Feature = "image_caching"
)

// Guest operating system.
const (
	FeatureCloudInit          Feature = "cloud_init"
	FeatureGuestTools         Feature = "guest_tools"
	FeatureGuestAgent         Feature = "guest_agent"
	FeatureGuestCustomization Feature = "guest_customization"
	FeatureGuestMonitoring    Feature = "guest_monitoring"
)

// Advanced features.
const (
	FeatureHighAvailability Feature = "high_availability"
	FeatureDRS              Feature = "drs"
	FeatureFaultTolerance   Feature = "fault_tolerance"
	FeatureMigration        Feature = "migration"
	FeatureResourcePools    Feature = "resource_pools"
	FeatureAffinityRules    Feature = "affinity_rules"
)

// Monitoring and observability.
const (
	FeatureMetrics           Feature = "metrics"
	FeatureEvents            Feature = "events"
	FeatureHealth            Feature = "health"
	FeatureAlerting          Feature = "alerting"
	FeatureHistoricalMetrics Feature = "historical_metrics"
	FeatureConsoleGeneration Feature = "console_generation"
	FeatureAgentIntegration  Feature = "guest_agent_integration"
)

// Beyond the matrix.
const (
	FeatureUEFI           Feature = "uefi"
	FeatureSecureBoot     Feature = "secure_boot"
	FeatureTPM            Feature = "tpm"
	FeatureNestedVirt     Feature = "nested_virtualization"
	FeatureDiskHotplug    Feature = "disk_hotplug"
	FeatureNICHotplug     Feature = "nic_hotplug"
	FeatureCDROM          Feature = "cdrom"
	FeatureDiskVolume     Feature = "disk_volume"
	FeatureHostDevices    Feature = "host_devices"
	FeatureHostPlacement  Feature = "host_placement"
	FeatureFolders        Feature = "folders"
	FeatureDeferredChange Feature = "deferred_changes"
	FeatureLibvirtOptions Feature = "libvirt_options"
	FeatureImageFromVM    Feature = "image_from_vm"
	FeatureDiskLimits     Feature = "disk_limits"
	FeatureNetworkLimits  Feature = "network_limits"
	FeatureConsoleOptions Feature = "console_options"
	FeatureWatchdog       Feature = "watchdog"
	FeatureRNG            Feature = "rng"
	FeatureVSphereOptions Feature = "vsphere_options"
	FeatureDiskSlot       Feature = "disk_slot"
	FeatureDiskSharing    Feature = "disk_sharing"
	FeaturePause          Feature = "pause"
	FeatureProxmoxOptions Feature = "proxmox_options"
)

// FeatureInfo says what a feature is called.
type FeatureInfo struct {
	ID    Feature
	Group string // as in the matrix
	Name  string // as in the matrix
}

// BeyondMatrix is the group of the features that the matrix does not list.
const BeyondMatrix = "Beyond the Matrix"

// Features returns every feature: the rows of the matrix in its order, then ours.
func Features() []FeatureInfo { return append([]FeatureInfo(nil), features...) }

// Describe returns the group and name of a feature; ok is false for an unknown id.
func (f Feature) Describe() (info FeatureInfo, ok bool) {
	for _, i := range features {
		if i.ID == f {
			return i, true
		}
	}
	return FeatureInfo{ID: f}, false
}

var features = []FeatureInfo{
	{FeatureVMCreate, "Core Operations", "VM Create"},
	{FeatureVMDelete, "Core Operations", "VM Delete"},
	{FeaturePower, "Core Operations", "Power On/Off"},
	{FeatureReboot, "Core Operations", "Reboot"},
	{FeatureSuspend, "Core Operations", "Suspend"},
	{FeatureDescribe, "Core Operations", "Describe"},
	{FeatureReconfigure, "Core Operations", "Reconfigure"},
	{FeatureTaskStatus, "Core Operations", "TaskStatus"},
	{FeatureConsoleURL, "Core Operations", "ConsoleURL"},
	{FeatureCPU, "Resource Management", "CPU Configuration"},
	{FeatureMemory, "Resource Management", "Memory Allocation"},
	{FeatureHotCPUAdd, "Resource Management", "Hot CPU Add"},
	{FeatureHotMemoryAdd, "Resource Management", "Hot Memory Add"},
	{FeatureReservations, "Resource Management", "Resource Reservations"},
	{FeatureLimits, "Resource Management", "Resource Limits"},
	{FeatureDiskCreate, "Storage Operations", "Disk Creation"},
	{FeatureDiskResize, "Storage Operations", "Disk Expansion"},
	{FeatureMultipleDisks, "Storage Operations", "Multiple Disks"},
	{FeatureThinProvisioning, "Storage Operations", "Thin Provisioning"},
	{FeatureThickDisks, "Storage Operations", "Thick Provisioning"},
	{FeatureStoragePolicies, "Storage Operations", "Storage Policies"},
	{FeatureStoragePools, "Storage Operations", "Storage Pools"},
	{FeatureNetwork, "Network Configuration", "Basic Networking"},
	{FeatureMultipleNICs, "Network Configuration", "Multiple NICs"},
	{FeatureVLAN, "Network Configuration", "VLAN Support"},
	{FeatureStaticIP, "Network Configuration", "Static IP"},
	{FeatureDHCP, "Network Configuration", "DHCP"},
	{FeatureBridgeNetworks, "Network Configuration", "Bridge Networks"},
	{FeatureDistributedSwitches, "Network Configuration", "Distributed Switches"},
	{FeatureTemplateDeployment, "VM Lifecycle", "Template Deployment"},
	{FeatureClone, "VM Lifecycle", "Clone Operations"},
	{FeatureLinkedClone, "VM Lifecycle", "Linked Clones"},
	{FeatureFullClone, "VM Lifecycle", "Full Clones"},
	{FeatureVMReconfiguration, "VM Lifecycle", "VM Reconfiguration"},
	{FeatureSnapshotCreate, "Snapshot Operations", "Create Snapshots"},
	{FeatureSnapshotDelete, "Snapshot Operations", "Delete Snapshots"},
	{FeatureSnapshotRevert, "Snapshot Operations", "Revert Snapshots"},
	{FeatureSnapshotMemory, "Snapshot Operations", "Memory Snapshots"},
	{FeatureSnapshotQuiesce, "Snapshot Operations", "Quiesced Snapshots"},
	{FeatureSnapshotTree, "Snapshot Operations", "Snapshot Trees"},
	{FeatureOVAImport, "Image Management", "OVA/OVF Import"},
	{FeatureImageDownload, "Image Management", "Cloud Image Download"},
	{FeatureContentLibrary, "Image Management", "Content Libraries"},
	{FeatureImageConversion, "Image Management", "Image Conversion"},
	{FeatureImageCaching, "Image Management", "Image Caching"},
	{FeatureCloudInit, "Guest Operating System", "Cloud-Init"},
	{FeatureGuestTools, "Guest Operating System", "Guest Tools"},
	{FeatureGuestAgent, "Guest Operating System", "Guest Agent"},
	{FeatureGuestCustomization, "Guest Operating System", "Guest Customization"},
	{FeatureGuestMonitoring, "Guest Operating System", "Guest Monitoring"},
	{FeatureHighAvailability, "Advanced Features", "High Availability"},
	{FeatureDRS, "Advanced Features", "DRS/Load Balancing"},
	{FeatureFaultTolerance, "Advanced Features", "Fault Tolerance"},
	{FeatureMigration, "Advanced Features", "vMotion/Migration"},
	{FeatureResourcePools, "Advanced Features", "Resource Pools"},
	{FeatureAffinityRules, "Advanced Features", "Affinity Rules"},
	{FeatureMetrics, "Monitoring & Observability", "Performance Metrics"},
	{FeatureEvents, "Monitoring & Observability", "Event Logging"},
	{FeatureHealth, "Monitoring & Observability", "Health Checks"},
	{FeatureAlerting, "Monitoring & Observability", "Alerting"},
	{FeatureHistoricalMetrics, "Monitoring & Observability", "Historical Data"},
	{FeatureConsoleGeneration, "Monitoring & Observability", "Console URL Generation"},
	{FeatureAgentIntegration, "Monitoring & Observability", "Guest Agent Integration"},

	{FeatureUEFI, BeyondMatrix, "UEFI Firmware"},
	{FeatureSecureBoot, BeyondMatrix, "Secure Boot"},
	{FeatureTPM, BeyondMatrix, "TPM 2.0"},
	{FeatureNestedVirt, BeyondMatrix, "Nested Virtualization"},
	{FeatureDiskHotplug, BeyondMatrix, "Hot Disk Add/Remove"},
	{FeatureNICHotplug, BeyondMatrix, "Hot NIC Add/Remove"},
	{FeatureCDROM, BeyondMatrix, "CD-ROM"},
	{FeatureDiskVolume, BeyondMatrix, "Independent Disks"},
	{FeatureHostDevices, BeyondMatrix, "Host Devices"},
	{FeatureHostPlacement, BeyondMatrix, "Host Placement"},
	{FeatureFolders, BeyondMatrix, "Folders"},
	{FeatureDeferredChange, BeyondMatrix, "Deferred Changes"},
	{FeatureLibvirtOptions, BeyondMatrix, "libvirt Options"},
	{FeatureImageFromVM, BeyondMatrix, "Images and Templates from VMs"},
	{FeatureDiskLimits, BeyondMatrix, "Disk Limits"},
	{FeatureNetworkLimits, BeyondMatrix, "Network Limits"},
	{FeatureConsoleOptions, BeyondMatrix, "Console Options"},
	{FeatureWatchdog, BeyondMatrix, "Watchdog"},
	{FeatureRNG, BeyondMatrix, "Random Number Generator"},
	{FeatureVSphereOptions, BeyondMatrix, "vSphere Options"},
	{FeatureDiskSlot, BeyondMatrix, "Disk Slots"},
	{FeatureDiskSharing, BeyondMatrix, "Shared Disks"},
	{FeaturePause, BeyondMatrix, "Pause"},
	{FeatureProxmoxOptions, BeyondMatrix, "Proxmox VE Options"},
}
