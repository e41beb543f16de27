package pvesim

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// set reports whether a key is set.
func (s section) set(key string) bool { _, ok := s[key]; return ok }

// num is a numeric value, or otherwise where it is not set.
func (s section) num(key string, otherwise int) int {
	if n, err := strconv.Atoi(s[key]); err == nil {
		return n
	}
	return otherwise
}

// drives are the keys of the drives, in PVE's order; unused volumes are not among them.
func (s section) drives() []string {
	var keys []string
	for _, key := range driveKeys {
		if s.set(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// unused are the keys of volumes that no drive uses.
func (s section) unused() []string {
	var keys []string
	for key := range s {
		if isUnused(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// digest is the checksum of the configuration file: of all that is set, waits or is kept in snapshots.
func (m *machine) digest() string {
	var b strings.Builder
	write := func(name string, s section) {
		fmt.Fprintf(&b, "[%s]\n", name)
		for _, key := range slices.Sorted(maps.Keys(s)) {
			fmt.Fprintf(&b, "%s: %s\n", key, s[key])
		}
	}
	write("", m.config)
	if m.template {
		b.WriteString("template: 1\n")
	}
	write("PENDING", m.pending)
	for _, key := range slices.Sorted(maps.Keys(m.deletions)) {
		fmt.Fprintf(&b, "delete: %s %t\n", key, m.deletions[key])
	}
	for _, name := range slices.Sorted(maps.Keys(m.snapshots)) {
		write(name, m.snapshots[name].config)
	}
	return checksum(b.String())
}

// checkDigest refuses a digest that is not that of the configuration.
func (m *machine) checkDigest(p params) error {
	if digest := p["digest"]; digest != "" && digest != m.digest() {
		return die("checksum mismatch (file change by other user?)")
	}
	return nil
}

// checkModified is checkDigest in the words of who moves disks.
func (m *machine) checkModified(digest string) error {
	if digest != "" && digest != m.digest() {
		return die("detected modified configuration - file changed by other user? Try again.")
	}
	return nil
}

// checkLock refuses a machine whose lock property is set.
func (m *machine) checkLock() error {
	if lock := m.config["lock"]; lock != "" {
		return die("VM is locked (%s)", lock)
	}
	return nil
}

// checkProtection refuses a protected machine; what says what was tried.
func (m *machine) checkProtection(what string) error {
	if m.config["protection"] == "1" {
		return die("%s - protection mode enabled", what)
	}
	return nil
}

// missing is the error about a VM that is not at a node.
func missing(nodeName string, id int) error {
	return die("Configuration file 'nodes/%s/qemu-server/%d.conf' does not exist", nodeName, id)
}

// at finds a VM at a node.
func (c *cluster) at(nodeName string, id int) (*machine, error) {
	m := c.machines[id]
	if m == nil || m.lxc || m.node.name != nodeName {
		return nil, missing(nodeName, id)
	}
	return m, nil
}

// inLock runs f as a task does its work: with mu and the lock of the VM's configuration held. The log says
// where it had to wait for the lock.
func (w *worker) inLock(nodeName string, id int, f func(m *machine) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.at(nodeName, id)
	if err != nil {
		return err
	}
	release, err := w.takeLock(m)
	if err != nil {
		return err
	}
	defer release()
	if m, err = w.at(nodeName, id); err != nil {
		return err
	}
	return f(m)
}

// workIn is inLock for work that takes its time in the lock.
func (w *worker) workIn(nodeName string, id int, f func(m *machine) error) error {
	return w.inLock(nodeName, id, func(m *machine) (err error) {
		w.unlocked(func() { err = w.takeTime() })
		if err != nil {
			return err
		}
		return f(m)
	})
}

// freshUUID is a random UUID.
func freshUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// memory is the machine's memory in MiB. The value may be a property string.
func (s section) memory() int {
	text := s["memory"]
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimPrefix(part, "current=")
		if n, err := strconv.Atoi(part); err == nil {
			return n
		}
	}
	return 512
}

// property is one part of a property string whose first part may go without a name.
func property(text, name, first string) string {
	for i, part := range strings.Split(text, ",") {
		key, value, pair := strings.Cut(part, "=")
		if !pair && i == 0 && name == first {
			return part
		}
		if pair && key == name {
			return value
		}
	}
	return ""
}

// bootOrder are the devices of the boot order, nil where there is none.
func (s section) bootOrder() []string {
	order := property(s["boot"], "order", "")
	if order == "" {
		return nil
	}
	return strings.Split(order, ";")
}

func printBootOrder(devices []string) string {
	if len(devices) == 0 {
		return ""
	}
	return "order=" + strings.Join(devices, ";")
}

// defaultBootOrder is the order of a VM that was made without one: the first disk, the first CD-ROM drive
// and the first interface.
func (s section) defaultBootOrder() []string {
	var disk, cdrom, net string
	for _, key := range s.drives() {
		switch d := parseDrive(s[key]); {
		case key == "efidisk0" || key == "tpmstate0":
		case d.cdrom() && cdrom == "":
			cdrom = key
		case !d.cdrom() && disk == "":
			disk = key
		}
	}
	for i := 0; i < 32 && net == ""; i++ {
		if key := "net" + strconv.Itoa(i); s.set(key) {
			net = key
		}
	}
	return slices.DeleteFunc([]string{disk, cdrom, net}, func(key string) bool { return key == "" })
}
