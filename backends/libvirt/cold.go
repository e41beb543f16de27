package libvirt

import (
	"context"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// cold edits the persistent definition: of a stopped VM, or of a running one whose
// changes wait for its next start.
func (e *edit) cold(ctx context.Context, changes []backends.Change) error {
	before := observeFirmware(e.d.xml)
	for _, c := range changes {
		if err := e.coldChange(ctx, c); err != nil {
			return err
		}
	}
	e.d.mark.record(e.to)
	e.hardware(changes)
	if err := e.writeSeed(ctx); err != nil {
		return err
	}
	e.d.mark.Pending = ""
	if e.up && !onlyNotes(changes) {
		e.d.mark.Pending = newUUID()
	}
	setIOThreads(e.d.xml)
	if err := e.define(ctx, e.d); err != nil {
		return err
	}
	if after := observeFirmware(e.d.xml); before.nvram != "" && before.nvram != after.nvram && !e.up {
		if err := e.removeNVRAM(ctx, e.host, before.nvram); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(changes, func(c backends.Change) bool { return c.Path == "name" }) {
		return e.rename(ctx)
	}
	return nil
}

// hardware writes the parts of the definition that are made from several attributes
// together, once, for the changes that touch them.
func (e *edit) hardware(changes []backends.Change) {
	var cpu, model, memory, firmware, machine bool
	for _, c := range changes {
		switch p := c.Path.Generic(); p {
		case "cpu.cores", "cpu.sockets", "cpu.threads", "cpu.max_cores":
			cpu = true
		case "cpu.model":
			model = true
		case "memory.size_mib", "memory.max_mib", "memory.ballooning":
			memory = true
		case "firmware", "secure_boot", "libvirt.loader":
			firmware = true
		case "libvirt.machine":
			machine = true
		case "libvirt.domain_type":
			model = model || e.from.CPU.Model == nil || !slices.Contains(e.host.cpuModels, *e.from.CPU.Model)
		}
	}
	x := e.d.xml
	if cpu {
		setVCPUs(x, e.to.CPU)
	}
	if model {
		setCPUModel(x, e.to.CPU.Model, e.host.defaultCPUMode(x.Type))
	}
	if memory {
		setMemory(x, e.to.Memory)
	}
	if machine {
		e.setMachine()
	}
	if firmware {
		fw := e.host.withNVRAM(firmwareOf(e.to), x.UUID)
		setFirmware(x, fw)
	}
}

// setMachine changes the machine type. Another family has other buses, so libvirt places
// the devices anew.
func (e *edit) setMachine() {
	x := e.d.xml
	was := x.OS.Type.Machine
	x.OS.Type.Machine = machineOf(e.to)
	if machineFamily(was) == machineFamily(x.OS.Type.Machine) {
		return
	}
	x.Devices.Controllers = slices.DeleteFunc(x.Devices.Controllers, func(c libvirtxml.DomainController) bool {
		return c.Type == "pci" || c.Type == "usb" || c.Type == "sata" || c.Type == "ide"
	})
	stripAddresses(x)
	addRootPorts(x)
}

func stripAddresses(x *libvirtxml.Domain) {
	for i := range x.Devices.Disks {
		x.Devices.Disks[i].Address = nil
	}
	for i := range x.Devices.Controllers {
		x.Devices.Controllers[i].Address = nil
	}
	for i := range x.Devices.Interfaces {
		x.Devices.Interfaces[i].Address = nil
	}
	for i := range x.Devices.Videos {
		x.Devices.Videos[i].Address = nil
	}
	for i := range x.Devices.RNGs {
		x.Devices.RNGs[i].Address = nil
	}
	for i := range x.Devices.Inputs {
		x.Devices.Inputs[i].Address = nil
	}
	for i := range x.Devices.Sounds {
		x.Devices.Sounds[i].Address = nil
	}
	for i := range x.Devices.Watchdogs {
		x.Devices.Watchdogs[i].Address = nil
	}
	if x.Devices.MemBalloon != nil {
		x.Devices.MemBalloon.Address = nil
	}
}

// coldChange makes one change that is not part of hardware.
func (e *edit) coldChange(ctx context.Context, c backends.Change) error {
	x, m := e.d.xml, e.d.mark
	switch p := c.Path.Generic(); p {
	case "name":
		if e.up {
			return backends.Errorf(backends.Unsupported, "", "", "libvirt renames a VM only while it does not run, and cannot keep a new name for later").At("name")
		}
		e.seed = true
	case "description":
		x.Description = c.To.(string)
	case "guest_os":
		setGuestOS(x, e.to.GuestOS)
	case "tpm":
		m.HadTPM = m.HadTPM || hasTPM(x)
		setTPM(x, isTrue(e.to.TPM))
	case "cpu.affinity":
		x.VCPU.CPUSet = c.To.(string)
	case "libvirt.domain_type":
		x.Type = c.To.(string)
	case "libvirt.autostart":
		return e.setAutostart(ctx, e.dom, c.To.(bool))
	case "disks":
		return e.coldDisk(ctx, c)
	case "disks.size_gib":
		return e.grow(ctx, c)
	case "disks.bus", "disks.cache", "disks.discard", "disks.ssd", "disks.iothread":
		e.diskOptions(c.Key)
	case "disks.keep_on_destroy", "disks.provisioning":
		e.noteDisk(c)
	case "networks":
		return e.coldNIC(ctx, c)
	case "networks.network", "networks.vlan":
		return e.coldNetwork(ctx, c.Key)
	case "networks.model", "networks.mac", "networks.mtu", "networks.connected":
		return e.nicOptions(ctx, c)
	case "networks.order":
		e.reorder(c)
	case "cdrom.iso":
		return e.coldCDROM(ctx, c.To.(string))
	default:
		if isSeedPath(p) {
			e.seed = true
		}
	}
	return nil
}

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
	if i >= 0 { // its volume is gone; the device goes with it
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

func (e *edit) coldNIC(ctx context.Context, c backends.Change) error {
	x, m := e.d.xml, e.d.mark
	if c.Action == backends.Remove {
		if i := findNIC(x, m, c.Key); i >= 0 {
			x.Devices.Interfaces = slices.Delete(x.Devices.Interfaces, i, i+1)
		}
		m.dropNIC(c.Key)
		e.seed = true
		return nil
	}
	nic, err := e.newNIC(ctx, c.Key)
	if err != nil {
		return err
	}
	x.Devices.Interfaces = append(x.Devices.Interfaces, nic.device())
	e.seed = true
	return nil
}

// newNIC checks a new interface, finds it an address and notes its key.
func (e *edit) newNIC(ctx context.Context, key string) (nicDevice, error) {
	spec := e.to.Networks[key]
	if err := e.checkNetwork(ctx, key, spec); err != nil {
		return nicDevice{}, err
	}
	macs, release, err := e.takeMACs(ctx, e.d.xml.Name, e.dom.UUID, map[string]backends.NIC{key: spec})
	if err != nil {
		return nicDevice{}, err
	}
	defer release()
	e.d.mark.setNIC(nicMark{Key: key, MAC: macs[key], Order: spec.Order})
	return nicDevice{key: key, mac: macs[key], network: e.networkFor(spec), spec: spec}, nil
}

func (e *edit) coldNetwork(ctx context.Context, key string) error {
	spec := e.to.Networks[key]
	if err := e.checkNetwork(ctx, key, spec); err != nil {
		return err
	}
	i := findNIC(e.d.xml, e.d.mark, key)
	if i < 0 {
		return nil
	}
	nic := &e.d.xml.Devices.Interfaces[i]
	if networkOf(nic) != e.networkFor(spec) {
		setNICNetwork(nic, e.networkFor(spec))
	}
	setNICOptions(nic, spec)
	return nil
}

func (e *edit) nicOptions(ctx context.Context, c backends.Change) error {
	i := findNIC(e.d.xml, e.d.mark, c.Key)
	if i < 0 {
		return nil
	}
	nic, want := &e.d.xml.Devices.Interfaces[i], e.to.Networks[c.Key]
	switch c.Path.Generic() {
	case "networks.mac":
		macs, release, err := e.takeMACs(ctx, e.d.xml.Name, e.dom.UUID, map[string]backends.NIC{c.Key: want})
		if err != nil {
			return err
		}
		defer release()
		nic.MAC = &libvirtxml.DomainInterfaceMAC{Address: macs[c.Key]}
		entry := nicMark{Key: c.Key, Order: want.Order, MAC: macs[c.Key]}
		e.d.mark.setNIC(entry)
		e.seed = true
	case "networks.model":
		nic.Address = nil // another model may sit on another kind of bus
		nic.Driver = nil
		setNICOptions(nic, want)
	default:
		setNICOptions(nic, want)
		e.seed = e.seed || c.Path.Generic() == "networks.mtu"
	}
	return nil
}

// reorder puts the interfaces into the order that is asked for, and has libvirt place them anew.
func (e *edit) reorder(c backends.Change) {
	x, m := e.d.xml, e.d.mark
	if entry := m.nic(c.Key); entry != nil {
		entry.Order = e.to.Networks[c.Key].Order
	}
	keys := nicKeys(x, m)
	place := map[string]int{}
	for i, key := range nicOrder(e.to.Networks) {
		place[key] = i
	}
	indices := make([]int, len(keys))
	for i := range indices {
		indices[i] = i
	}
	slices.SortStableFunc(indices, func(a, b int) int { return place[keys[a]] - place[keys[b]] })
	sorted := make([]libvirtxml.DomainInterface, 0, len(keys))
	for _, i := range indices {
		nic := x.Devices.Interfaces[i]
		nic.Address = nil
		sorted = append(sorted, nic)
	}
	x.Devices.Interfaces = sorted
	e.seed = true
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

// rename gives a stopped VM its new name.
func (e *edit) rename(ctx context.Context) error {
	if e.to.Name == e.d.xml.Name {
		return nil
	}
	dom, err := query(ctx, e.Backend, func(l *rpc.Libvirt) (rpc.Domain, error) { return l.DomainLookupByName(e.to.Name) })
	switch {
	case err == nil && dom.UUID == e.dom.UUID:
		return nil
	case err == nil:
		return nameTaken(e.to.Name, backends.ID(formatUUID(dom.UUID)))
	case backends.CodeOf(err) != backends.NotFound:
		return err
	}
	// libvirt names the file of firmware variables by the VM, unless the definition
	// does: without this the variables would stay behind under the old name.
	if fw := observeFirmware(e.d.xml); fw.uefi && fw.nvram == "" && e.host.systemDaemon {
		e.d.xml.OS.NVRam = &libvirtxml.DomainNVRam{NVRam: nvramFolder + e.d.xml.Name + "_VARS.fd"}
		if err := e.define(ctx, e.d); err != nil {
			return err
		}
	}
	return e.once(ctx, func(l *rpc.Libvirt) error {
		_, err := l.DomainRename(e.dom, rpc.OptString{e.to.Name}, 0)
		return err
	})
}
