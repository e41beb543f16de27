package backends

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Action says what a Change does to what its path names.
type Action string

// The actions.
const (
	Set    Action = "set"
	Add    Action = "add"    // a disk, NIC or host device, whole
	Remove Action = "remove" // likewise
	Grow   Action = "grow"   // a disk's or a VM's size
	Shrink Action = "shrink"
)

// Change is one step from an observed VM to a desired one.
type Change struct {
	Path    Path
	Action  Action
	Feature Feature // that a hypervisor must have; "" where any can
	Key     string  // of the disk, NIC or host device
	From    any     // the value before, nil where there was none
	To      any     // the value after, nil where it goes
}

// String reads `grow disks["data"].size_gib from 10 to 20`.
func (c Change) String() string {
	switch c.Action {
	case Add, Remove:
		return fmt.Sprintf("%s %s", c.Action, c.Path)
	default:
		switch {
		case c.From == nil && c.To == nil: // it holds secrets, or is long
			return fmt.Sprintf("%s %s", c.Action, c.Path)
		case c.From == nil:
			return fmt.Sprintf("%s %s to %v", c.Action, c.Path, c.To)
		}
		return fmt.Sprintf("%s %s from %v to %v", c.Action, c.Path, c.From, c.To)
	}
}

// Diff returns the changes that turn from into to, in the order in which they
// can be carried out: removals, settings and growth, additions. What is nil in
// to is left alone. Diff is pure; Diff(x, x) is empty.
//
// The plan and the apply of an update both call it with the same two specs, so
// they cannot disagree.
func Diff(from, to *VMSpec) []Change {
	d := &differ{}
	d.general(from, to)
	d.cpu(from.CPU, to.CPU)
	d.memory(from.Memory, to.Memory)
	d.disks(from.Disks, to.Disks)
	d.networks(from.Networks, to.Networks)
	d.guest(from, to)
	d.placement(from, to)
	d.availability(from, to)
	d.hostDevices(from.HostDevices, to.HostDevices)
	d.console(from.Console, to.Console)
	d.libvirt(from.Libvirt, to.Libvirt)
	d.vsphere(from.VSphere, to.VSphere)
	d.proxmox(from.Proxmox, to.Proxmox)
	slices.SortStableFunc(d.changes, func(a, b Change) int { return rank(a.Action) - rank(b.Action) })
	return d.changes
}

// Requirements returns what a new VM asks for, as changes from nothing.
func Requirements(spec *VMSpec) []Change {
	changes := Diff(&VMSpec{}, spec)
	if spec.Template != "" {
		changes = append(changes, Change{Path: "template", Action: Set, Feature: FeatureTemplateDeployment, To: spec.Template})
	}
	if spec.Linked {
		changes = append(changes, Change{Path: "linked", Action: Set, Feature: FeatureLinkedClone, To: true})
	}
	return changes
}

// CloneRequirements returns what a clone asks for, as changes from nothing.
func CloneRequirements(spec *CloneSpec) []Change {
	own := spec.Spec
	own.Linked = false
	kind := Change{Path: "linked", Action: Set, Feature: FeatureLinkedClone, To: true}
	if !spec.Linked {
		kind = Change{Path: "source_vm", Action: Set, Feature: FeatureFullClone, To: string(spec.Source)}
		if spec.Snapshot != "" {
			kind.Path, kind.To = "source_snapshot", spec.Snapshot
		}
	}
	return append(Requirements(&own), kind)
}

func rank(a Action) int {
	switch a {
	case Remove:
		return 0
	case Add:
		return 2
	default:
		return 1
	}
}

type differ struct{ changes []Change }

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

// scalar records a change of one value. Booleans that are false ask for no feature.
func scalar[T comparable](d *differ, p Path, key string, f Feature, from, to *T) {
	if to == nil || from != nil && *from == *to {
		return
	}
	c := Change{Path: p, Action: Set, Feature: f, Key: key, To: *to}
	if from != nil {
		c.From = *from
	}
	if b, ok := any(*to).(bool); ok && !b {
		c.Feature = ""
		if from == nil { // not asked before, not wanted now
			return
		}
	}
	d.add(c)
}

