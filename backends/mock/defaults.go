package mock

import (
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// vmDefaults is what a VM has where nobody said otherwise.
func (b *Backend) vmDefaults(want *backends.VMSpec) backends.VMSpec {
	return backends.VMSpec{
		Description:          new(""),
		Tags:                 []string{},
		GuestOS:              new("linux"),
		Firmware:             new("bios"),
		SecureBoot:           new(false),
		TPM:                  new(false),
		NestedVirtualization: new(false),
		CPU: backends.CPU{
			Cores: new(int64(1)), Sockets: new(int64(1)), Threads: new(int64(1)),
			Model: had(b, "cpu.model", "host-model"), HotAdd: new(b.plugs(want.CPU.MaxCores, want.CPU.Cores, 1)),
		},
		Memory: backends.Memory{
			SizeMiB: new(int64(512)), HotAdd: new(b.plugs(want.Memory.MaxMiB, want.Memory.SizeMiB, 512)),
			Ballooning: had(b, "memory.ballooning", true),
		},
		Disks:    map[string]backends.Disk{},
		Networks: map[string]backends.NIC{},
		CDROM:    &backends.CDROM{},
	}
}

// plugs reports whether a maximum above the size switches hot add on, which
// vSphere wants to know in advance, and Proxmox VE of memory.
func (b *Backend) plugs(most, size *int64, otherwise int64) bool {
	return (b.catalogue.Backend == backends.VSphere || b.catalogue.Backend == backends.Proxmox) && most != nil && *most > *or(size, otherwise)
}

// accepted is the default where the catalogue takes it, else what it lists first.
func (b *Backend) accepted(path, fallback string) *string {
	all := b.catalogue.Accepts[path]
	if len(all) > 0 && !slices.Contains(all, fallback) {
		fallback = all[0]
	}
	return &fallback
}

func (b *Backend) diskDefaults(placement backends.PlacementSpec, policy *string) backends.Disk {
	return backends.Disk{
		SizeGiB:       new(int64(8)),
		Storage:       new(storageFor(placement, policy)),
		Provisioning:  b.accepted("disks.provisioning", "thin"),
		Format:        b.accepted("disks.format", "qcow2"),
		Bus:           b.accepted("disks.bus", "virtio"),
		Cache:         had(b, "disks.cache", *b.accepted("disks.cache", "none")),
		Discard:       had(b, "disks.discard", false),
		SSD:           had(b, "disks.ssd", false),
		IOThread:      had(b, "disks.iothread", false),
		KeepOnDestroy: new(false),
	}
}

// had is a default, or nil where this hypervisor lacks the attribute.
func had[T any](b *Backend, path string, value T) *T {
	if b.catalogue.Lacks[path] != "" {
		return nil
	}
	return &value
}

func (b *Backend) nicDefaults(order int64) backends.NIC {
	return backends.NIC{
		Network:   new(networks[0].Name),
		Model:     b.accepted("networks.model", "virtio"),
		MTU:       had(b, "networks.mtu", int64(1500)),
		Connected: new(true),
		Order:     &order,
	}
}

// settle gives a spec the values that follow from others, and makes it say only
// what this hypervisor has.
func (b *Backend) settle(s *backends.VMSpec) {
	s.Tags = slices.Compact(slices.Sorted(slices.Values(s.Tags)))
	if s.Tags == nil {
		s.Tags = []string{}
	}
	// A maximum never lies below what there is.
	s.CPU.MaxCores = atLeast(s.CPU.MaxCores, *s.CPU.Cores)
	s.Memory.MaxMiB = atLeast(s.Memory.MaxMiB, *s.Memory.SizeMiB)
	if b.catalogue.Supports(backends.FeatureReservations) {
		s.CPU.ReservationMHz = or(s.CPU.ReservationMHz, 0)
		s.Memory.ReservationMiB = or(s.Memory.ReservationMiB, 0)
	}
	if b.catalogue.Supports(backends.FeatureResourcePools) && b.catalogue.Lacks["placement.resource_pool"] == "" {
		s.Placement.ResourcePool = or(s.Placement.ResourcePool, defaultPool)
	}
	if b.catalogue.Supports(backends.FeatureFolders) {
		s.Placement.Folder = or(s.Placement.Folder, defaultDir)
	}
	if b.catalogue.Supports(backends.FeatureWatchdog) {
		s.Watchdog = or(s.Watchdog, "")
	}
	if b.catalogue.Supports(backends.FeatureRNG) {
		s.RNG = or(s.RNG, false)
	}
	b.settleConsole(s)
	for key, d := range s.Disks {
		d.IOPSLimit, d.ThroughputMiB = limit(d.IOPSLimit), limit(d.ThroughputMiB)
		s.Disks[key] = d
	}
	for key, n := range s.Networks {
		n.BandwidthMbps = limit(n.BandwidthMbps)
		s.Networks[key] = n
	}
	if s.CloudInit != nil && s.CloudInit.UserDataVersion != nil {
		s.CloudInit.UserData = nil // the version stands for it
	}
	if c := s.Customization; c != nil && c.Windows != nil && c.Windows.PasswordVersion != nil {
		w := *c.Windows
		w.AdminPassword, w.DomainPassword, w.ProductKey = "", "", "" // likewise
		s.Customization = &backends.Customization{Hostname: c.Hostname, Domain: c.Domain, TimeZone: c.TimeZone, Windows: &w}
	}
}

// limit is a limit, or nil where it is none.
func limit(p *int64) *int64 { return some(value(p)) }

func atLeast(p *int64, least int64) *int64 {
	if p == nil || *p < least {
		return &least
	}
	return p
}
