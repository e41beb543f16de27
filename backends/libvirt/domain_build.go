package libvirt

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const (
	defaultMemoryMiB = 1024
	rootKey          = "root" // the disk that receives the image and boots

	// spareSlots is how many PCI devices can be plugged into a running q35 VM. Each
	// needs a root port that was there at power-on.
	spareSlots = 8

	agentChannel = "org.qemu.guest_agent.0"
)

// blueprint is all that a domain's definition is made from. Building it is pure.
type blueprint struct {
	uuid  string
	spec  *backends.VMSpec
	host  *hostFacts
	mark  *mark
	disks []diskDevice // in the order of their names in the guest
	cdrom *driveDevice
	seed  *driveDevice
	nics  []nicDevice // in the order of their slots
}

// buildDomain writes the definition of a new domain.
func buildDomain(b *blueprint) (*libvirtxml.Domain, error) {
	d := &libvirtxml.Domain{
		Type:       b.host.domainType(b.spec.Libvirt),
		Name:       b.spec.Name,
		UUID:       b.uuid,
		OS:         &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Type: "hvm", Arch: b.host.arch, Machine: machineOf(b.spec)}},
		Features:   &libvirtxml.DomainFeatureList{ACPI: &libvirtxml.DomainFeature{}, APIC: &libvirtxml.DomainFeatureAPIC{}},
		OnPoweroff: "destroy",
		OnReboot:   "restart",
		OnCrash:    "destroy",
		Devices:    &libvirtxml.DomainDeviceList{Emulator: b.host.emulator},
	}
	if b.spec.Description != nil {
		d.Description = *b.spec.Description
	}
	setGuestOS(d, b.spec.GuestOS)
	setCPU(d, b.spec.CPU, b.host.defaultCPUMode(d.Type))
	setNested(d, b.spec.NestedVirtualization, b.host.nestedFeature(d.Type), b.host.defaultCPUMode(d.Type))
	setMemory(d, b.spec.Memory)
	setCPUTune(d, b.spec.CPU, b.mark, b.host.mhz)
	setMemoryTune(d, b.spec.Memory, b.mark)
	setFirmware(d, firmwareOf(b.spec))
	setTPM(d, isTrue(b.spec.TPM))
	addStandardDevices(d)
	setConsole(d, b.spec.Console)
	setRNG(d, b.spec.RNG == nil || *b.spec.RNG)
	setWatchdog(d, b.spec.Watchdog)
	for _, disk := range b.disks {
		d.Devices.Disks = append(d.Devices.Disks, disk.device())
	}
	for _, drive := range []*driveDevice{b.cdrom, b.seed} {
		if drive != nil {
			d.Devices.Disks = append(d.Devices.Disks, drive.device())
		}
	}
	for _, nic := range b.nics {
		d.Devices.Interfaces = append(d.Devices.Interfaces, nic.device())
	}
	setIOThreads(d)
	setBootOrder(d, b.mark)
	addRootPorts(d)
	return d, writeMark(d, b.mark)
}

// machineOf is the machine type of a VM: q35, or pc where a disk asks for IDE,
// which q35 lacks.
func machineOf(spec *backends.VMSpec) string {
	if spec.Libvirt != nil && spec.Libvirt.Machine != nil {
		return *spec.Libvirt.Machine
	}
	for _, disk := range spec.Disks {
		if busOf(disk) == "ide" {
			return "pc"
		}
	}
	return "q35"
}

// setGuestOS sets what helps a guest of that family: the clock, and for Windows
// on KVM the interfaces that it knows from Hyper-V.
func setGuestOS(d *libvirtxml.Domain, guestOS *string) {
	d.Clock = &libvirtxml.DomainClock{Offset: "utc", Timer: []libvirtxml.DomainTimer{
		{Name: "rtc", TickPolicy: "catchup"},
		{Name: "pit", TickPolicy: "delay"},
		{Name: "hpet", Present: "no"},
	}}
	if d.Features == nil {
		d.Features = &libvirtxml.DomainFeatureList{}
	}
	d.Features.HyperV = nil
	if guestOS == nil || *guestOS != "windows" {
		return
	}
	d.Clock.Offset = "localtime"
	if d.Type != "kvm" {
		return
	}
	on := libvirtxml.DomainFeatureState{State: "on"}
	d.Features.HyperV = &libvirtxml.DomainFeatureHyperV{
		DomainFeature: libvirtxml.DomainFeature{},
		Relaxed:       &on,
		VAPIC:         &on,
		Spinlocks:     &libvirtxml.DomainFeatureHyperVSpinlocks{DomainFeatureState: on, Retries: 8191},
	}
	d.Clock.Timer = append(d.Clock.Timer, libvirtxml.DomainTimer{Name: "hypervclock", Present: "yes"})
}

// addStandardDevices adds what every VM of ours has.
func addStandardDevices(d *libvirtxml.Domain) {
	dev := d.Devices
	zero := uint(0)
	dev.Controllers = append(dev.Controllers,
		libvirtxml.DomainController{Type: "scsi", Index: &zero, Model: "virtio-scsi"},
		libvirtxml.DomainController{Type: "virtio-serial", Index: &zero},
	)
	dev.Channels = append(dev.Channels, libvirtxml.DomainChannel{
		Source: &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{}},
		Target: &libvirtxml.DomainChannelTarget{VirtIO: &libvirtxml.DomainChannelTargetVirtIO{Name: agentChannel}},
	})
	addSerial(dev)
	dev.Videos = append(dev.Videos, libvirtxml.DomainVideo{Model: libvirtxml.DomainVideoModel{Type: "vga"}})
}

