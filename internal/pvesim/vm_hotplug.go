package pvesim

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// fastPlug are the keys that change at once, because a VM that runs does not notice.
var fastPlug = func() map[string]bool {
	set := map[string]bool{}
	for key := range strings.FieldsSeq(`description hookscript lock migrate_downtime migrate_speed name onboot protection shares startup tags
		vmstatestorage cicustom cipassword citype ciuser ciupgrade nameserver searchdomain sshkeys`) {
		set[key] = true
	}
	return set
}()

func isFastPlug(key string) bool { return fastPlug[key] || hasNumber(key, "ipconfig") }

// later is what a change says that can only be made when the VM starts anew.
var later = die("skip")

// hotplug applies what waits to a VM that runs, as far as it can be changed while it does. What went wrong
// is in failed, and still waits.
func (u *update) hotplug(failed map[string]string) {
	m := u.m
	for _, key := range slices.Sorted(maps.Keys(m.pending)) {
		if isFastPlug(key) {
			u.take(key)
		}
	}
	features := m.config.hotplugFeatures()
	for _, key := range slices.Sorted(maps.Keys(m.deletions)) {
		if !u.modified[key] {
			continue
		}
		switch err := u.unplug(key, features); {
		case errors.Is(err, later):
		case err != nil:
			failed[key] = "hotplug problem - " + text(err) + "\n"
		default:
			u.recordRemoval(key)
			delete(m.config, key)
			delete(m.deletions, key)
		}
	}
	var cloudInit []string
	for _, key := range slices.SortedFunc(maps.Keys(m.pending), compareKeys) {
		if !u.modified[key] {
			continue
		}
		if isDrive(key) && parseDrive(m.pending[key]).cloudInit() {
			cloudInit = append(cloudInit, key) // after all that the drive tells
			continue
		}
		u.tryPlug(key, features, failed)
	}
	for _, key := range cloudInit {
		u.tryPlug(key, features, failed)
	}
	m.dropUsed()
	if features["cloudinit"] && m.unseeded.changes() {
		_ = u.writeCloudInit(m)
	}
}

func (u *update) tryPlug(key string, features map[string]bool, failed map[string]string) {
	switch err := u.plug(key, u.m.pending[key], features); {
	case errors.Is(err, later):
	case err != nil:
		failed[key] = "hotplug problem - " + text(err) + "\n"
	default:
		u.take(key)
	}
}

// take makes the value that waits for a key the one in use.
func (u *update) take(key string) {
	value := u.m.pending[key]
	u.record(key, value)
	delete(u.m.pending, key)
	u.m.setValue(key, value)
}

// unplug removes what a key stands for from a VM that runs.
func (u *update) unplug(key string, features map[string]bool) error {
	conf := u.m.config
	switch {
	case key == "hotplug":
		return unless(!strings.Contains(conf[key], "memory") && !strings.Contains(conf[key], "cpu"))
	case key == "tablet":
		return unless(features["usb"])
	case hasNumber(key, "usb"):
		if !u.usbHotplug(features) {
			return later
		}
		return u.deviceGone(key)
	case key == "vcpus":
		return unless(features["cpu"])
	case key == "memory":
		return u.plugMemory("", features)
	case key == "balloon":
		return unless(conf["balloon"] != "0")
	case isFastPlug(key), key == "cpuunits", key == "cpulimit":
		return nil
	case isNIC(key):
		if !features["network"] {
			return later
		}
		return u.deviceGone(key)
	case isDrive(key):
		if !features["disk"] || !pluggable(key) {
			return later
		}
		if err := u.deviceGone(key); err != nil {
			return err
		}
		return u.deleteOrDetach(u.r, u.m, key, u.m.deletions[key])
	}
	return later
}

// unless is nil where a change can be made now.
func unless(now bool) error {
	if now {
		return nil
	}
	return later
}

// pluggable reports whether a drive's bus lets it come and go while the VM runs.
func pluggable(key string) bool {
	return strings.HasPrefix(key, "scsi") || strings.HasPrefix(key, "virtio")
}

// usbHotplug reports whether USB devices can come and go: the guest's system must be known to take it.
func (u *update) usbHotplug(features map[string]bool) bool {
	ostype := u.m.config["ostype"]
	return features["usb"] && (ostype == "l26" || slices.Contains([]string{"win8", "win10", "win11"}, ostype))
}

