package libvirt

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// source is where a disk's or drive's bytes are.
type source struct {
	Kind    string // "file", "block", "volume" or "network"
	Path    string
	Pool    string
	Volume  string
	Format  string
	Network *libvirtxml.DomainDiskSourceNetwork
}

// diskDevice is a disk as it is put into a domain.
type diskDevice struct {
	key    string
	target string // "vda"
	serial string
	spec   backends.Disk
	source source
}

func (k diskDevice) bus() string { return busOf(k.spec) }

// busOf is the bus of a disk. One that names none is on virtio, or on SCSI where it is to
// look like an SSD, for which virtio has no word.
func busOf(d backends.Disk) string {
	switch {
	case d.Bus != nil && *d.Bus != "":
		return *d.Bus
	case isTrue(d.SSD):
		return "scsi"
	}
	return "virtio"
}

func (k diskDevice) device() libvirtxml.DomainDisk {
	d := libvirtxml.DomainDisk{
		Device: "disk",
		Source: k.source.xml(),
		Target: &libvirtxml.DomainDiskTarget{Dev: k.target, Bus: k.bus()},
		Serial: k.serial,
	}
	format := k.source.Format
	if format == "" {
		format = "raw"
	}
	d.Driver = &libvirtxml.DomainDiskDriver{Name: "qemu", Type: format}
	setDiskOptions(&d, k.spec)
	return d
}

// setDiskOptions writes what is set in spec and leaves the rest.
func setDiskOptions(d *libvirtxml.DomainDisk, spec backends.Disk) {
	if d.Driver == nil {
		d.Driver = &libvirtxml.DomainDiskDriver{Name: "qemu"}
	}
	if spec.Cache != nil {
		d.Driver.Cache = *spec.Cache
	}
	if spec.Discard != nil {
		d.Driver.Discard = choose(*spec.Discard, "unmap", "ignore")
	}
	if spec.IOThread != nil {
		d.Driver.IOThread = nil
		if *spec.IOThread {
			d.Driver.IOThread = ptr(uint(1))
		}
	}
	if spec.SSD != nil && d.Target != nil {
		d.Target.RotationRate = 0
		if *spec.SSD {
			d.Target.RotationRate = 1
		}
	}
	setDiskLimits(d, spec)
}

func choose(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

func (s source) xml() *libvirtxml.DomainDiskSource {
	switch s.Kind {
	case "block":
		return &libvirtxml.DomainDiskSource{Block: &libvirtxml.DomainDiskSourceBlock{Dev: s.Path}}
	case "volume":
		return &libvirtxml.DomainDiskSource{Volume: &libvirtxml.DomainDiskSourceVolume{Pool: s.Pool, Volume: s.Volume}}
	case "network":
		return &libvirtxml.DomainDiskSource{Network: s.Network}
	default:
		return &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: s.Path}}
	}
}

// driveDevice is a CD-ROM drive with its medium.
type driveDevice struct {
	target string
	bus    string
	source source // without a Path or Volume: empty
}

// driveBus is what CD-ROM drives sit on: images made for clouds often have no
// driver for SATA and IDE, and every system that has virtio disks has virtio-scsi.
const driveBus = "scsi"

func (v driveDevice) device() libvirtxml.DomainDisk {
	d := libvirtxml.DomainDisk{
		Device:   "cdrom",
		Driver:   &libvirtxml.DomainDiskDriver{Name: "qemu", Type: "raw"},
		Target:   &libvirtxml.DomainDiskTarget{Dev: v.target, Bus: v.bus},
		ReadOnly: &libvirtxml.DomainDiskReadOnly{},
	}
	if v.source.Path != "" || v.source.Volume != "" {
		d.Source = v.source.xml()
	}
	return d
}

// setIOThreads gives the domain a thread for the disks that want one.
func setIOThreads(d *libvirtxml.Domain) {
	for _, disk := range d.Devices.Disks {
		if disk.Driver != nil && disk.Driver.IOThread != nil && d.IOThreads == 0 && d.IOThreadIDs == nil {
			d.IOThreads = 1
		}
	}
}

var plainSerial = regexp.MustCompile(`^[A-Za-z0-9_-]{1,20}$`)

