package libvirt

import (
	"context"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func (e *edit) coldDisk(ctx context.Context, c backends.Change) error {
	x, m := e.d.xml, e.d.mark
	i := findDisk(x, m, c.Key)
	if c.Action == backends.Remove {
		if i >= 0 {
			x.Devices.Disks = slices.Delete(x.Devices.Disks, i, i+1)
		}
		m.retire(c.Key)
		return nil
	}
	if i >= 0 {
		if done, err := e.hasDisk(ctx, i, c.Key); done || err != nil {
			return at(err, c.Path)
		}
		// Its volume is gone; the device goes with it.
		x.Devices.Disks = slices.Delete(x.Devices.Disks, i, i+1)
	}
	device, err := e.newDisk(ctx, c.Key)
	if err != nil {
		return err
	}
	xmlDisk := device.device()
	if c.Key == rootKey {
		xmlDisk.Boot = &libvirtxml.DomainDeviceBoot{Order: lastBoot(x) + 1}
	}
	x.Devices.Disks = append(x.Devices.Disks, xmlDisk)
	if c.Key == rootKey {
		setBootOrder(x, m)
	}
	return nil
}

// hasDisk reports whether a device is the disk that is to be added, by an earlier try:
// its volume is there, and the one that is asked for.
func (e *edit) hasDisk(ctx context.Context, i int, key string) (bool, error) {
	ref := e.refOf(i, key)
	if want := e.to.Disks[key].Volume; want != nil && *want != ref.String() {
		return false, nil
	}
	_, err := e.findVolume(ctx, ref, pathOf(&e.d.xml.Devices.Disks[i]))
	if isVolumeGone(err) {
		return false, nil
	}
	return err == nil, err
}

// lastBoot is the highest place in the boot order.
func lastBoot(x *libvirtxml.Domain) uint {
	most := uint(0)
	for _, d := range x.Devices.Disks {
		if d.Boot != nil {
			most = max(most, d.Boot.Order)
		}
	}
	for _, n := range x.Devices.Interfaces {
		if n.Boot != nil {
			most = max(most, n.Boot.Order)
		}
	}
	return most
}

// newDisk makes a disk's volume, after its name was written into the mark, and says how
// it is attached.
func (e *edit) newDisk(ctx context.Context, key string) (diskDevice, error) {
	if e.pools == nil {
		pools, err := e.poolsByName(ctx)
		if err != nil {
			return diskDevice{}, err
		}
		e.pools = pools
	}
	v, err := e.planVolume(ctx, e.to, key, e.pools)
	if err != nil {
		return diskDevice{}, err
	}
	taken := targets(e.d.xml)
	if e.up {
		live, err := e.readDomain(ctx, e.dom, 0)
		if err != nil {
			return diskDevice{}, err
		}
		for name := range targets(live.xml) {
			taken[name] = true
		}
	}
	device := diskDevice{key: key, target: freeTarget(busOf(v.spec), taken), serial: serialOf(key), spec: v.spec}
	e.d.mark.setDisk(v.entry(device.target))
	if err := e.saveMark(ctx, e.dom, e.d, e.up); err != nil {
		return diskDevice{}, err
	}
	device.source, err = e.makeVolume(ctx, v)
	return device, err
}

func (e *edit) diskOptions(key string) {
	x := e.d.xml
	i := findDisk(x, e.d.mark, key)
	if i < 0 {
		return
	}
	disk, want := &x.Devices.Disks[i], e.to.Disks[key]
	if bus := busOf(want); disk.Target.Bus != bus {
		taken := targets(x)
		delete(taken, targetOf(disk))
		disk.Target = &libvirtxml.DomainDiskTarget{Dev: freeTarget(bus, taken), Bus: bus}
		disk.Address = nil
		if entry := e.d.mark.disk(key); entry != nil {
			entry.Device = disk.Target.Dev
		}
	}
	setDiskOptions(disk, want)
}

func (e *edit) noteDisk(c backends.Change) {
	if entry := e.d.mark.disk(c.Key); entry != nil {
		entry.Keep = isTrue(e.to.Disks[c.Key].KeepOnDestroy)
		if p := e.to.Disks[c.Key].Provisioning; p != nil {
			entry.Provisioning = *p
		}
	}
}

func (e *edit) coldCDROM(ctx context.Context, iso string) error {
	media, path, err := e.medium(ctx, iso)
	if err != nil {
		return err
	}
	x, m := e.d.xml, e.d.mark
	i := e.d.userDrive()
	if i < 0 {
		drive := driveDevice{target: freeTarget(driveBus, targets(x)), bus: driveBus, source: media}
		x.Devices.Disks = append(x.Devices.Disks, drive.device())
		m.CDROM = &driveMark{Device: drive.target, ISO: iso, Path: path}
		setBootOrder(x, m)
		return nil
	}
	x.Devices.Disks[i].Source = nil
	if iso != "" {
		x.Devices.Disks[i].Source = media.xml()
	}
	m.CDROM = &driveMark{Device: targetOf(&x.Devices.Disks[i]), ISO: iso, Path: path}
	return nil
}

// medium finds what goes into the drive; nothing for "".
func (e *edit) medium(ctx context.Context, iso string) (source, string, error) {
	if iso == "" {
		return source{}, "", nil
	}
	v, err := e.findISO(ctx, iso)
	if err != nil {
		return source{}, "", err
	}
	if e.pools == nil {
		if e.pools, err = e.poolsByName(ctx); err != nil {
			return source{}, "", err
		}
	}
	s, err := e.sourceOf(ctx, v, e.pools[v.Pool].Kind)
	return s, v.Path, err
}