// deviceGone takes a device from the guest, which must let go of it: a VM without an operating system
// that answers keeps it.
func (u *update) deviceGone(key string) error {
	if slices.Contains(u.m.config.bootOrder(), key) && isDrive(key) {
		return die("can't unplug bootdisk '%s'", key)
	}
	if u.m.inGuest != nil && !u.m.paused {
		return nil
	}
	device := key
	if rest, ok := strings.CutPrefix(key, "scsi"); ok && u.m.config["scsihw"] == "virtio-scsi-single" {
		device = "virtioscsi" + rest
	}
	return die("error on hot-unplugging device '%s'", device)
}

// plug gives a VM that runs what the new value of a key stands for.
func (u *update) plug(key, value string, features map[string]bool) error {
	conf := u.m.config
	switch {
	case key == "hotplug":
		now := conf[key]
		for _, feature := range []string{"memory", "cpu"} {
			if strings.Contains(value, feature) || strings.Contains(now, feature) {
				return later
			}
		}
		return nil
	case key == "tablet":
		return unless(features["usb"])
	case hasNumber(key, "usb"):
		return unless(u.usbHotplug(features))
	case key == "vcpus":
		return u.plugCPUs(value, features)
	case key == "memory":
		return u.plugMemory(value, features)
	case key == "balloon":
		return unless((conf["balloon"] != "0") == (value != "0"))
	case key == "cpuunits", key == "cpulimit":
		return nil
	case key == "agent":
		return unless(conf.set(key) && agentApart(conf[key]) == agentApart(value))
	case isNIC(key):
		return u.plugNIC(key, parseNIC(value), features["network"])
	case key == "efidisk0", key == "tpmstate0":
		return later
	case isDrive(key):
		return u.plugDrive(key, parseDrive(value), features["disk"])
	}
	return later
}

// plugCPUs brings virtual CPUs up or down. A guest must let go of one.
func (u *update) plugCPUs(value string, features map[string]bool) error {
	if !features["cpu"] {
		return later
	}
	s := section{"n": value}
	most := u.m.config.num("sockets", 1) * u.m.config.num("cores", 1)
	now := u.m.config.num("vcpus", most)
	want := s.num("n", most)
	if want > most {
		return die("you can't add more vcpus than maxcpus")
	}
	if want < now && u.m.inGuest == nil {
		return unplugFailed("vcpus", "error unplugging cpu"+strconv.Itoa(now))
	}
	return nil
}

// agentApart is an agent value without what can change while the VM runs.
func agentApart(value string) string {
	var rest []string
	for part := range strings.SplitSeq(value, ",") {
		key, v, pair := strings.Cut(part, "=")
		switch {
		case !pair:
			rest = append(rest, "enabled="+key)
		case key != "fstrim_cloned_disks":
			rest = append(rest, key+"="+v)
		}
	}
	slices.Sort(rest)
	return strings.Join(rest, ",")
}

// plugNIC changes an interface in place where it can, and replaces it else.
func (u *update) plugNIC(key string, n nic, hotplug bool) error {
	if now, ok := u.m.config[key]; ok {
		old := parseNIC(now)
		same := old.model == n.model && old.mac == n.mac && old.options["queues"] == n.options["queues"] &&
			old.options["mtu"] == n.options["mtu"] && old.options["bridge"] != "" && n.options["bridge"] != ""
		if same {
			for _, name := range []string{"bridge", "tag", "trunks", "firewall"} {
				if n.options[name] != old.options[name] { // then the interface is connected anew
					return u.unconnectable(u.m.node, n)
				}
			}
			return nil
		}
		if !hotplug {
			return later
		}
		if err := u.deviceGone(key); err != nil {
			return err
		}
	}
	if !hotplug {
		return later
	}
	if err := u.unconnectable(u.m.node, n); err != nil {
		return die("error on hotplug device '%s' - %s", key, text(err))
	}
	return u.checkMTU(key, n, u.m.node)
}

// fixedDiskOptions are the options of a drive that a VM that runs keeps as it began.
var fixedDiskOptions = []string{"aio", "discard", "iothread", "queues", "product", "cache", "ssd", "vendor", "ro"}

// plugDrive adds a drive, changes its options or its medium, or replaces it.
func (u *update) plugDrive(key string, d drive, hotplug bool) error {
	now, ok := u.m.config[key]
	if ok {
		old := parseDrive(now)
		switch {
		case d.cdrom() != old.cdrom():
			return die("unable to change media type")
		case old.cdrom():
			return nil // the volume of a cloud-init drive stays behind, because the VM had it open
		case d.file == old.file:
			for _, name := range fixedDiskOptions {
				if d.options[name] != old.options[name] {
					return later
				}
			}
			return nil
		case !hotplug:
			return later
		}
		if err := u.deviceGone(key); err != nil {
			return err
		}
		u.registerUnused(u.m, old)
	}
	return unless(hotplug && pluggable(key))
}
