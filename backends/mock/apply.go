package mock

import (
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// apply takes what one change names over from desired.
func (b *Backend) apply(m *machine, desired *backends.VMSpec, c backends.Change) error {
	s, d := &m.Spec, clone(*desired)
	switch path := c.Path.Generic(); {
	case path == "disks":
		return applyDisk(m, &d, c)
	case strings.HasPrefix(path, "disks."):
		return b.applyDiskOption(m, d.Disks[c.Key], c)
	case path == "host_devices":
		s.HostDevices = d.HostDevices
	case path == "networks":
		return applyNIC(s, &d, c)
	case strings.HasPrefix(path, "networks."):
		return applyNICOption(s, d.Networks[c.Key], c)
	case strings.HasPrefix(path, "cloud_init"):
		if d.CloudInit != nil {
			if s.CloudInit == nil {
				s.CloudInit = &backends.CloudInit{}
			}
			if d.CloudInit.UserData != nil && d.CloudInit.UserDataVersion == nil {
				s.CloudInit.UserDataVersion = nil // no longer write-only
			}
			*s.CloudInit = overlay(*s.CloudInit, *d.CloudInit)
		}
	case strings.HasPrefix(path, "high_availability"):
		s.HighAvailability = d.HighAvailability
	case strings.HasPrefix(path, "console."):
		return applyConsole(s, d.Console, c)
	case strings.HasPrefix(path, "libvirt."):
		if d.Libvirt != nil {
			if s.Libvirt == nil {
				s.Libvirt = &backends.LibvirtOptions{}
			}
			*s.Libvirt = overlay(*s.Libvirt, *d.Libvirt)
		}
	case strings.HasPrefix(path, "vsphere."):
		if d.VSphere != nil {
			if s.VSphere == nil {
				s.VSphere = &backends.VSphereOptions{}
			}
			*s.VSphere = overlay(*s.VSphere, *d.VSphere)
		}
	case strings.HasPrefix(path, "proxmox."):
		if d.Proxmox != nil {
			if s.Proxmox == nil {
				s.Proxmox = &backends.ProxmoxOptions{}
			}
			*s.Proxmox = overlay(*s.Proxmox, *d.Proxmox)
		}
	case strings.HasPrefix(path, "cpu."):
		return applyCPU(&s.CPU, d.CPU, c)
	case strings.HasPrefix(path, "memory."):
		return applyMemory(&s.Memory, d.Memory, c)
	case strings.HasPrefix(path, "placement."):
		return applyPlacement(&s.Placement, d.Placement, c)
	default:
		return applyGeneral(s, &d, c)
	}
	return nil
}

func unknown(c backends.Change) error {
	return refusal(backends.Internal, c.Path, "the mock does not know how to %s", c)
}

func applyGeneral(s, d *backends.VMSpec, c backends.Change) error {
	switch c.Path {
	case "name":
		s.Name = d.Name
	case "description":
		s.Description = d.Description
	case "tags":
		s.Tags = d.Tags
	case "settings":
		s.Settings = d.Settings
	case "guest_os":
		s.GuestOS = d.GuestOS
	case "firmware":
		s.Firmware = d.Firmware
	case "secure_boot":
		s.SecureBoot = d.SecureBoot
	case "tpm":
		s.TPM = d.TPM
	case "nested_virtualization":
		s.NestedVirtualization = d.NestedVirtualization
	case "cdrom.iso":
		s.CDROM = d.CDROM
	case "dns":
		s.DNS = d.DNS
	case "customization", "customization.windows":
		s.Customization = d.Customization
	case "watchdog":
		s.Watchdog = d.Watchdog
	case "rng":
		s.RNG = d.RNG
	case "fault_tolerance":
		s.FaultTolerance = d.FaultTolerance
	case "drs.automation":
		s.DRSAutomation = d.DRSAutomation
	default:
		return unknown(c)
	}
	return nil
}

func applyCPU(s *backends.CPU, d backends.CPU, c backends.Change) error {
	switch c.Path {
	case "cpu.cores":
		s.Cores = d.Cores
	case "cpu.sockets":
		s.Sockets = d.Sockets
	case "cpu.threads":
		s.Threads = d.Threads
	case "cpu.max_cores":
		s.MaxCores = d.MaxCores
	case "cpu.model":
		s.Model = d.Model
	case "cpu.hot_add":
		s.HotAdd = d.HotAdd
	case "cpu.reservation_mhz":
		s.ReservationMHz = d.ReservationMHz
	case "cpu.limit_mhz":
		s.LimitMHz = d.LimitMHz
	case "cpu.shares":
		s.Shares = d.Shares
	case "cpu.affinity":
		s.Affinity = d.Affinity
	default:
		return unknown(c)
	}
	return nil
}

func applyMemory(s *backends.Memory, d backends.Memory, c backends.Change) error {
	switch c.Path {
	case "memory.size_mib":
		s.SizeMiB = d.SizeMiB
	case "memory.max_mib":
		s.MaxMiB = d.MaxMiB
	case "memory.hot_add":
		s.HotAdd = d.HotAdd
	case "memory.reservation_mib":
		s.ReservationMiB = d.ReservationMiB
	case "memory.limit_mib":
		s.LimitMiB = d.LimitMiB
	case "memory.shares":
		s.Shares = d.Shares
	case "memory.ballooning":
		s.Ballooning = d.Ballooning
	default:
		return unknown(c)
	}
	return nil
}

func applyPlacement(s *backends.PlacementSpec, d backends.PlacementSpec, c backends.Change) error {
	switch c.Path {
	case "placement.host":
		s.Host = d.Host
	case "placement.cluster":
		s.Cluster = d.Cluster
	case "placement.resource_pool":
		s.ResourcePool = d.ResourcePool
	case "placement.folder":
		s.Folder = d.Folder
	case "placement.storage":
		s.Storage = d.Storage
	case "placement.pool":
		s.Pool = d.Pool
	default:
		return unknown(c)
	}
	return nil
}

// applyDisk adds or removes a whole disk. What is there already is left alone.
func applyDisk(m *machine, d *backends.VMSpec, c backends.Change) error {
	if c.Action == backends.Remove {
		delete(m.Spec.Disks, c.Key)
		delete(m.Disks, c.Key)
		return nil
	}
	want, ok := d.Disks[c.Key]
	if !ok {
		return refusal(backends.Internal, c.Path, "the desired VM has no disk %q to add", c.Key)
	}
	if _, there := m.Spec.Disks[c.Key]; !there {
		m.Spec.Disks[c.Key] = want
	}
	return nil
}

func (b *Backend) applyDiskOption(m *machine, want backends.Disk, c backends.Change) error {
	s, ok := m.Spec.Disks[c.Key]
	if !ok {
		return refusal(backends.NotFound, c.Path, "the VM has no disk %q", c.Key)
	}
	steps := c.Path.Steps()
	switch steps[len(steps)-1].Name {
	case "size_gib":
		d := m.Disks[c.Key]
		if want.SizeGiB == nil || *want.SizeGiB < value(s.SizeGiB) {
			return refusal(backends.Invalid, c.Path, "a disk cannot shrink (it has %d GiB)", value(s.SizeGiB))
		}
		if err := b.keepsSize(d, backends.Path("disks").Key(c.Key), *want.SizeGiB); err != nil {
			return err
		}
		s.SizeGiB = want.SizeGiB
		if m.Disks != nil {
			d.Bytes = max(d.Bytes, *want.SizeGiB*gib)
			m.Disks[c.Key] = d
		}
	case "storage":
		s.Storage = want.Storage
	case "provisioning":
		s.Provisioning = want.Provisioning
	case "format":
		s.Format = want.Format
	case "policy":
		s.Policy = want.Policy
	case "bus":
		s.Bus = want.Bus
		if d, ok := m.Disks[c.Key]; ok { // another bus has other slots
			d.Device = ""
			m.Disks[c.Key] = d
			if d.Device, ok = freeSlot(m, value(want.Bus)); !ok {
				return refusal(backends.Invalid, c.Path, "the %s bus has no free slot", value(want.Bus))
			}
			m.Disks[c.Key] = d
		}
	case "cache":
		s.Cache = want.Cache
	case "discard":
		s.Discard = want.Discard
	case "ssd":
		s.SSD = want.SSD
	case "iothread":
		s.IOThread = want.IOThread
	case "iops_limit":
		s.IOPSLimit = want.IOPSLimit
	case "throughput_mib":
		s.ThroughputMiB = want.ThroughputMiB
	case "keep_on_destroy":
		s.KeepOnDestroy = want.KeepOnDestroy
	case "slot":
		s.Slot = want.Slot
	case "shared":
		s.Shared = want.Shared
	case "options":
		s.Options = want.Options
	default:
		return unknown(c)
	}
	m.Spec.Disks[c.Key] = s
	return nil
}

// applyNIC adds or removes a whole NIC. What is there already is left alone.
func applyNIC(s, d *backends.VMSpec, c backends.Change) error {
	if c.Action == backends.Remove {
		delete(s.Networks, c.Key)
		return nil
	}
	want, ok := d.Networks[c.Key]
	if !ok {
		return refusal(backends.Internal, c.Path, "the desired VM has no network %q to add", c.Key)
	}
	if _, there := s.Networks[c.Key]; !there {
		s.Networks[c.Key] = want
	}
	return nil
}

func applyNICOption(s *backends.VMSpec, want backends.NIC, c backends.Change) error {
	n, ok := s.Networks[c.Key]
	if !ok {
		return refusal(backends.NotFound, c.Path, "the VM has no network %q", c.Key)
	}
	steps := c.Path.Steps()
	switch steps[len(steps)-1].Name {
	case "network":
		n.Network = want.Network
	case "vlan":
		n.VLAN = want.VLAN
	case "model":
		n.Model = want.Model
	case "mac":
		n.MAC = want.MAC
	case "mtu":
		n.MTU = want.MTU
	case "connected":
		n.Connected = want.Connected
	case "order":
		n.Order = want.Order
	case "bandwidth_mbps":
		n.BandwidthMbps = want.BandwidthMbps
	case "ipv4":
		n.IPv4 = want.IPv4
	case "ipv6":
		n.IPv6 = want.IPv6
	case "options":
		n.Options = want.Options
	default:
		return unknown(c)
	}
	s.Networks[c.Key] = n
	return nil
}
