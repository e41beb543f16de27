package libvirt

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// domain is a domain as libvirt tells it, with its mark.
type domain struct {
	xml  *libvirtxml.Domain
	mark *mark // nil where there is none
	mhz  int64 // the clock of the host's processors, in which a limit is told
}

// parseDomain reads a domain's XML.
func parseDomain(text string) (*domain, error) {
	d := &libvirtxml.Domain{}
	if err := xml.Unmarshal([]byte(text), d); err != nil {
		return nil, fmt.Errorf("the definition of the VM cannot be read: %w", err)
	}
	if d.Devices == nil {
		d.Devices = &libvirtxml.DomainDeviceList{}
	}
	if d.OS == nil {
		d.OS = &libvirtxml.DomainOS{}
	}
	m, err := readMark(d.Metadata)
	if err != nil {
		return nil, err
	}
	m.follow(d)
	return &domain{xml: d, mark: m}, nil
}

// sizes are the bytes that guests see of disks, by target: 0 where a disk is there
// and its size is not known, no entry where its volume is gone.
type sizes map[string]uint64

// observeSpec turns a domain into the spec that would make it. It is pure; what
// only the seed knows is not in it. Disks of which sizes is not nil and lacks an
// entry are left out: their volume is gone, and a plan is to make it anew.
func (d *domain) observeSpec(sz sizes, pools poolPaths) backends.VMSpec {
	m := d.mark
	spec := backends.VMSpec{
		Name:        d.xml.Name,
		Description: ptr(d.xml.Description),
		Tags:        []string{},
		CPU:         observeCPU(d.xml, m, d.mhz),
		Memory:      observeMemory(d.xml, m),
		TPM:         ptr(hasTPM(d.xml)),
		Console:     observeConsole(d.xml, m),
		Watchdog:    observeWatchdog(d.xml),
		RNG:         ptr(len(d.xml.Devices.RNGs) > 0),
		Libvirt: &backends.LibvirtOptions{
			Machine: observeMachine(d.xml, m),
		},
	}
	if d.xml.Type != "" {
		spec.Libvirt.DomainType = ptr(d.xml.Type)
	}
	spec.NestedVirtualization = observeNested(d.xml.CPU)
	fw := observeFirmware(d.xml)
	spec.Firmware, spec.SecureBoot = ptr(fw.String()), ptr(fw.secureBoot)
	if fw.loader != "" {
		spec.Libvirt.Loader = ptr(fw.loader)
	}
	if m != nil {
		spec.Tags = slices.Sorted(slices.Values(m.Tags))
		if m.GuestOS != "" {
			spec.GuestOS = ptr(m.GuestOS)
		}
		if m.PlacementStorage != "" {
			spec.Placement.Storage = ptr(m.PlacementStorage)
		}
		if m.Settings != "" {
			spec.Settings = ptr(m.Settings)
		}
		spec.CreateToken = m.Token
	}
	if spec.Tags == nil {
		spec.Tags = []string{}
	}
	spec.Disks = d.observeDisks(sz, pools)
	spec.CDROM = d.observeCDROM(pools)
	spec.Networks = map[string]backends.NIC{}
	for i, key := range nicKeys(d.xml, m) {
		nic := observeNIC(&d.xml.Devices.Interfaces[i])
		if m != nil {
			if entry := m.nic(key); entry != nil {
				nic.Order = entry.Order
			}
		}
		spec.Networks[key] = nic
	}
	return spec
}

func (d *domain) observeDisks(sz sizes, pools poolPaths) map[string]backends.Disk {
	disks := map[string]backends.Disk{}
	for i, key := range diskKeys(d.xml, d.mark) {
		device := &d.xml.Devices.Disks[i]
		if key == "" {
			continue
		}
		size, known := sz[targetOf(device)]
		if sz != nil && !known {
			continue
		}
		disk := backends.Disk{SSD: ptr(false), IOThread: ptr(false), Discard: ptr(false), KeepOnDestroy: ptr(false)}
		if size > 0 {
			disk.SizeGiB = ptr(gibibytes(size))
		}
		if device.Target.Bus != "" {
			disk.Bus = ptr(device.Target.Bus)
		}
		disk.SSD = ptr(device.Target.RotationRate == 1)
		if driver := device.Driver; driver != nil {
			if driver.Type != "" {
				disk.Format = ptr(driver.Type)
			}
			if driver.Cache != "" && driver.Cache != "default" {
				disk.Cache = ptr(driver.Cache)
			}
			disk.Discard = ptr(driver.Discard == "unmap")
			disk.IOThread = ptr(driver.IOThread != nil)
		}
		disk.IOPSLimit, disk.ThroughputMiB = observeDiskLimits(device)
		ref, entry := d.volumeOf(i, key, pools)
		if !ref.IsZero() {
			disk.Storage = ptr(ref.Pool)
		}
		if entry != nil {
			disk.KeepOnDestroy = ptr(entry.Keep)
			if entry.Provisioning != "" {
				disk.Provisioning = ptr(entry.Provisioning)
			}
			if entry.Format != "" {
				disk.Format = ptr(entry.Format) // a layer's own says nothing of the disk
			}
			if entry.External {
				disk.Volume = ptr(ref.String())
			}
		}
		disks[key] = disk
	}
	return disks
}

