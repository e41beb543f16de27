package pvesim

import (
	"strconv"
	"strings"
	"time"
)

// notInSnapshot are keys of the configuration that a snapshot does not keep, beside those of unused volumes.
var notInSnapshot = map[string]bool{
	"snapstate": true, "snaptime": true, "vmstate": true, "lock": true, "digest": true, "description": true,
}

// copied is a configuration as a snapshot keeps it, or gives it back.
func (s section) copied() section {
	out := section{}
	for key, value := range s {
		if !notInSnapshot[key] && !isUnused(key) {
			out[key] = value
		}
	}
	return out
}

// take makes the snapshot: it is written down first, under a lock that stays until the disks followed.
func (t *snapshotTask) take(description string, withRAM bool) error {
	if err := t.inLock(func(m *machine) error { return t.prepare(m, description, withRAM) }); err != nil {
		return err
	}
	done := map[string]bool{}
	err := t.takeTime()
	if err == nil {
		err = t.worker.locked(func() error { return t.snapDisks(done) })
	}
	if err != nil {
		t.logf("snapshot create failed: starting cleanup")
		_ = t.worker.locked(func() error { t.discard(done); return nil })
		return err
	}
	return t.inLock(func(m *machine) error {
		s := m.snapshots[t.name]
		if s == nil {
			return noSnapshot(t.name)
		}
		delete(s.config, "snapstate")
		delete(m.config, "lock")
		m.config["parent"] = t.name
		return nil
	})
}

func (t *snapshotTask) prepare(m *machine, description string, withRAM bool) error {
	if m.template {
		return die("you can't take a snapshot if it's a template")
	}
	if err := m.checkLock(); err != nil {
		return err
	}
	if stuck := m.config.unsavable(); withRAM && len(stuck) > 0 {
		return die("Cannot live-migrate, snapshot (with RAM), or hibernate a VM with: %s", strings.Join(stuck, ", "))
	}
	if m.snapshots[t.name] != nil {
		return die("snapshot name '%s' already used", t.name)
	}
	if !t.hasFeature(t.node, m.config, "snapshot", "") {
		return die("snapshot feature is not available")
	}
	for _, s := range m.snapshots {
		if s.config["parent"] == t.name {
			delete(s.config, "parent")
		}
	}
	s := &snapshot{name: t.name, config: m.config.copied()}
	if withRAM && m.running {
		if err := t.saveState(m, s.config); err != nil {
			return err
		}
	}
	s.config["snapstate"], s.config["snaptime"] = "prepare", strconv.FormatInt(time.Now().Unix(), 10)
	if description != "" {
		s.config["description"] = description
	}
	m.snapshots[t.name] = s
	m.config["lock"] = "snapshot"
	return nil
}

// unsavable are the features of a VM whose state can neither be written down nor moved.
func (s section) unsavable() []string {
	var list []string
	if s.set("amd-sev") {
		list = append(list, "amd-sev")
	}
	for key := range s {
		if hasNumber(key, "virtiofs") {
			return append(list, "virtiofs")
		}
	}
	return list
}

// saveState makes the volume that keeps the memory of a VM that runs.
func (t *snapshotTask) saveState(m *machine, s section) error {
	v, err := t.allocateState(m, t.stateStorage(m), t.name)
	if err != nil {
		return err
	}
	s["vmstate"], s["runningmachine"], s["runningcpu"] = v.volid, t.machineType(m), runningCPU(m)
	return nil
}

// snapDisks takes the snapshots of the disks. It holds mu.
func (t *snapshotTask) snapDisks(done map[string]bool) error {
	m, err := t.at(t.node, t.vmid)
	if err != nil {
		return err
	}
	s := m.snapshots[t.name].config
	if s.set("vmstate") {
		st, _, _ := cutVolid(s["vmstate"])
		t.say("saving VM state and RAM using storage '%s'", st)
		t.say("125.88 KiB in 0s")
		t.say("completed saving the VM state in 0s, saved 2.48 MiB")
	}
	keys, drives := s.disks()
	for _, key := range keys {
		t.say("snapshotting 'drive-%s' (%s)", key, drives[key].file)
		v := t.volume(t.node, drives[key].file)
		if v == nil {
			return t.noDisk(drives[key].file)
		}
		if err := v.takeSnapshot(t.name); err != nil {
			return err
		}
		done[key] = true
	}
	return nil
}

// discard takes back a snapshot that failed half-way. It holds mu.
func (t *snapshotTask) discard(done map[string]bool) {
	m, err := t.at(t.node, t.vmid)
	if err != nil {
		return
	}
	s := m.snapshots[t.name]
	if s == nil {
		return
	}
	for key := range done {
		if v := t.volume(t.node, parseDrive(s.config[key]).file); v != nil {
			v.dropSnapshot(t.name)
		}
	}
	if v := t.volume(t.node, s.config["vmstate"]); v != nil {
		_ = t.free(v)
	}
	delete(m.snapshots, t.name)
	delete(m.config, "lock")
}
