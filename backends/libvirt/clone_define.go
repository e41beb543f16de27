package libvirt

import (
	"context"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// cloneBlueprint lays a clone out: the source's devices keep their places.
func (c *creation) cloneBlueprint() *blueprint {
	o, spec := c.origin, c.spec
	m := inheritMark(o.d.mark, spec)
	b := &blueprint{uuid: c.uuid, spec: spec, host: c.host, mark: m}
	taken := o.inheritedTargets(spec)
	for _, v := range c.volumes {
		device := diskDevice{key: v.key, serial: serialOf(v.key), spec: v.spec}
		if i := findDisk(o.d.xml, o.d.mark, v.key); v.inherited && o.d.xml.Devices.Disks[i].Target.Bus == device.bus() {
			device.target = targetOf(&o.d.xml.Devices.Disks[i])
		} else {
			device.target = freeTarget(device.bus(), taken)
		}
		b.disks = append(b.disks, device)
		m.setDisk(v.entry(device.target))
	}
	switch i := o.userDrive(); {
	case i >= 0:
		drive := &o.d.xml.Devices.Disks[i]
		m.CDROM = &driveMark{Device: targetOf(drive), ISO: o.spec.CDROM.ISO, Path: pathOf(drive)}
		if !c.inheritsMedium() {
			b.cdrom = &driveDevice{target: targetOf(drive)}
			m.CDROM.ISO, m.CDROM.Path = "", ""
		}
	case spec.CDROM != nil:
		b.cdrom = &driveDevice{target: freeTarget(driveBus, taken), bus: driveBus}
		m.CDROM = &driveMark{Device: b.cdrom.target}
	}
	if wantsSeed(spec) {
		target, bus := o.seed, o.seedBus
		if target == "" {
			target, bus = freeTarget(driveBus, taken), driveBus
		}
		pool := c.seedPool(spec)
		b.seed = &driveDevice{target: target, bus: bus}
		m.Seed = &seedMark{Device: target, Pool: pool, Volume: volumeName(spec.Name, "seed", "iso", c.pools[pool].Kind)}
	}
	for _, key := range c.cloneNICs() {
		nic := spec.Networks[key]
		b.nics = append(b.nics, nicDevice{key: key, mac: c.macs[key], network: c.networkFor(nic), spec: nic})
		m.setNIC(nicMark{Key: key, MAC: c.macs[key], Order: nic.Order})
	}
	for _, v := range c.volumes {
		if v.inherited && (v.create.Backing != nil || o.writable(false)) {
			m.Origin = string(o.id)
		}
	}
	return b
}

// forgetOrigin is for when a clone is complete: one that shares nothing has nothing more to do with its source.
func (c *creation) forgetOrigin(b *blueprint) {
	if !c.shares() {
		b.mark.Origin = ""
	}
}

// shares reports whether one of the VM's disks is a layer over somebody else's content.
func (c *creation) shares() bool {
	return slices.ContainsFunc(c.volumes, func(v newVolume) bool { return v.create != nil && v.create.Backing != nil })
}

// inheritedTargets are the names of the source's devices that the clone has too.
func (o *origin) inheritedTargets(spec *backends.VMSpec) map[string]bool {
	taken := map[string]bool{}
	for i, key := range diskKeys(o.d.xml, o.d.mark) {
		disk := &o.d.xml.Devices.Disks[i]
		if want, ok := spec.Disks[key]; key == "" || ok && want.Volume == nil && busOf(want) == disk.Target.Bus {
			taken[targetOf(disk)] = true
		}
	}
	return taken
}

// cloneNICs is the order of a clone's interfaces: the source's, and then new ones, or, where keys and
// orders decide it and were changed, theirs.
func (c *creation) cloneNICs() []string {
	o := c.origin
	var keys []string
	ordered := false
	for _, key := range nicKeys(o.d.xml, o.d.mark) {
		if _, ok := c.spec.Networks[key]; ok {
			keys = append(keys, key)
		}
	}
	for _, key := range nicOrder(c.spec.Networks) {
		ordered = ordered || c.asked.Networks[key].Order != nil
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
			ordered = ordered || o.ours()
		}
	}
	if ordered {
		return nicOrder(c.spec.Networks)
	}
	return keys
}

// ours reports whether the source was made by this provider, so that its devices lie as in blueprint.
func (o *origin) ours() bool { return o.d.mark != nil && !o.d.mark.Adopted }

