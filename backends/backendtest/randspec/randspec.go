// Package randspec makes random VM specs that a hypervisor like the mock takes,
// for property tests with pgregory.net/rapid.
package randspec

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Inventory names what specs may ask for.
type Inventory struct {
	Networks, Storages, Hosts, ResourcePools, Folders, ISOs []string
}

// Spec makes one legal spec called name.
func Spec(t *rapid.T, label, name string, in Inventory) *backends.VMSpec {
	d := drawer{t, label}
	s := &backends.VMSpec{
		Name:        name,
		Description: text(d, "description", "", "a", "b"),
		Settings:    text(d, "settings", "{}", `{"a":1}`),
		GuestOS:     text(d, "guest_os", "linux", "windows", "other"),
		CPU: backends.CPU{
			Cores: number(d, "cores", 1, 4), Sockets: number(d, "sockets", 1, 2), Threads: number(d, "threads", 1, 2),
			MaxCores: number(d, "max_cores", 4, 8), Model: text(d, "model", "host-model", "host-passthrough"),
			HotAdd: flag(d, "cpu_hot_add"), ReservationMHz: number(d, "reservation_mhz", 0, 1000),
			LimitMHz: number(d, "limit_mhz", 1000, 9000), Shares: number(d, "cpu_shares", 1, 3),
			Affinity: text(d, "affinity", "0-3", "1"),
		},
		Memory: backends.Memory{
			SizeMiB: number(d, "size_mib", 256, 1024), MaxMiB: number(d, "max_mib", 1024, 4096), HotAdd: flag(d, "mem_hot_add"),
			ReservationMiB: number(d, "reservation_mib", 0, 256), LimitMiB: number(d, "limit_mib", 1024, 4096),
			Shares: number(d, "mem_shares", 1, 3), Ballooning: flag(d, "ballooning"),
		},
		TPM:                  flag(d, "tpm"),
		NestedVirtualization: flag(d, "nested"),
		Watchdog:             text(d, "watchdog", "", "reset", "poweroff", "pause", "none"),
		RNG:                  flag(d, "rng"),
		Placement: backends.PlacementSpec{
			Host: text(d, "host", in.Hosts...), ResourcePool: text(d, "pool", in.ResourcePools...),
			Folder: text(d, "folder", in.Folders...),
		},
	}
	if d.maybe("tags") {
		s.Tags = d.subset("tags", "a", "b", "c")
	}
	// Secure boot and firmware depend on each other: both are said or neither.
	if d.maybe("firmware") {
		boot := d.of("firmware", "bios", "uefi", "secure")
		s.SecureBoot, s.Firmware = new(boot == "secure"), new("uefi")
		if boot == "bios" {
			s.Firmware = new("bios")
		}
	}
	if d.maybe("disks") {
		s.Disks = map[string]backends.Disk{}
		for _, key := range d.subset("disks", "root", "data", "log") {
			s.Disks[key] = disk(drawer{t, label + " disk " + key}, in, slots[key])
		}
	}
	if d.maybe("networks") {
		s.Networks = map[string]backends.NIC{}
		for _, key := range d.subset("networks", "lan", "dmz") {
			s.Networks[key] = nic(drawer{t, label + " network " + key}, in, macs[key])
		}
	}
	if d.maybe("cdrom") {
		s.CDROM = &backends.CDROM{ISO: d.of("iso", append([]string{""}, in.ISOs...)...)}
	}
	if d.maybe("dns") {
		s.DNS = &backends.DNS{Servers: d.subset("servers", "192.0.2.1", "192.0.2.2"), Search: d.subset("search", "a.example")}
	}
	if d.maybe("cloud_init") {
		s.CloudInit = cloudInit(d)
	}
	if d.maybe("console") {
		s.Console = console(d)
	}
	return s
}

// Change makes a spec that a VM made from a can legally become: disks do not
// shrink and keep what they have from their creation.
func Change(t *rapid.T, a *backends.VMSpec, name string, in Inventory) *backends.VMSpec {
	b := Spec(t, "to", name, in)
	for key, d := range b.Disks {
		was, both := a.Disks[key]
		if !both {
			continue
		}
		d.Storage, d.Provisioning, d.Format = was.Storage, was.Provisioning, was.Format
		if d.SizeGiB != nil && (was.SizeGiB == nil || *d.SizeGiB < *was.SizeGiB) {
			d.SizeGiB = was.SizeGiB
		}
		b.Disks[key] = d
	}
	return b
}

// slots keep the disks of one VM apart.
var slots = map[string]string{"root": "0:0", "data": "0:1", "log": "1:0"}

