package proxmox

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

var (
	machineForm  = regexp.MustCompile(`^(pc(-i440fx)?(-\d+(\.\d+)+(\+pve\d+)?)?|q35|pc-q35-\d+(\.\d+)+(\+pve\d+)?|virt(-\d+(\.\d+)+)?(\+pve\d+)?)$`)
	scsiHardware = []string{"virtio-scsi-single", "virtio-scsi-pci", "lsi", "lsi53c810", "megasas", "pvscsi"}
)

const (
	usualSCSI    = "virtio-scsi-single" // each disk has a controller, and a thread where it asks for one
	hardwareSCSI = "lsi"                // Proxmox VE's own where nothing is said
	usualMachine = "pc"
)

// wanted are the options that are asked for, of which none may be.
func (e *edit) wanted() backends.ProxmoxOptions {
	return orElse(e.asked.Proxmox, backends.ProxmoxOptions{})
}

// had are the options that the VM has.
func (e *edit) had() backends.ProxmoxOptions {
	return orElse(e.from.Proxmox, backends.ProxmoxOptions{})
}

// machine is the type of the machine and of its controller of SCSI disks.
func (e *edit) machine() error {
	have, want := e.had(), e.wanted()
	if want.VMID != nil && *want.VMID != e.VMID {
		return invalid("proxmox.vm_id", "the VM has the id %d, which it keeps", e.VMID)
	}
	if changed(have.Machine, want.Machine) {
		if !machineForm.MatchString(*want.Machine) {
			return invalid("proxmox.machine", `%q is neither "q35", "pc" nor a version of them such as "pc-q35-9.2"`, *want.Machine)
		}
		e.setMachine(*want.Machine, "proxmox.machine")
	}
	if want.Machine != nil {
		e.mark.Machine = ""
		if *want.Machine == machineFamily(*want.Machine) {
			e.mark.Machine = *want.Machine
		}
	}
	switch {
	case changed(have.SCSIController, want.SCSIController):
		if !slices.Contains(scsiHardware, *want.SCSIController) {
			return invalid("proxmox.scsi_controller", "%q is none of %s", *want.SCSIController, strings.Join(scsiHardware, ", "))
		}
		e.set("scsihw", *want.SCSIController, "proxmox.scsi_controller")
	case e.creating():
		e.set("scsihw", usualSCSI, "proxmox.scsi_controller")
	}
	return nil
}

// machineFamily is a machine type without its version.
func machineFamily(kind string) string {
	switch {
	case strings.Contains(kind, "q35"):
		return "q35"
	case strings.HasPrefix(kind, "virt"):
		return "virt"
	}
	return usualMachine
}

// machineTold is the machine type as it was asked for: Proxmox VE gives one with Windows a version.
func (h *hardware) machineTold() string {
	kind := cmp.Or(h.Config.Machine(), usualMachine)
	if asked := h.marked().Machine; asked != "" && machineFamily(kind) == asked {
		return asked
	}
	return kind
}

// setMachine keeps the other options of the key machine.
func (e *edit) setMachine(kind string, path backends.Path) {
	p := e.next.Props("machine")
	key := ""
	if _, named := p.Lookup("type"); named {
		key = "type"
	}
	e.set("machine", p.With(key, kind).String(), path)
}

// managed are the keys that other attributes speak for, or that are Proxmox VE's own.
var managed = []string{
	"name", "description", "tags", "ostype", "cores", "sockets", "vcpus", "cpulimit", "cpuunits", "affinity", "memory", "balloon", "shares",
	"bios", "efidisk0", "tpmstate0", "boot", "bootdisk", "cdrom", "scsihw", "machine", "onboot", "cicustom", "smbios1", "vmgenid", "meta",
	"digest", "lock", "parent", "template", "vmid", "node", "pool", "storage", "archive", "start", "snapshots", "delete", "revert", "skiplock", "force",
	"ciuser", "cipassword", "sshkeys", "nameserver", "searchdomain", "ciupgrade", "citype",
	"background_delay", "bwlimit", "import-working-storage", "live-restore", "unique", // of one request: no configuration has them
}

