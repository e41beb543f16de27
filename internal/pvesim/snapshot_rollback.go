package pvesim

import "strconv"

// rollback makes the VM again what it was: it is stopped, its disks go back, then its configuration. Where the
// snapshot has the memory, the VM runs afterwards.
func (t *snapshotTask) rollback() error {
	if err := t.inLock(t.beginRollback); err != nil {
		return err
	}
	if err := t.takeTime(); err != nil {
		return err
	}
	if err := t.worker.locked(t.rollbackDisks); err != nil {
		return err
	}
	return t.inLock(func(m *machine) error {
		s := m.snapshots[t.name]
		if s == nil {
			return noSnapshot(t.name)
		}
		t.restore(m, s.config)
		if !s.config.set("vmstate") {
			return nil
		}
		return t.start(t.worker, m)
	})
}

func (t *snapshotTask) beginRollback(m *machine) error {
	if m.template {
		return die("you can't rollback if vm is a template")
	}
	s := m.snapshots[t.name]
	if s == nil {
		return noSnapshot(t.name)
	}
	keys, drives := s.config.disks()
	for _, key := range keys {
		v := t.volume(t.node, drives[key].file)
		if v == nil {
			return t.noDisk(drives[key].file)
		}
		if n := len(v.snaps); n > 0 && v.storage.needsLast() && v.snaps[n-1].name != t.name {
			return die("can't rollback, '%s' is not most recent snapshot on '%s'", t.name, v.volid)
		}
	}
	if state := s.config["snapstate"]; state != "" {
		return die("unable to rollback to incomplete snapshot (snapstate = %s)", state)
	}
	if err := m.checkLock(); err != nil {
		return err
	}
	if m.running {
		t.stop(m)
	}
	m.config["lock"] = "rollback"
	return nil
}

// rollbackDisks holds mu.
func (t *snapshotTask) rollbackDisks() error {
	m, err := t.at(t.node, t.vmid)
	if err != nil {
		return err
	}
	keys, drives := m.snapshots[t.name].config.disks()
	for _, key := range keys {
		v := t.volume(t.node, drives[key].file)
		if v == nil {
			return t.noDisk(drives[key].file)
		}
		if err := v.rollback(t.name); err != nil {
			return err
		}
	}
	return nil
}

// restore gives the VM the configuration of the snapshot. What is no part of it, the description and unused volumes,
// stays, and what waited for a restart is forgotten.
func (t *snapshotTask) restore(m *machine, s section) {
	before := m.config
	m.config = s.copied()
	m.pending, m.deletions = section{}, map[string]bool{}
	delete(m.config, "runningmachine")
	delete(m.config, "runningcpu")
	for key, value := range before {
		if key == "description" || isUnused(key) {
			m.config[key] = value
		}
	}
	m.config["parent"] = t.name
	if m.config["vmgenid"] != "" {
		m.config["vmgenid"] = freshUUID()
	}
	then := map[string]bool{}
	for _, key := range s.drives() {
		then[parseDrive(s[key]).file] = true
	}
	for _, key := range before.drives() {
		switch d := parseDrive(before[key]); {
		case then[d.file]:
		case d.cloudInit():
			t.say("found unused cloudinit disk '%s', removing it", d.file)
			if v := t.volume(t.node, d.file); v != nil {
				_ = t.free(v)
			}
		case !d.cdrom():
			m.addUnused(d.file)
		}
	}
	m.dropUsed()
}

// startAfter starts the VM as its user would, unless it runs: with a task of its own, which nobody waits for.
func (t *snapshotTask) startAfter(user *login) error {
	return t.worker.locked(func() error {
		m, err := t.at(t.node, t.vmid)
		if err != nil || m.running {
			return err
		}
		r := &request{cluster: t.cluster, ctx: t.cluster.ctx, user: user, p: params{"node": t.node, "vmid": strconv.Itoa(t.vmid)}}
		_, err = handlers["POST /nodes/{node}/qemu/{vmid}/status/start"](r)
		return err
	})
}
