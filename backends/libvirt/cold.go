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
	var cpu, model, memory, firmware, machine, nested, console bool
	for _, c := range changes {
		switch p := c.Path.Generic(); p {
		case "cpu.cores", "cpu.sockets", "cpu.threads", "cpu.max_cores":
			cpu = true
		case "cpu.shares", "cpu.limit_mhz":
			tune := backends.CPU{Shares: e.to.CPU.Shares}
			if p == "cpu.limit_mhz" {
				tune = backends.CPU{LimitMHz: e.to.CPU.LimitMHz}
			}
			setCPUTune(e.d.xml, tune, e.d.mark, e.host.mhz)
		case "cpu.model":
			model = true
		case "memory.size_mib", "memory.max_mib", "memory.hot_add", "memory.ballooning", "memory.limit_mib", "memory.reservation_mib":
			memory = true
		case "nested_virtualization":
			nested = true
		case "console.type", "console.address", "console.port", "console.tls", "console.password_wo_version":
			console = true
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
	if model || nested {
		setNested(x, e.to.NestedVirtualization, e.host.nestedFeature(x.Type), e.host.defaultCPUMode(x.Type))
	}
	if memory {
		setMemory(x, e.to.Memory)
		setMemoryTune(x, e.to.Memory, e.d.mark)
	}
	if console {
		setConsole(x, e.to.Console)
		if screenOf(x).password() == "" {
			e.d.mark.ConsolePassword = nil // it went with the screen
		}
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
		x.Description = deref(e.to.Description)
	case "guest_os":
		if c.From == nil && m.Adopted {
			break // its maker has set it up for its guest: this only says what that is
		}
		setGuestOS(x, e.to.GuestOS)
	case "tpm":
		m.HadTPM = m.HadTPM || hasTPM(x)
		setTPM(x, isTrue(e.to.TPM))
	case "watchdog":
		setWatchdog(x, e.to.Watchdog)
	case "rng":
		setRNG(x, isTrue(e.to.RNG))
	case "cpu.affinity":
		x.VCPU.CPUSet = deref(e.to.CPU.Affinity)
	case "libvirt.domain_type":
		x.Type = e.host.domainType(e.to.Libvirt)
	case "libvirt.autostart":
		return e.setAutostart(ctx, e.dom, isTrue(e.to.Libvirt.Autostart))
	case "disks":
		return e.coldDisk(ctx, c)
	case "disks.size_gib":
		return e.grow(ctx, c)
	case "disks.bus", "disks.cache", "disks.discard", "disks.ssd", "disks.iothread", "disks.iops_limit", "disks.throughput_mib":
		e.diskOptions(c.Key)
	case "disks.keep_on_destroy", "disks.provisioning":
		e.noteDisk(c)
	case "networks":
		return e.coldNIC(ctx, c)
	case "networks.network", "networks.vlan":
		return e.coldNetwork(ctx, c.Key)
	case "networks.model", "networks.mac", "networks.mtu", "networks.connected", "networks.bandwidth_mbps":
		return e.nicOptions(ctx, c)
	case "networks.order":
		e.reorder(c)
	case "cdrom.iso":
		return e.coldCDROM(ctx, e.to.CDROM.ISO)
	default:
		if isSeedPath(p) {
			e.seed = true
		}
	}
	return nil
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
