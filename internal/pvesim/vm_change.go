package pvesim

import (
	"maps"
	"slices"
	"strings"
)

// delete notes that a key is to go.
func (u *update) delete(key string) error {
	m := u.m
	u.modified[key] = true
	value, waits := m.pending[key]
	if now, ok := m.config[key]; ok {
		value = now
	} else if !waits {
		u.say("cannot delete '%s' - not set in current configuration!", key)
		u.modified[key] = false
		return nil
	}
	delete(m.pending, key)
	if slices.Contains(u.boot, key) {
		u.boot = slices.DeleteFunc(u.boot, func(device string) bool { return device == key })
		m.pending["boot"] = printBootOrder(u.boot)
		u.modified["boot"] = true
	}
	switch {
	case isUnused(key):
		return u.deleteUnused(key, value)
	case key == "vmstate":
		if err := m.checkProtection("can't remove vmstate '" + value + "'"); err != nil {
			return err
		}
		gone, err := u.deallocate(u.r, m, key, drive{file: value}, true)
		if gone && err == nil {
			delete(m.config, key)
		}
		return err
	case isDrive(key):
		if err := m.checkProtection("can't remove drive '" + key + "'"); err != nil {
			return err
		}
		if err := u.r.checkDrivePrivileges(parseDrive(value), ""); err != nil {
			return err
		}
		if waits { // of the value in use where there is one: the volume of the other is forgotten
			u.registerUnused(m, parseDrive(value))
		}
	case key == "tags":
		if err := u.r.checkTags(); err != nil {
			return err
		}
		delete(m.config, key)
		return nil
	default:
		if err := u.r.checkDevice(key, value, "", true); err != nil {
			return err
		}
	}
	m.deletions[key] = u.force
	return nil
}

func (u *update) deleteUnused(key, value string) error {
	d := parseDrive(value)
	if err := u.m.checkProtection("can't remove unused disk '" + d.file + "'"); err != nil {
		return err
	}
	if err := u.r.needVM("", "VM.Config.Disk"); err != nil {
		return err
	}
	gone, err := u.deallocate(u.r, u.m, key, d, false)
	if gone && err == nil {
		delete(u.m.config, key)
	}
	return err
}

// change notes the new value of a key.
func (u *update) change(key, value string) error {
	m := u.m
	u.modified[key] = true
	if waits, ok := m.pending[key]; ok && waits == value {
		return nil
	}
	switch {
	case isDrive(key):
		if err := u.changeDrive(key, value); err != nil {
			return err
		}
	case hasNumber(key, "serial"), hasNumber(key, "usb"), hasNumber(key, "hostpci"), hasNumber(key, "virtiofs"), isNIC(key), key == "rng0":
		if now := m.config[key]; now != "" && now != value {
			if err := u.r.checkDevice(key, now, "", true); err != nil {
				return err
			}
		}
		if err := u.r.checkDevice(key, value, "", true); err != nil {
			return err
		}
		m.pending[key] = value
	case key == "tags":
		if err := u.r.checkTags(); err != nil {
			return err
		}
		m.pending[key] = uniqueTags(value)
	case key == "cipassword":
		if !windows(m.config["ostype"]) {
			value = crypted(value)
		}
		u.record(key, value)
		m.config[key] = value
	case key == "ostype":
		if !u.set.set("machine") && !m.pending.set("machine") && !u.modified["machine"] {
			if pinned := u.pinMachine(m.config["machine"], value); pinned != "" {
				m.pending["machine"] = pinned
				u.modified["machine"] = true
			}
		}
		m.pending[key] = value
	case key == "boot":
		if err := u.changeBoot(value); err != nil {
			return err
		}
	default:
		m.pending[key] = stored(key, value)
	}
	delete(m.deletions, key)
	return nil
}

func (u *update) changeDrive(key, value string) error {
	m, d := u.m, parseDrive(value)
	if now := m.config[key]; now != "" {
		old := parseDrive(now)
		if err := u.r.checkDrivePrivileges(old, ""); err != nil {
			return err
		}
		if key == "tpmstate0" && old.file == d.file && tpmVersion(old) != tpmVersion(d) {
			return die("cannot change TPM state version after creation")
		}
	}
	if err := u.r.checkDrivePrivileges(d, ""); err != nil {
		return err
	}
	if waits, ok := m.pending[key]; ok {
		u.registerUnused(m, parseDrive(waits))
	}
	drives, err := u.createDisks(m, m.config, section{key: value}, "")
	if err != nil {
		return err
	}
	maps.Copy(m.pending, drives)
	if len(u.boot) > 0 && d.cdrom() && !d.cloudInit() && !slices.Contains(u.boot, key) {
		u.boot = append(u.boot, key)
		m.pending["boot"] = printBootOrder(u.boot)
		u.modified["boot"] = true
	}
	return nil
}

func tpmVersion(d drive) string {
	if v := d.options["version"]; v != "" {
		return v
	}
	return "v1.2"
}

// changeBoot takes a new boot order, whose devices must be there.
func (u *update) changeBoot(value string) error {
	m := u.m
	order := section{"boot": value}.bootOrder()
	for _, device := range order {
		there := m.config.set(device) || m.pending.set(device) || u.set.set(device)
		if !there || slices.Contains(u.remove, device) {
			return die("invalid bootorder: device '%s' does not exist'", device)
		}
	}
	m.pending["boot"] = value
	if len(order) > 0 {
		m.pending["boot"] = printBootOrder(order)
		if m.config.set("bootdisk") {
			m.deletions["bootdisk"] = false
		}
	}
	return nil
}

// cleanPending drops what waits and would change nothing.
func (m *machine) cleanPending() {
	for key, value := range m.pending {
		if now, ok := m.config[key]; ok && now == value {
			delete(m.pending, key)
		}
	}
	for key := range m.deletions {
		if !m.config.set(key) {
			delete(m.deletions, key)
		}
	}
}

// uniqueTags is how an update stores tags: in lower case, sorted, each once.
func uniqueTags(value string) string {
	tags := splitList(strings.ToLower(value))
	slices.Sort(tags)
	return strings.Join(slices.Compact(tags), ";")
}
