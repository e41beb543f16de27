package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// keyPrivileges are the privileges that setting a key takes. Keys that are not in it, nor handled by
// their own rules, are for root alone.
var keyPrivileges = map[string]string{}

func init() {
	for priv, keys := range map[string]string{
		"VM.Config.CPU":       "cores cpu cpulimit cpuunits numa smp sockets vcpus affinity",
		"VM.Config.Memory":    "memory balloon shares",
		"VM.Config.HWType":    "acpi hotplug kvm machine scsihw smbios1 tablet vga watchdog audio0 rng0",
		"VM.Config.Options":   "agent autostart bios description keyboard localtime migrate_downtime migrate_speed name onboot ostype protection reboot startdate startup tdf template allow-ksm",
		"VM.PowerMgmt":        "freeze",
		"VM.Config.Disk":      "boot bootdisk vmstatestorage",
		"VM.Config.Cloudinit": "cicustom cipassword citype ciuser ciupgrade nameserver searchdomain sshkeys",
	} {
		for key := range strings.FieldsSeq(keys) {
			keyPrivileges[key] = priv
		}
	}
	delete(keyPrivileges, "affinity") // root's alone
}

// checkKeyPrivileges refuses keys that are not the user's to change, at the VM or at the pool it is to join.
func (r *request) checkKeyPrivileges(keys []string, pool string) error {
	if r.user.root() {
		return nil
	}
	for _, key := range keys {
		if isDrive(key) || key == "cdrom" || key == "tags" || isUnused(key) || hasNumber(key, "serial") || hasNumber(key, "usb") ||
			hasNumber(key, "hostpci") || hasNumber(key, "virtiofs") {
			continue // their rules look at the value
		}
		privs := []string{keyPrivileges[key]}
		switch {
		case hasNumber(key, "numa"):
			privs[0] = "VM.Config.CPU"
		case isNIC(key):
			privs[0] = "VM.Config.Network"
		case hasNumber(key, "ipconfig"):
			privs[0] = "VM.Config.Cloudinit"
		case key == "vmstate":
			privs = []string{"VM.Config.Disk", "VM.PowerMgmt"}
		case privs[0] == "":
			return die("only root can set '%s' config", key)
		}
		if err := r.needVM(pool, privs...); err != nil {
			return err
		}
		if key == "startup" {
			if err := r.need(r, "/", "Sys.Modify"); err != nil {
				return err
			}
		}
	}
	return nil
}

// needVM is need for the VM of the path, or for the pool that it is to join.
func (r *request) needVM(pool string, privs ...string) error {
	need := r.need
	if len(privs) == 1 && privs[0] == "VM.Config.Cloudinit" {
		need, privs = r.needAny, []string{"VM.Config.Cloudinit", "VM.Config.Network"}
	}
	if pool != "" && need(r, "/pool/"+pool, privs...) == nil {
		return nil
	}
	return need(r, "/vms/"+r.p["vmid"], privs...)
}

// checkDevices refuses a new VM devices of the host that are not mapped, unless it is root's. Who may make the VM may give it
// drives: only their storages are asked about.
func (r *request) checkDevices(set params, pool string) error {
	if r.user.root() {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if isDrive(key) || isNIC(key) {
			continue
		}
		if err := r.checkDevice(key, set[key], pool, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *request) checkDevice(key, value, pool string, change bool) error {
	if r.user.root() {
		return nil
	}
	switch {
	case hasNumber(key, "serial"):
		if value == "socket" {
			return r.needVM(pool, "VM.Config.HWType")
		}
		if change {
			return die("only root can modify '%s' config for real devices", key)
		}
		return die("only root can set '%s' config for real devices", key)
	case hasNumber(key, "usb"):
		host, mapping := property(value, "host", "host"), property(value, "mapping", "")
		return r.checkMapped(key, "usb", pool, host != "" && !strings.EqualFold(host, "spice"), host != "", mapping, "real")
	case hasNumber(key, "hostpci"):
		host, mapping := property(value, "host", "host"), property(value, "mapping", "")
		return r.checkMapped(key, "pci", pool, host != "", host != "", mapping, "non-mapped")
	case hasNumber(key, "virtiofs"):
		if err := r.needVM(pool, "VM.Config.Disk"); err != nil {
			return err
		}
		return r.need(r, "/mapping/dir/"+property(value, "dirid", "dirid"), "Mapping.Use")
	case key == "rng0":
		if err := r.needVM(pool, "VM.Config.HWType"); err != nil || property(value, "source", "source") != "/dev/hwrng" {
			return err
		}
		return r.need(r, "/mapping/hwrng", "Mapping.Use")
	case isDrive(key):
		return r.checkDrivePrivileges(parseDrive(value), pool)
	case isNIC(key):
		return r.checkBridge(value)
	}
	return nil
}

// checkMapped is the rule of devices that may be a host's own, which are for root, or mapped ones.
func (r *request) checkMapped(key, kind, pool string, rootOnly, named bool, mapping, what string) error {
	switch {
	case rootOnly:
		return die("only root can set '%s' config for %s devices", key, what)
	case mapping != "":
		if err := r.need(r, "/mapping/"+kind+"/"+mapping, "Mapping.Use"); err != nil {
			return err
		}
	case !named:
		return die("either 'host' or 'mapping' must be set.")
	}
	return r.needVM(pool, "VM.Config.HWType")
}

// checkDrivePrivileges are the privileges that a drive takes, by what is in it.
func (r *request) checkDrivePrivileges(d drive, pool string) error {
	switch {
	case d.cloudInit():
		return r.needVM(pool, "VM.Config.Cloudinit", "VM.Config.CDROM")
	case d.cdrom():
		return r.needVM(pool, "VM.Config.CDROM")
	}
	return r.needVM(pool, "VM.Config.Disk")
}

// checkBridges refuses bridges that the user may not use.
func (r *request) checkBridges(set params) error {
	if r.user.root() {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if !isNIC(key) {
			continue
		}
		if err := r.checkBridge(set[key]); err != nil {
			return err
		}
	}
	return nil
}

// checkBridge refuses an interface whose bridge, or one of whose VLANs there, the user may not use.
func (r *request) checkBridge(value string) error {
	n := parseNIC(value)
	bridge := n.options["bridge"]
	if bridge == "" || r.user.root() {
		return nil
	}
	path := "/sdn/zones/localnetwork/" + bridge
	tags := trunkTags(n.options["trunks"])
	if tag := n.options["tag"]; tag != "" {
		tags = append([]string{tag}, tags...)
	}
	for _, tag := range tags {
		if err := r.need(r, path+"/"+tag, "SDN.Use"); err != nil {
			return err
		}
	}
	if len(tags) > 0 {
		return nil
	}
	return r.need(r, path, "SDN.Use")
}

// trunkTags are the VLANs of a list such as "2-4;7".
func trunkTags(trunks string) []string {
	var tags []string
	for _, part := range splitList(trunks) {
		first, last, _ := strings.Cut(part, "-")
		for tag := digits(first); tag <= max(digits(first), digits(last)); tag++ {
			tags = append(tags, strconv.Itoa(tag))
		}
	}
	return tags
}

// checkTags refuses a change of tags by who may not change the VM's options.
func (r *request) checkTags() error {
	if r.user.root() {
		return nil
	}
	return r.needVM("", "VM.Config.Options")
}