// serialOf makes the serial number that the guest sees from a disk's key: the key
// itself where it fits into the 20 characters that virtio has, so that
// /dev/disk/by-id/virtio-KEY names the disk whatever its place.
func serialOf(key string) string {
	if plainSerial.MatchString(key) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	var b strings.Builder
	for _, r := range key {
		if b.Len() == 11 {
			break
		}
		if r < 128 && plainSerial.MatchString(string(r)) {
			b.WriteRune(r)
		}
	}
	return b.String() + "-" + hex.EncodeToString(sum[:4])
}

// prefixOf gives the letters that targets on a bus start with. SCSI, SATA and
// USB share theirs.
func prefixOf(bus string) string {
	switch bus {
	case "virtio":
		return "vd"
	case "ide":
		return "hd"
	case "fdc":
		return "fd"
	case "xen":
		return "xvd"
	default:
		return "sd"
	}
}

// freeTarget returns the first name for a bus that nothing in taken has, and
// takes it.
func freeTarget(bus string, taken map[string]bool) string {
	for i := 0; ; i++ {
		name := prefixOf(bus) + letters(i)
		if !taken[name] {
			taken[name] = true
			return name
		}
	}
}

// letters counts a, b, ... z, aa, ab.
func letters(i int) string {
	s := ""
	for i >= 0 {
		s = string(rune('a'+i%26)) + s
		i = i/26 - 1
	}
	return s
}

func targets(d *libvirtxml.Domain) map[string]bool {
	taken := map[string]bool{}
	for i := range d.Devices.Disks {
		taken[targetOf(&d.Devices.Disks[i])] = true
	}
	return taken
}

func targetOf(d *libvirtxml.DomainDisk) string {
	if d.Target == nil {
		return ""
	}
	return d.Target.Dev
}

// isVolume reports whether a device is a disk in the sense of VMSpec.Disks:
// no drive for removable media, no raw SCSI device.
func isVolume(d *libvirtxml.DomainDisk) bool {
	return (d.Device == "" || d.Device == "disk") && d.Target != nil
}

// pathOf is where a device's bytes are, in words: a path, or "pool/volume".
func pathOf(d *libvirtxml.DomainDisk) string {
	switch s := d.Source; {
	case s == nil:
		return ""
	case s.File != nil:
		return s.File.File
	case s.Block != nil:
		return s.Block.Dev
	case s.Volume != nil:
		return s.Volume.Pool + "/" + s.Volume.Volume
	case s.Network != nil:
		return s.Network.Protocol + ":" + s.Network.Name
	case s.Dir != nil:
		return s.Dir.Dir
	}
	return ""
}

// diskKeys gives the key of each of the domain's disk devices, in their order: ""
// for what is no disk of the spec (drives and the like). The mark's entries are
// matched by serial, then by target; a disk that it does not know has its
// target as its key.
func diskKeys(d *libvirtxml.Domain, m *mark) []string {
	devices := d.Devices.Disks
	keys := make([]string, len(devices))
	used := map[string]bool{}
	match := func(fits func(*libvirtxml.DomainDisk, diskMark) bool) {
		if m == nil {
			return
		}
		for _, entry := range m.Disks {
			if entry.Retired || used[entry.Key] {
				continue
			}
			for i := range devices {
				if keys[i] == "" && isVolume(&devices[i]) && fits(&devices[i], entry) {
					keys[i], used[entry.Key] = entry.Key, true
					break
				}
			}
		}
	}
	match(func(disk *libvirtxml.DomainDisk, e diskMark) bool { return e.Serial != "" && disk.Serial == e.Serial })
	match(func(disk *libvirtxml.DomainDisk, e diskMark) bool {
		return e.Serial == "" && targetOf(disk) == e.Device
	})
	for i := range devices {
		if keys[i] == "" && isVolume(&devices[i]) {
			keys[i] = unusedKey(targetOf(&devices[i]), used)
		}
	}
	return keys
}

// unusedKey returns name, with as many underscores as make it new.
func unusedKey(name string, used map[string]bool) string {
	for used[name] {
		name += "_"
	}
	used[name] = true
	return name
}

// findDisk returns the index of the device with a key, or -1.
func findDisk(d *libvirtxml.Domain, m *mark, key string) int {
	for i, k := range diskKeys(d, m) {
		if k == key && k != "" {
			return i
		}
	}
	return -1
}

// findTarget returns the index of the device with a target, or -1.
func findTarget(d *libvirtxml.Domain, target string) int {
	for i := range d.Devices.Disks {
		if targetOf(&d.Devices.Disks[i]) == target {
			return i
		}
	}
	return -1
}