// size records a change of a number that grows or shrinks.
func size(d *differ, p Path, key string, f Feature, from, to *int64) {
	n := len(d.changes)
	scalar(d, p, key, f, from, to)
	if len(d.changes) == n || from == nil {
		return
	}
	d.changes[n].Action = Grow
	if *to < *from {
		d.changes[n].Action = Shrink
	}
}

func (d *differ) general(from, to *VMSpec) {
	if to.Name != "" && to.Name != from.Name {
		c := Change{Path: "name", Action: Set, To: to.Name}
		if from.Name != "" {
			c.From, c.Feature = from.Name, FeatureVMReconfiguration
		}
		d.add(c)
	}
	scalar(d, "description", "", "", from.Description, to.Description)
	if to.Tags != nil && !sameSet(from.Tags, to.Tags) {
		d.add(Change{Path: "tags", Action: Set, From: sorted(from.Tags), To: sorted(to.Tags)})
	}
	scalar(d, "settings", "", "", from.Settings, to.Settings)
	scalar(d, "guest_os", "", "", from.GuestOS, to.GuestOS)
	firmware := Feature("")
	if to.Firmware != nil && *to.Firmware == "uefi" {
		firmware = FeatureUEFI
	}
	scalar(d, "firmware", "", firmware, from.Firmware, to.Firmware)
	scalar(d, "secure_boot", "", FeatureSecureBoot, from.SecureBoot, to.SecureBoot)
	scalar(d, "tpm", "", FeatureTPM, from.TPM, to.TPM)
	watchdog := FeatureWatchdog
	if to.Watchdog != nil && *to.Watchdog == "" {
		watchdog = ""
	}
	if watchdog != "" || from.Watchdog != nil && *from.Watchdog != "" {
		scalar(d, "watchdog", "", watchdog, from.Watchdog, to.Watchdog)
	}
	scalar(d, "rng", "", FeatureRNG, from.RNG, to.RNG)
	scalar(d, "nested_virtualization", "", FeatureNestedVirt, from.NestedVirtualization, to.NestedVirtualization)
}

func (d *differ) cpu(from, to CPU) {
	size(d, "cpu.cores", "", FeatureCPU, from.Cores, to.Cores)
	scalar(d, "cpu.sockets", "", FeatureCPU, from.Sockets, to.Sockets)
	scalar(d, "cpu.threads", "", FeatureCPU, from.Threads, to.Threads)
	scalar(d, "cpu.max_cores", "", FeatureHotCPUAdd, from.MaxCores, to.MaxCores)
	scalar(d, "cpu.model", "", FeatureCPU, from.Model, to.Model)
	scalar(d, "cpu.hot_add", "", FeatureHotCPUAdd, from.HotAdd, to.HotAdd)
	limit(d, "cpu.reservation_mhz", "", FeatureReservations, from.ReservationMHz, to.ReservationMHz)
	limit(d, "cpu.limit_mhz", "", FeatureLimits, from.LimitMHz, to.LimitMHz)
	limit(d, "cpu.shares", "", FeatureReservations, from.Shares, to.Shares)
	scalar(d, "cpu.affinity", "", FeatureCPU, from.Affinity, to.Affinity)
}

func (d *differ) memory(from, to Memory) {
	size(d, "memory.size_mib", "", FeatureMemory, from.SizeMiB, to.SizeMiB)
	scalar(d, "memory.max_mib", "", FeatureHotMemoryAdd, from.MaxMiB, to.MaxMiB)
	scalar(d, "memory.hot_add", "", FeatureHotMemoryAdd, from.HotAdd, to.HotAdd)
	limit(d, "memory.reservation_mib", "", FeatureReservations, from.ReservationMiB, to.ReservationMiB)
	limit(d, "memory.limit_mib", "", FeatureLimits, from.LimitMiB, to.LimitMiB)
	limit(d, "memory.shares", "", FeatureReservations, from.Shares, to.Shares)
	scalar(d, "memory.ballooning", "", "", from.Ballooning, to.Ballooning)
}

