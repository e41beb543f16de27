package pvesim

import "strconv"

// owns reports whether a volume belongs to the machine, by its name.
func (c *cluster) owns(m *machine, volid string) bool {
	id, name, ok := cutVolid(volid)
	st := c.storage(id)
	if !ok || st == nil {
		return false
	}
	n, err := st.parse(name)
	return err == nil && n.vmid == m.id
}

// registerUnused keeps the volume of a drive that goes as an unused one. A cloud-init drive's volume is removed.
func (c *cluster) registerUnused(m *machine, d drive) {
	switch {
	case d.cloudInit():
		if v := c.volume(m.node.name, d.file); v != nil {
			_ = c.free(v)
		}
		m.unseeded = nil
	case !d.cdrom() && c.owns(m, d.file):
		m.addUnused(d.file)
	}
}

// addUnused gives a volume the first free unusedN, unless it has one.
func (m *machine) addUnused(volid string) {
	for _, key := range m.config.unused() {
		if m.config[key] == volid {
			return
		}
	}
	for i := range 256 {
		if key := "unused" + strconv.Itoa(i); !m.config.set(key) {
			m.config[key] = volid
			return
		}
	}
}

// dropUsed forgets the unused volumes that a drive uses again, now or when the VM starts anew.
func (m *machine) dropUsed() {
	used := map[string]bool{}
	for _, s := range []section{m.config, m.pending} {
		for _, key := range s.drives() {
			used[parseDrive(s[key]).file] = true
		}
	}
	for _, key := range m.config.unused() {
		if used[m.config[key]] {
			delete(m.config, key)
		}
	}
}

// inUse reports whether a volume is a drive's, now or in a snapshot. The drive skip does not count now.
func (m *machine) inUse(skip, volid string) bool {
	uses := func(s section, skip string) bool {
		for _, key := range s.drives() {
			if d := parseDrive(s[key]); key != skip && !d.cdrom() && d.file == volid {
				return true
			}
		}
		return false
	}
	if uses(m.config, skip) {
		return true
	}
	for _, s := range m.snapshots {
		if uses(s.config, "") {
			return true
		}
	}
	return false
}

// deallocate removes the volume of a drive that is to go with it, and reports whether the key may go.
func (w *worker) deallocate(r *request, m *machine, key string, d drive, force bool) (gone bool, err error) {
	if !force && !isUnused(key) || d.cdrom() && !d.cloudInit() {
		return false, nil
	}
	if !w.owns(m, d.file) {
		return true, nil
	}
	if err := w.need(r, "/storage/"+d.storage(), "Datastore.AllocateSpace"); err != nil {
		return false, err
	}
	if m.inUse(key, d.file) {
		return false, die("unable to delete '%s' - volume is still in use (snapshot?)", d.file)
	}
	v := w.volume(m.node.name, d.file)
	if v == nil {
		w.say("disk image '%s' does not exist", w.pathOf(d.file))
		return true, nil
	}
	return true, w.free(v)
}

// pathOf is where the file of a volume would be, or its id where that is no file.
func (c *cluster) pathOf(volid string) string {
	id, name, _ := cutVolid(volid)
	if st := c.storage(id); st != nil {
		if n, err := st.parse(name); err == nil {
			return st.pathOf(n)
		}
	}
	return volid
}

// deleteOrDetach is what becomes of the drive whose key goes.
func (w *worker) deleteOrDetach(r *request, m *machine, key string, force bool) error {
	d := parseDrive(m.config[key])
	if !force {
		w.registerUnused(m, d)
		return nil
	}
	_, err := w.deallocate(r, m, key, d, true)
	return err
}