// buildClone writes a clone's definition: the source's, with the identity, the devices and the
// settings of the clone. While the clone is partial, it has no disks and drives.
func (c *creation) buildClone(ctx context.Context, b *blueprint) (*libvirtxml.Domain, error) {
	o := c.origin
	text, err := o.d.xml.Marshal()
	if err != nil {
		return nil, err
	}
	d, err := parseDomain(text)
	if err != nil {
		return nil, err
	}
	x := d.xml
	setIdentity(x, b.uuid, b.spec.Name)
	if o.exposed {
		hideScreens(x)
	}
	d.mark = b.mark
	e := &edit{Backend: c.Backend, d: d, host: c.host, mode: backends.Cold, from: &o.spec, to: c.spec}
	settings := slices.DeleteFunc(slices.Clone(c.changes), func(ch backends.Change) bool { return ch.PartOfAddition() || !isSetting(ch, o) })
	for _, change := range settings {
		if err := e.coldChange(ctx, change); err != nil {
			return nil, err
		}
	}
	e.hardware(settings)
	b.mark.HadTPM = false // that was the source's
	b.mark.record(c.spec)
	c.cloneDisks(x, b)
	moved := c.cloneInterfaces(x, b)
	setIOThreads(x)
	if moved || o.ours() && slices.ContainsFunc(c.changes, func(ch backends.Change) bool {
		return ch.Action == backends.Add || ch.Action == backends.Remove
	}) {
		setBootOrder(x, b.mark)
	}
	if o.ours() {
		addSpareSlots(x)
	}
	return x, writeMark(x, b.mark)
}

// isSetting reports whether a change is one that Reconfigure makes by an edit of the definition
// alone, and the same edit serves a clone.
func isSetting(ch backends.Change, o *origin) bool {
	p := ch.Path.Generic()
	root, _, _ := strings.Cut(p, ".")
	switch root {
	case "name", "disks", "networks", "cdrom", "dns", "cloud_init", "tags", "settings", "placement":
		return false
	}
	// What a foreign VM runs its maker knows: this only says it.
	return p != "libvirt.autostart" && (p != "guest_os" || o.ours() || ch.From != nil)
}

// cloneDisks puts the clone's disks and drives in place of the source's.
func (c *creation) cloneDisks(x *libvirtxml.Domain, b *blueprint) {
	o := c.origin
	have := map[string]libvirtxml.DomainDisk{}
	var drives []libvirtxml.DomainDisk
	user := o.userDrive()
	for i, key := range diskKeys(o.d.xml, o.d.mark) {
		disk := x.Devices.Disks[i]
		switch {
		case key != "":
			have[key] = disk
		case o.seed != "" && targetOf(&disk) == o.seed, o.d.mark != nil && o.d.mark.Seed != nil && targetOf(&disk) == o.d.mark.Seed.Device:
			// The clone has its own, or none.
		case i == user && b.cdrom != nil:
			disk.Source = nil
			if s := b.cdrom.source; s.Path != "" || s.Volume != "" {
				disk.Source = s.xml()
			}
			drives = append(drives, disk)
		default:
			drives = append(drives, disk)
		}
	}
	x.Devices.Disks = nil
	if b.mark.Partial {
		return
	}
	for _, device := range b.disks {
		base, inherited := have[device.key]
		if i := slices.IndexFunc(c.volumes, func(v newVolume) bool { return v.key == device.key }); inherited && c.volumes[i].inherited {
			x.Devices.Disks = append(x.Devices.Disks, device.clonedFrom(base, c.asked.Disks[device.key]))
		} else {
			x.Devices.Disks = append(x.Devices.Disks, device.device())
		}
	}
	x.Devices.Disks = append(x.Devices.Disks, drives...)
	if b.cdrom != nil && user < 0 {
		x.Devices.Disks = append(x.Devices.Disks, b.cdrom.device())
	}
	if b.seed != nil {
		x.Devices.Disks = append(x.Devices.Disks, b.seed.device())
	}
}

// clonedFrom is a device like base, the source's, with the clone's volume and what was asked for.
func (k diskDevice) clonedFrom(base libvirtxml.DomainDisk, asked backends.Disk) libvirtxml.DomainDisk {
	d := base
	d.Source, d.BackingStore, d.Mirror = k.source.xml(), nil, nil
	d.Serial, d.WWN = k.serial, ""
	if d.Driver == nil {
		d.Driver = &libvirtxml.DomainDiskDriver{Name: "qemu"}
	}
	d.Driver.Type = choose(k.source.Format == "", "raw", k.source.Format)
	if d.Target.Bus != k.bus() {
		d.Address = nil
	}
	d.Target.Dev, d.Target.Bus = k.target, k.bus()
	setDiskOptions(&d, asked)
	return d
}

