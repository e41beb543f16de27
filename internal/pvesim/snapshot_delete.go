package pvesim

// remove deletes the snapshot: its memory, the snapshots of its disks, then what is written of it. With force it
// goes on where a disk cannot follow.
func (t *snapshotTask) remove(force bool) error {
	err := t.worker.locked(func() error {
		m, err := t.at(t.node, t.vmid)
		if err == nil && m.snapshots[t.name] == nil {
			err = noSnapshot(t.name)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := t.inLock(t.markRemoved); err != nil {
		return err
	}
	if err := t.takeTime(); err != nil {
		return err
	}
	return t.inLock(func(m *machine) error { return t.removeIn(m, force) })
}

func (t *snapshotTask) markRemoved(m *machine) error {
	if err := m.checkLock(); err != nil {
		return err
	}
	m.config["lock"] = "snapshot-delete"
	if m.template {
		return die("you can't delete a snapshot if vm is a template")
	}
	s := m.snapshots[t.name]
	if s == nil {
		return noSnapshot(t.name)
	}
	s.config["snapstate"] = "delete"
	return nil
}

func (t *snapshotTask) removeIn(m *machine, force bool) error {
	s := m.snapshots[t.name]
	if s == nil {
		return noSnapshot(t.name)
	}
	if state := s.config["vmstate"]; state != "" {
		if v := t.volume(t.node, state); v != nil {
			_ = t.free(v)
		}
		delete(s.config, "vmstate")
	}
	var freed []string
	keys, drives := s.config.disks()
	for _, key := range keys {
		v := t.volume(t.node, drives[key].file)
		switch {
		case v != nil:
			v.dropSnapshot(t.name)
			freed = append(freed, v.volid)
		case force:
			t.say("%s", text(t.noDisk(drives[key].file)))
		default:
			return t.noDisk(drives[key].file)
		}
		delete(s.config, key)
	}
	delete(m.snapshots, t.name)
	delete(m.config, "lock")
	adopt(m.config, t.name, s.config["parent"])
	for _, other := range m.snapshots {
		adopt(other.config, t.name, s.config["parent"])
	}
	for _, volid := range freed {
		m.addUnused(volid)
	}
	m.dropUsed()
	return nil
}

// adopt gives what came after a snapshot that goes to the one before it.
func adopt(s section, gone, parent string) {
	switch {
	case s["parent"] != gone:
	case parent == "":
		delete(s, "parent")
	default:
		s["parent"] = parent
	}
}