var optionName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// isManaged reports whether a key of a configuration is none for proxmox.options.
func isManaged(key string) bool {
	_, numbered := vmconf.ParseSlot(key, "ide", "scsi", "virtio", "sata", "net", "ipconfig", "hostpci", "usb", "unused")
	return numbered || slices.Contains(managed, key) || !optionName.MatchString(key)
}

// options are settings by Proxmox VE's own names. Other attributes build on them.
func (e *edit) options() error {
	if want := e.asked.Proxmox; want != nil && changed(e.had().Autostart, want.Autostart) && (!e.creating() || *want.Autostart) {
		e.set("onboot", vmconf.Flag(*want.Autostart), "proxmox.autostart")
	}
	if e.creating() {
		e.set("agent", "1", "proxmox.options")
	}
	want := e.wanted().Options
	if want == nil {
		return nil
	}
	const path = backends.Path("proxmox.options")
	for _, key := range slices.Sorted(maps.Keys(want)) {
		switch {
		case isManaged(key):
			return invalid(path, "%q is no option of its own: other attributes of the VM speak for it", key)
		case strings.TrimSpace(want[key]) == "":
			return invalid(path, "the option %q has an empty value: leave it out", key)
		case e.next[key] != want[key]:
			e.set(key, want[key], path)
		}
	}
	for _, key := range e.mark.Options {
		if _, stays := want[key]; stays || e.next[key] == "" {
			continue
		}
		text := ""
		if key == "agent" { // on, as in a new VM
			text = "1"
		}
		e.set(key, text, path)
	}
	e.mark.Options = slices.Sorted(maps.Keys(want))
	return nil
}

// checkOptions refuses an option that another attribute has overruled.
func (e *edit) checkOptions() error {
	want := e.wanted().Options
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if now := e.next[key]; now != want[key] {
			return invalid("proxmox.options", "the option %q is %q, and with the VM's other attributes it is %q: say it in one place", key, want[key], now)
		}
	}
	return nil
}

// switches are the options of drives and interfaces that are on or off.
var switches = []string{"backup", "detect_zeroes", "firewall", "replicate", "ro", "scsiblock"}

// parts applies the options of one drive or interface: those in had that want does not have are taken away.
func parts(p vmconf.Props, had []string, want map[string]string, own []string, path backends.Path) (vmconf.Props, []string, error) {
	if want == nil {
		return p, had, nil
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		switch {
		case slices.Contains(own, key) || !optionName.MatchString(key):
			return p, had, invalid(path, "%q is no option of its own: other attributes speak for it", key)
		case want[key] == "" || strings.ContainsAny(want[key], ", \n"):
			return p, had, invalid(path, "%q is no value of the option %q", want[key], key)
		case slices.Contains(switches, key) && want[key] != "1" && want[key] != "0": // what else Proxmox VE takes, it writes so
			return p, had, invalid(path, `the option %q is "1" or "0", not %q`, key, want[key])
		}
		p = p.With(key, want[key])
	}
	for _, key := range had {
		if _, stays := want[key]; !stays {
			p = p.Without(key)
		}
	}
	return p, slices.Sorted(maps.Keys(want)), nil
}

// observeParts tells those options that were asked for.
func observeParts(p vmconf.Props, keys []string) map[string]string {
	options := map[string]string{}
	for _, key := range keys {
		if text, ok := p.Lookup(key); ok {
			options[key] = text
		}
	}
	return options
}

func (h *hardware) observeOptions() *backends.ProxmoxOptions {
	c := h.Config
	o := &backends.ProxmoxOptions{
		VMID: new(h.VMID), Machine: new(h.machineTold()), SCSIController: new(c["scsihw"]), Autostart: new(c.Bool("onboot", false)),
		Snippets: map[string]string{}, Options: map[string]string{},
	}
	if *o.SCSIController == "" {
		o.SCSIController = new(hardwareSCSI)
	}
	for _, part := range c.Props("cicustom") {
		if part.Key != "" {
			o.Snippets[part.Key] = part.Value
		}
	}
	for _, key := range h.marked().Options {
		if text, ok := c[key]; ok {
			o.Options[key] = text
		}
	}
	return o
}