// cloneInterfaces puts the clone's interfaces in place of the source's, and reports whether they lie
// in another order than there.
func (c *creation) cloneInterfaces(x *libvirtxml.Domain, b *blueprint) (moved bool) {
	have := map[string]libvirtxml.DomainInterface{}
	var order []string
	for i, key := range nicKeys(c.origin.d.xml, c.origin.d.mark) {
		have[key] = x.Devices.Interfaces[i]
		if _, ok := c.spec.Networks[key]; ok {
			order = append(order, key)
		}
	}
	x.Devices.Interfaces = nil
	for i, nic := range b.nics {
		base, inherited := have[nic.key]
		if !inherited {
			x.Devices.Interfaces = append(x.Devices.Interfaces, nic.device())
			continue
		}
		moved = moved || i >= len(order) || order[i] != nic.key
		x.Devices.Interfaces = append(x.Devices.Interfaces, nic.clonedFrom(base, c.asked.Networks[nic.key]))
	}
	if moved {
		for i := range x.Devices.Interfaces {
			x.Devices.Interfaces[i].Address = nil
		}
	}
	return moved
}

// clonedFrom is an interface like base, the source's, with another address and what was asked for.
func (n nicDevice) clonedFrom(base libvirtxml.DomainInterface, asked backends.NIC) libvirtxml.DomainInterface {
	d := base
	d.MAC = &libvirtxml.DomainInterfaceMAC{Address: n.mac}
	d.Target = nil // the host's name for it
	if port := d.VirtualPort; port != nil && port.Params != nil && port.Params.OpenVSwitch != nil {
		port.Params.OpenVSwitch.InterfaceID = "" // libvirt makes one
	}
	if asked.Network != nil && networkOf(&d) != n.network {
		setNICNetwork(&d, n.network)
	}
	if asked.Model != nil && (d.Model == nil || d.Model.Type != *asked.Model) {
		d.Address, d.Driver = nil, nil // another model may sit on another kind of bus
	}
	setNICOptions(&d, asked)
	return d
}

// setIdentity takes from a definition what must be one VM's alone.
func setIdentity(x *libvirtxml.Domain, uuid, name string) {
	was := x.UUID
	x.ID, x.UUID, x.Name = nil, uuid, name
	if x.GenID != nil {
		x.GenID.Value = "" // libvirt makes one: the guest sees that it was copied
	}
	for i := range x.SysInfo {
		if bios := x.SysInfo[i].SMBIOS; bios != nil && bios.System != nil {
			bios.System.Entry = slices.DeleteFunc(bios.System.Entry, func(e libvirtxml.DomainSysInfoEntry) bool {
				return e.Name == "uuid" || e.Name == "serial" && strings.EqualFold(e.Value, was)
			})
		}
	}
	if os := x.OS; os.NVRam != nil {
		// libvirt makes the file when the VM starts, from the same template.
		os.NVRam = &libvirtxml.DomainNVRam{Template: os.NVRam.Template, TemplateFormat: os.NVRam.TemplateFormat}
		if *os.NVRam == (libvirtxml.DomainNVRam{}) {
			os.NVRam = nil
		}
	}
	dev := x.Devices
	for i := range dev.Channels {
		if s := dev.Channels[i].Source; s != nil && s.UNIX != nil && s.UNIX.Mode == "bind" {
			s.UNIX.Path = ""
		}
	}
	if dev.VSock != nil {
		dev.VSock.CID = &libvirtxml.DomainVSockCID{Auto: "yes"}
	}
	for i := range dev.Graphics {
		if vnc := dev.Graphics[i].VNC; vnc != nil {
			vnc.Passwd, vnc.PasswdValidTo = "", ""
			if vnc.Socket == "" {
				vnc.Port, vnc.WebSocket, vnc.AutoPort = 0, 0, "yes"
			}
		}
		if spice := dev.Graphics[i].Spice; spice != nil {
			spice.Passwd, spice.PasswdValidTo = "", ""
			spice.Port, spice.TLSPort, spice.AutoPort = 0, 0, "yes"
		}
	}
}
