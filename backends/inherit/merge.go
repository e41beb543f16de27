// Package inherit says what becomes of a VM whose specification leaves things unsaid: what a change
// leaves alone, and what a clone has of its source. It is pure, and the same for every driver.
package inherit

import (
	"maps"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Merge returns what a VM becomes: what to asks for, and of from what to leaves alone.
func Merge(from, to *backends.VMSpec) *backends.VMSpec {
	out := *to
	if out.Name == "" {
		out.Name = from.Name
	}
	out.Description = first(to.Description, from.Description)
	if to.Tags == nil {
		out.Tags = from.Tags
	}
	out.Settings = first(to.Settings, from.Settings)
	out.GuestOS = first(to.GuestOS, from.GuestOS)
	out.Firmware = first(to.Firmware, from.Firmware)
	out.SecureBoot = first(to.SecureBoot, from.SecureBoot)
	out.TPM = first(to.TPM, from.TPM)
	out.NestedVirtualization = first(to.NestedVirtualization, from.NestedVirtualization)
	out.Console = mergeConsole(from.Console, to.Console)
	out.Watchdog, out.RNG = first(to.Watchdog, from.Watchdog), first(to.RNG, from.RNG)
	out.CPU = mergeCPU(from.CPU, to.CPU)
	out.Memory = mergeMemory(from.Memory, to.Memory)
	// A maximum that nobody asks for follows the size.
	if to.CPU.MaxCores == nil && value(out.CPU.MaxCores) < value(out.CPU.Cores) {
		out.CPU.MaxCores = nil
	}
	if to.Memory.MaxMiB == nil && value(out.Memory.MaxMiB) < value(out.Memory.SizeMiB) {
		out.Memory.MaxMiB = nil
	}
	out.Disks = from.Disks
	if to.Disks != nil {
		out.Disks = maps.Clone(to.Disks)
		for key, disk := range out.Disks {
			if had, ok := from.Disks[key]; ok && backends.SameDisk(had, disk) {
				out.Disks[key] = mergeDisk(had, disk)
			}
		}
	}
	out.Networks = from.Networks
	if to.Networks != nil {
		out.Networks = maps.Clone(to.Networks)
		for key, nic := range out.Networks {
			if had, ok := from.Networks[key]; ok {
				out.Networks[key] = mergeNIC(had, nic)
			}
		}
	}
	out.CDROM = first(to.CDROM, from.CDROM)
	out.DNS = first(to.DNS, from.DNS)
	if to.HostDevices == nil {
		out.HostDevices = from.HostDevices
	}
	out.HighAvailability = mergeAvailability(from.HighAvailability, to.HighAvailability)
	out.FaultTolerance, out.DRSAutomation = first(to.FaultTolerance, from.FaultTolerance), first(to.DRSAutomation, from.DRSAutomation)
	out.Customization = first(to.Customization, from.Customization)
	out.CloudInit = mergeCloudInit(from.CloudInit, to.CloudInit)
	out.Placement = mergePlacement(from.Placement, to.Placement)
	out.Libvirt = mergeLibvirt(from.Libvirt, to.Libvirt)
	out.VSphere = mergeVSphere(from.VSphere, to.VSphere)
	out.Proxmox = mergeProxmox(from.Proxmox, to.Proxmox)
	return &out
}

func mergeCPU(from, to backends.CPU) backends.CPU {
	to.Cores, to.Sockets, to.Threads = first(to.Cores, from.Cores), first(to.Sockets, from.Sockets), first(to.Threads, from.Threads)
	to.MaxCores, to.Model = first(to.MaxCores, from.MaxCores), first(to.Model, from.Model)
	to.HotAdd, to.Affinity = first(to.HotAdd, from.HotAdd), first(to.Affinity, from.Affinity)
	to.Shares, to.LimitMHz = first(to.Shares, from.Shares), first(to.LimitMHz, from.LimitMHz)
	to.ReservationMHz = first(to.ReservationMHz, from.ReservationMHz)
	return to
}

func mergeMemory(from, to backends.Memory) backends.Memory {
	if all := value(from.ReservationMiB); to.ReservationMiB == nil && to.SizeMiB != nil && all > 0 && all >= value(from.SizeMiB) {
		to.ReservationMiB = to.SizeMiB // all of the memory, however much that is
	}
	to.SizeMiB, to.MaxMiB = first(to.SizeMiB, from.SizeMiB), first(to.MaxMiB, from.MaxMiB)
	to.HotAdd, to.Ballooning = first(to.HotAdd, from.HotAdd), first(to.Ballooning, from.Ballooning)
	to.ReservationMiB, to.LimitMiB = first(to.ReservationMiB, from.ReservationMiB), first(to.LimitMiB, from.LimitMiB)
	to.Shares = first(to.Shares, from.Shares)
	return to
}

func mergeDisk(from, to backends.Disk) backends.Disk {
	to.SizeGiB, to.Storage = first(to.SizeGiB, from.SizeGiB), first(to.Storage, from.Storage)
	to.Provisioning, to.Format = first(to.Provisioning, from.Provisioning), first(to.Format, from.Format)
	to.Bus, to.Cache, to.Discard = first(to.Bus, from.Bus), first(to.Cache, from.Cache), first(to.Discard, from.Discard)
	to.SSD, to.IOThread = first(to.SSD, from.SSD), first(to.IOThread, from.IOThread)
	to.IOPSLimit, to.ThroughputMiB = first(to.IOPSLimit, from.IOPSLimit), first(to.ThroughputMiB, from.ThroughputMiB)
	to.Policy, to.Slot, to.Shared = first(to.Policy, from.Policy), first(to.Slot, from.Slot), first(to.Shared, from.Shared)
	if to.Options == nil {
		to.Options = from.Options
	}
	to.KeepOnDestroy, to.Volume = first(to.KeepOnDestroy, from.KeepOnDestroy), first(to.Volume, from.Volume)
	return to
}

// mergeNIC takes the static addresses of to as they are: none is a value.
func mergeNIC(from, to backends.NIC) backends.NIC {
	to.Network, to.VLAN, to.Model = first(to.Network, from.Network), first(to.VLAN, from.VLAN), first(to.Model, from.Model)
	to.MAC, to.MTU, to.Connected = first(to.MAC, from.MAC), first(to.MTU, from.MTU), first(to.Connected, from.Connected)
	to.Order, to.BandwidthMbps = first(to.Order, from.Order), first(to.BandwidthMbps, from.BandwidthMbps)
	if to.Options == nil {
		to.Options = from.Options
	}
	return to
}

func mergeCloudInit(from, to *backends.CloudInit) *backends.CloudInit {
	if from == nil || to == nil {
		return first(to, from)
	}
	out := *to
	out.Hostname, out.InstanceID = first(to.Hostname, from.Hostname), first(to.InstanceID, from.InstanceID)
	out.VendorData, out.MetaData = first(to.VendorData, from.VendorData), first(to.MetaData, from.MetaData)
	out.NetworkConfig, out.Datasource = first(to.NetworkConfig, from.NetworkConfig), first(to.Datasource, from.Datasource)
	if to.UserDataVersion == nil {
		out.UserData = first(to.UserData, from.UserData)
		if to.UserData == nil {
			out.UserDataVersion = from.UserDataVersion
		}
	}
	if to.Users == nil {
		out.Users = from.Users
	}
	if to.SSHKeys == nil {
		out.SSHKeys = from.SSHKeys
	}
	return &out
}

func mergeLibvirt(from, to *backends.LibvirtOptions) *backends.LibvirtOptions {
	if from == nil || to == nil {
		return first(to, from)
	}
	return &backends.LibvirtOptions{
		Machine: first(to.Machine, from.Machine), DomainType: first(to.DomainType, from.DomainType),
		Loader: first(to.Loader, from.Loader), Autostart: first(to.Autostart, from.Autostart),
	}
}

func mergeVSphere(from, to *backends.VSphereOptions) *backends.VSphereOptions {
	if from == nil || to == nil {
		return first(to, from)
	}
	out := *to
	out.HardwareVersion, out.SCSIType = first(to.HardwareVersion, from.HardwareVersion), first(to.SCSIType, from.SCSIType)
	out.BootDelayMs, out.LatencySensitivity = first(to.BootDelayMs, from.BootDelayMs), first(to.LatencySensitivity, from.LatencySensitivity)
	if to.ExtraConfig == nil {
		out.ExtraConfig = from.ExtraConfig
	}
	if to.CustomAttributes == nil {
		out.CustomAttributes = from.CustomAttributes
	}
	if to.BootOrder == nil {
		out.BootOrder = from.BootOrder
	}
	return &out
}

func mergeProxmox(from, to *backends.ProxmoxOptions) *backends.ProxmoxOptions {
	if from == nil || to == nil {
		return first(to, from)
	}
	out := *to
	out.VMID, out.Machine = first(to.VMID, from.VMID), first(to.Machine, from.Machine)
	out.SCSIController, out.Autostart = first(to.SCSIController, from.SCSIController), first(to.Autostart, from.Autostart)
	if to.BootOrder == nil {
		out.BootOrder = from.BootOrder
	}
	if to.Snippets == nil {
		out.Snippets = from.Snippets
	}
	if to.Options == nil {
		out.Options = from.Options
	}
	return &out
}

func mergePlacement(from, to backends.PlacementSpec) backends.PlacementSpec {
	return backends.PlacementSpec{
		Host: first(to.Host, from.Host), Cluster: first(to.Cluster, from.Cluster), ResourcePool: first(to.ResourcePool, from.ResourcePool),
		Folder: first(to.Folder, from.Folder), Storage: first(to.Storage, from.Storage), Pool: first(to.Pool, from.Pool),
	}
}

func mergeAvailability(from, to *backends.HighAvailability) *backends.HighAvailability {
	if from == nil || to == nil {
		return first(to, from)
	}
	return &backends.HighAvailability{
		Enabled: first(to.Enabled, from.Enabled), Group: first(to.Group, from.Group),
		Priority: first(to.Priority, from.Priority), MaxRestart: first(to.MaxRestart, from.MaxRestart),
	}
}

// mergeConsole is what a console becomes. Another type of console has nothing of the old one but its
// password.
func mergeConsole(from, to *backends.ConsoleSpec) *backends.ConsoleSpec {
	if from == nil || to == nil {
		return first(to, from)
	}
	out := *to
	out.Type, out.PasswordVersion = first(to.Type, from.Type), first(to.PasswordVersion, from.PasswordVersion)
	if to.Type == nil || value(from.Type) == *to.Type {
		out.Address, out.Port, out.TLS = first(to.Address, from.Address), first(to.Port, from.Port), first(to.TLS, from.TLS)
	}
	return &out
}

func first[T any](all ...*T) *T {
	for _, p := range all {
		if p != nil {
			return p
		}
	}
	return nil
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