func (d *differ) disks(from, to map[string]Disk) {
	if to == nil {
		return
	}
	for _, key := range sortedKeys(from) {
		if _, kept := to[key]; !kept {
			d.add(Change{Path: Path("disks").Key(key), Action: Remove, Key: key, From: from[key]})
		}
	}
	for i, key := range sortedKeys(to) {
		p, want := Path("disks").Key(key), to[key]
		have, exists := from[key]
		switch {
		case !exists:
			d.newDisk(p, key, i, want)
		case !SameDisk(have, want):
			// Another disk in the same slot: one goes, one comes.
			d.add(Change{Path: p, Action: Remove, Key: key, From: have})
			d.newDisk(p, key, i, want)
		default:
			size(d, p.Attr("size_gib"), key, FeatureDiskResize, have.SizeGiB, want.SizeGiB)
			d.diskOptions(p, key, have, want)
		}
	}
}

// SameDisk reports whether want can be had from the disk have in the same slot.
// Another volume is another disk, and so is a disk of some size where have is a
// volume: a volume's size is its own, so it is never asked for beside it.
func SameDisk(have, want Disk) bool {
	if want.Volume == nil {
		return have.Volume == nil || want.SizeGiB == nil
	}
	return have.Volume != nil && *have.Volume == *want.Volume
}

func (d *differ) newDisk(p Path, key string, index int, want Disk) {
	f := FeatureDiskCreate
	if want.Volume != nil {
		f = FeatureDiskVolume
	} else if index > 0 {
		f = FeatureMultipleDisks
	}
	d.add(Change{Path: p, Action: Add, Feature: f, Key: key, To: want})
	for _, o := range optionsOf(func(n *differ) { n.diskOptions(p, key, Disk{}, want) }) {
		d.require(o)
	}
}

func (d *differ) diskOptions(p Path, key string, have, want Disk) {
	scalar(d, p.Attr("storage"), key, FeatureStoragePools, have.Storage, want.Storage)
	provisioning := FeatureThickDisks
	if want.Provisioning != nil && *want.Provisioning == "thin" {
		provisioning = FeatureThinProvisioning
	}
	scalar(d, p.Attr("provisioning"), key, provisioning, have.Provisioning, want.Provisioning)
	scalar(d, p.Attr("format"), key, "", have.Format, want.Format)
	scalar(d, p.Attr("policy"), key, FeatureStoragePolicies, have.Policy, want.Policy)
	scalar(d, p.Attr("bus"), key, "", have.Bus, want.Bus)
	scalar(d, p.Attr("cache"), key, "", have.Cache, want.Cache)
	scalar(d, p.Attr("discard"), key, "", have.Discard, want.Discard)
	scalar(d, p.Attr("ssd"), key, "", have.SSD, want.SSD)
	scalar(d, p.Attr("iothread"), key, "", have.IOThread, want.IOThread)
	scalar(d, p.Attr("keep_on_destroy"), key, "", have.KeepOnDestroy, want.KeepOnDestroy)
	limit(d, p.Attr("iops_limit"), key, FeatureDiskLimits, have.IOPSLimit, want.IOPSLimit)
	limit(d, p.Attr("throughput_mib"), key, FeatureDiskLimits, have.ThroughputMiB, want.ThroughputMiB)
	scalar(d, p.Attr("slot"), key, FeatureDiskSlot, have.Slot, want.Slot)
	scalar(d, p.Attr("shared"), key, FeatureDiskSharing, have.Shared, want.Shared)
	pairs(d, p.Attr("options"), key, FeatureProxmoxOptions, have.Options, want.Options)
}