func disk(d drawer, in Inventory, slot string) backends.Disk {
	return backends.Disk{
		SizeGiB: number(d, "size", 1, 20), Storage: text(d, "storage", in.Storages...),
		Provisioning: text(d, "provisioning", "thin", "thick"), Format: text(d, "format", "qcow2", "raw"),
		Bus: text(d, "bus", "virtio", "scsi", "sata", "ide"), Cache: text(d, "cache", "none", "writeback"),
		Discard: flag(d, "discard"), SSD: flag(d, "ssd"), IOThread: flag(d, "iothread"), KeepOnDestroy: flag(d, "keep"),
		IOPSLimit: number(d, "iops_limit", 0, 2), ThroughputMiB: number(d, "throughput_mib", 0, 2),
		Slot: text(d, "slot", slot), Shared: flag(d, "shared"),
	}
}

// macs keeps the NICs of one VM apart.
var macs = map[string]string{"lan": "52:54:00:00:00:01", "dmz": "52:54:00:00:00:02"}

func nic(d drawer, in Inventory, mac string) backends.NIC {
	n := backends.NIC{
		Network: text(d, "network", in.Networks...), VLAN: number(d, "vlan", 1, 4094), Model: text(d, "model", "virtio", "e1000"),
		MTU: number(d, "mtu", 1280, 9000), Connected: flag(d, "connected"), Order: number(d, "order", 0, 5),
		BandwidthMbps: number(d, "bandwidth_mbps", 0, 2),
	}
	if d.maybe("mac") {
		n.MAC = &mac
	}
	if d.maybe("ipv4") {
		n.IPv4 = &backends.IPConfig{Address: d.of("ipv4", "192.0.2.10/24", "192.0.2.11/24"), Gateway: "192.0.2.1"}
	}
	if d.maybe("ipv6") {
		n.IPv6 = &backends.IPConfig{Address: "2001:db8::5/64", Extra: []string{"2001:db8::6/64"}}
	}
	return n
}

func cloudInit(d drawer) *backends.CloudInit {
	c := &backends.CloudInit{
		Hostname: text(d, "hostname", "one", "two"), UserData: text(d, "user_data", "#cloud-config\n{}", "#!/bin/sh\n"),
		VendorData: text(d, "vendor_data", "#cloud-config\n{}"), MetaData: text(d, "meta_data", "a: 1", "a: 2"),
		NetworkConfig: text(d, "network_config", "version: 2"), InstanceID: text(d, "instance_id", "i-1", "i-2"),
	}
	if c.UserData != nil {
		c.UserDataVersion = number(d, "user_data_version", 1, 3)
	}
	if d.maybe("keys") {
		c.SSHKeys = d.subset("keys", "ssh-ed25519 AAAA one", "ssh-ed25519 AAAA two")
	}
	if d.maybe("users") {
		c.Users = []backends.CloudUser{{Name: d.of("user", "ada", "bob"), Groups: []string{"sudo"}}}
	}
	return c
}

func console(d drawer) *backends.ConsoleSpec {
	c := &backends.ConsoleSpec{Type: text(d, "console type", "vnc", "spice", "serial", "none")}
	if c.Type == nil || *c.Type == "serial" || *c.Type == "none" {
		return c // nothing more can be asked of it
	}
	c.Address, c.Port = text(d, "console address", "127.0.0.1", "0.0.0.0"), number(d, "console port", 0, 2)
	if c.Port != nil && *c.Port != 0 {
		*c.Port += 5950
	}
	if c.PasswordVersion = number(d, "console password", 1, 3); c.PasswordVersion != nil {
		c.Password = new("secret")
	}
	return c
}

// drawer draws values with labels that a failure report can be read by.
type drawer struct {
	t     *rapid.T
	label string
}

func (d drawer) maybe(what string) bool {
	return rapid.Bool().Draw(d.t, d.label+" has "+what)
}

func (d drawer) of(what string, values ...string) string {
	return rapid.SampledFrom(values).Draw(d.t, d.label+" "+what)
}

// subset draws some of values, in order; not nil.
func (d drawer) subset(what string, values ...string) []string {
	in := map[string]bool{}
	for _, v := range values {
		if rapid.Bool().Draw(d.t, d.label+" "+what+" "+v) {
			in[v] = true
		}
	}
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(in))))
}

func text(d drawer, what string, values ...string) *string {
	if len(values) == 0 || !d.maybe(what) {
		return nil
	}
	return new(d.of(what, values...))
}

func number(d drawer, what string, least, most int64) *int64 {
	if !d.maybe(what) {
		return nil
	}
	return new(rapid.Int64Range(least, most).Draw(d.t, d.label+" "+what))
}

func flag(d drawer, what string) *bool {
	if !d.maybe(what) {
		return nil
	}
	return new(d.maybe(what + " on"))
}