// setBootOrder boots from the disk "root", then the CD-ROM, then the networks.
func setBootOrder(d *libvirtxml.Domain, m *mark) {
	order := uint(0)
	next := func() *libvirtxml.DomainDeviceBoot {
		order++
		return &libvirtxml.DomainDeviceBoot{Order: order}
	}
	d.OS.BootDevices = nil
	root := rootDisk(d, m)
	for i := range d.Devices.Disks {
		d.Devices.Disks[i].Boot = nil
	}
	if root != nil {
		root.Boot = next()
	}
	for i := range d.Devices.Disks {
		disk := &d.Devices.Disks[i]
		if disk.Device == "cdrom" && (m == nil || m.Seed == nil || targetOf(disk) != m.Seed.Device) {
			disk.Boot = next()
		}
	}
	for i := range d.Devices.Interfaces {
		d.Devices.Interfaces[i].Boot = next()
	}
}

// rootDisk is the disk that boots: the one of the key "root", else the first.
func rootDisk(d *libvirtxml.Domain, m *mark) *libvirtxml.DomainDisk {
	keys := diskKeys(d, m)
	var first *libvirtxml.DomainDisk
	for i := range d.Devices.Disks {
		disk := &d.Devices.Disks[i]
		if keys[i] == rootKey {
			return disk
		}
		if keys[i] != "" && first == nil {
			first = disk
		}
	}
	return first
}

// addRootPorts gives a q35 machine a PCI Express port for every device that
// libvirt is going to put on one, and the spare ones.
func addRootPorts(d *libvirtxml.Domain) {
	if !isQ35(d.OS.Type.Machine) {
		return
	}
	used := len(d.Devices.Interfaces) + len(d.Devices.Controllers) + len(d.Devices.RNGs) + len(d.Devices.Watchdogs) + 2 // balloon, USB
	for _, disk := range d.Devices.Disks {
		if disk.Target != nil && disk.Target.Bus == "virtio" {
			used++
		}
	}
	zero := uint(0)
	ports := []libvirtxml.DomainController{{Type: "pci", Index: &zero, Model: "pcie-root"}}
	for i := range used + spareSlots {
		index := uint(i + 1)
		ports = append(ports, libvirtxml.DomainController{Type: "pci", Index: &index, Model: "pcie-root-port"})
	}
	d.Devices.Controllers = append(d.Devices.Controllers, ports...)
}

var pciBus = regexp.MustCompile(`<address type=['"]pci['"][^>]* bus=['"]0x([0-9a-fA-F]+)['"]`)

// addSpareSlots gives a stopped q35 machine new spare ports for those that devices were
// plugged into, and reports whether it had to.
func addSpareSlots(d *libvirtxml.Domain) bool {
	if d.OS.Type == nil || !isQ35(d.OS.Type.Machine) {
		return false
	}
	text, err := d.Marshal()
	if err != nil {
		return false // whoever writes the definition says so
	}
	used := map[uint]bool{}
	for _, match := range pciBus.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.ParseUint(match[1], 16, 16); err == nil {
			used[uint(n)] = true
		}
	}
	free, next := 0, uint(0)
	for _, c := range d.Devices.Controllers {
		if c.Type != "pci" || c.Index == nil {
			continue
		}
		next = max(next, *c.Index+1)
		if c.Model == "pcie-root-port" && !used[*c.Index] {
			free++
		}
	}
	// The number of ports that a definition begins with is an estimate: a few less are no reason.
	if next == 0 || free > spareSlots/2 {
		return false
	}
	for ; free < spareSlots; free++ {
		index := next
		d.Devices.Controllers = append(d.Devices.Controllers, libvirtxml.DomainController{Type: "pci", Index: &index, Model: "pcie-root-port"})
		next++
	}
	return true
}

// isQ35 reports whether a machine type, canonical or not, is of the q35 family.
func isQ35(machine string) bool { return machineFamily(machine) == "q35" }

func isTrue(p *bool) bool { return p != nil && *p }

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// first returns the first pointer that is set.
func first[T any](ps ...*T) *T {
	for _, p := range ps {
		if p != nil {
			return p
		}
	}
	return nil
}

// diskOrder is the order in which disks get their names: root first, then by key.
func diskOrder(disks map[string]backends.Disk) []string {
	keys := slices.Sorted(maps.Keys(disks))
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(rootLast(a), rootLast(b)) })
	return keys
}

func rootLast(key string) int {
	if key == rootKey {
		return 0
	}
	return 1
}

// nicOrder is the order in which NICs get their slots: by NIC.Order where it is
// set, else by the key's place among the keys.
func nicOrder(nics map[string]backends.NIC) []string {
	keys := slices.Sorted(maps.Keys(nics))
	place := map[string]int64{}
	for i, key := range keys {
		place[key] = int64(i)
		if o := nics[key].Order; o != nil {
			place[key] = *o
		}
	}
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(place[a], place[b]) })
	return keys
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