// volumeOf names the volume behind a disk device: what the mark says, else the
// pool in whose folder its file is.
func (d *domain) volumeOf(i int, key string, pools poolPaths) (storage.Ref, *diskMark) {
	device := &d.xml.Devices.Disks[i]
	if d.mark != nil {
		if entry := d.mark.disk(key); entry != nil {
			return storage.Ref{Pool: entry.Pool, Name: entry.Volume}, entry
		}
	}
	if s := device.Source; s != nil && s.Volume != nil {
		return storage.Ref{Pool: s.Volume.Pool, Name: s.Volume.Volume}, nil
	}
	return pools.ref(pathOf(device)), nil
}

// userDrive returns the index of the CD-ROM drive that VMSpec.CDROM is about, or -1: the one
// that the mark names, else the first that holds no seed.
func (d *domain) userDrive() int {
	if m := d.mark; m != nil && m.CDROM != nil {
		if i := findTarget(d.xml, m.CDROM.Device); i >= 0 {
			return i
		}
	}
	for i := range d.xml.Devices.Disks {
		disk := &d.xml.Devices.Disks[i]
		if disk.Device == "cdrom" && (d.mark == nil || d.mark.Seed == nil || d.mark.Seed.Device != targetOf(disk)) {
			return i
		}
	}
	return -1
}

func (d *domain) observeCDROM(pools poolPaths) *backends.CDROM {
	i := d.userDrive()
	if i < 0 {
		return nil
	}
	path := pathOf(&d.xml.Devices.Disks[i])
	if d.mark != nil && d.mark.CDROM != nil && d.mark.CDROM.Path == path {
		return &backends.CDROM{ISO: d.mark.CDROM.ISO}
	}
	if ref := pools.ref(path); !ref.IsZero() {
		return &backends.CDROM{ISO: ref.String()}
	}
	return &backends.CDROM{ISO: path}
}

// observeStatus gives what is known of disks and networks beyond their configuration.
func (d *domain) observeStatus(vm *backends.VM, sz sizes, pools poolPaths) {
	vm.Disks, vm.Networks = map[string]backends.DiskStatus{}, map[string]backends.NICStatus{}
	for i, key := range diskKeys(d.xml, d.mark) {
		if _, ok := vm.Config.Disks[key]; !ok || key == "" {
			continue
		}
		device := &d.xml.Devices.Disks[i]
		ref, entry := d.volumeOf(i, key, pools)
		status := backends.DiskStatus{
			Device:    targetOf(device),
			Path:      pathOf(device),
			SizeBytes: int64(min(sz[targetOf(device)], 1<<62)),
			Owned:     entry != nil && entry.Owned,
		}
		if entry != nil {
			status.Backing = entry.Backing
		}
		if !ref.IsZero() {
			status.VolumeID = ref.String()
		}
		vm.Disks[key] = status
	}
	for i, key := range nicKeys(d.xml, d.mark) {
		vm.Networks[key] = backends.NICStatus{MAC: macOf(&d.xml.Devices.Interfaces[i])}
	}
	if kind := consoleKind(d.xml); kind != consoleNone {
		vm.ConsoleType = kind
	}
}

// poolPaths maps the folders of storage pools to their names.
type poolPaths map[string]string

// ref names the volume at a path directly below a pool's folder; zero where none is.
func (p poolPaths) ref(path string) storage.Ref {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return storage.Ref{}
	}
	if pool, ok := p[path[:i]]; ok {
		return storage.Ref{Pool: pool, Name: path[i+1:]}
	}
	return storage.Ref{}
}