func (d *differ) networks(from, to map[string]NIC) {
	if to == nil {
		return
	}
	for _, key := range sortedKeys(from) {
		if _, kept := to[key]; !kept {
			d.add(Change{Path: Path("networks").Key(key), Action: Remove, Key: key, From: from[key]})
		}
	}
	for i, key := range sortedKeys(to) {
		p, want := Path("networks").Key(key), to[key]
		have, exists := from[key]
		if exists {
			d.nicOptions(p, key, have, want)
			continue
		}
		f := FeatureNetwork
		if i > 0 {
			f = FeatureMultipleNICs
		}
		d.add(Change{Path: p, Action: Add, Feature: f, Key: key, To: want})
		for _, o := range optionsOf(func(n *differ) { n.nicOptions(p, key, NIC{}, want) }) {
			d.require(o)
		}
	}
}

func (d *differ) nicOptions(p Path, key string, have, want NIC) {
	network := Feature("")
	if want.Network != nil {
		if kind, _, ok := strings.Cut(*want.Network, ":"); ok && (kind == "bridge" || kind == "ovs" || kind == "direct") {
			network = FeatureBridgeNetworks
		}
	}
	scalar(d, p.Attr("network"), key, network, have.Network, want.Network)
	vlan(d, p.Attr("vlan"), key, have.VLAN, want.VLAN)
	scalar(d, p.Attr("model"), key, "", have.Model, want.Model)
	scalar(d, p.Attr("mac"), key, "", have.MAC, want.MAC)
	scalar(d, p.Attr("mtu"), key, "", have.MTU, want.MTU)
	scalar(d, p.Attr("connected"), key, "", have.Connected, want.Connected)
	scalar(d, p.Attr("order"), key, "", have.Order, want.Order)
	limit(d, p.Attr("bandwidth_mbps"), key, FeatureNetworkLimits, have.BandwidthMbps, want.BandwidthMbps)
	pairs(d, p.Attr("options"), key, FeatureProxmoxOptions, have.Options, want.Options)
	ip(d, p.Attr("ipv4"), key, have.IPv4, want.IPv4)
	ip(d, p.Attr("ipv6"), key, have.IPv6, want.IPv6)
}

func vlan(d *differ, p Path, key string, have, want *int64) {
	limit(d, p, key, FeatureVLAN, have, want)
}

// limit compares numbers of which 0 is none: it asks for no feature, and where
// there was none it changes nothing.
func limit(d *differ, p Path, key string, f Feature, have, want *int64) {
	switch {
	case want == nil || *want != 0:
		scalar(d, p, key, f, have, want)
	case have != nil && *have != 0:
		scalar(d, p, key, "", have, want)
	}
}

// ip compares static addresses, where nil is a value.
func ip(d *differ, p Path, key string, have, want *IPConfig) {
	if sameIP(have, want) {
		return
	}
	c := Change{Path: p, Action: Set, Key: key, Feature: FeatureStaticIP}
	if have != nil {
		c.From = *have
	}
	if want != nil {
		c.To = *want
	} else {
		c.Feature = FeatureDHCP
	}
	d.add(c)
}

// require records what an addition needs beside itself: the option's change,
// marked as a part of the addition by having no effect of its own.
func (d *differ) require(option Change) {
	option.Action = Add
	d.add(option)
}

// optionsOf collects the changes that one comparison makes.
func optionsOf(compare func(*differ)) []Change {
	n := &differ{}
	compare(n)
	return n.changes
}

func sameIP(a, b *IPConfig) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Address == b.Address && a.Gateway == b.Gateway &&
		slices.Equal(a.Routes, b.Routes) && slices.Equal(a.Extra, b.Extra)
}

func sameSet(a, b []string) bool { return slices.Equal(sorted(a), sorted(b)) }

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
