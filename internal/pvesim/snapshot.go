package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func init() {
	handle("GET /nodes/{node}/qemu/{vmid}/snapshot", snapshotList)
	handle("POST /nodes/{node}/qemu/{vmid}/snapshot", snapshotCreate)
	handle("GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}", snapshotIndex)
	handle("DELETE /nodes/{node}/qemu/{vmid}/snapshot/{snapname}", snapshotDelete)
	handle("GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config", snapshotConfig)
	handle("PUT /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config", snapshotUpdate)
	handle("POST /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback", snapshotRollback)
}

// noSnapshot is the error about a snapshot that is not there.
func noSnapshot(name string) error { return die("snapshot '%s' does not exist", name) }

// snapshotList lists the snapshots, and at the end what the VM is now.
func snapshotList(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(m.snapshots)) {
		s := m.snapshots[name].config
		shown := map[string]any{"name": name, "snaptime": s.num("snaptime", 0), "vmstate": 0, "description": s["description"]}
		if s.set("vmstate") {
			shown["vmstate"] = 1
		}
		for _, key := range []string{"parent", "snapstate"} {
			if s[key] != "" {
				shown[key] = s[key]
			}
		}
		list = append(list, shown)
	}
	now := map[string]any{"name": "current", "description": "You are here!", "digest": m.digest(), "running": 0}
	if m.running {
		now["running"] = 1
	}
	if parent := m.config["parent"]; parent != "" {
		now["parent"] = parent
	}
	return append(list, now), nil
}

// snapshotIndex answers for any name.
func snapshotIndex(*request) (any, error) {
	return []map[string]any{{"cmd": "rollback"}, {"cmd": "config"}}, nil
}

func snapshotConfig(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	s := m.snapshots[r.p["snapname"]]
	if s == nil {
		return nil, noSnapshot(r.p["snapname"])
	}
	return shownSection(s.config), nil
}

// snapshotUpdate changes the description of a snapshot.
func snapshotUpdate(r *request) (any, error) {
	description, given := r.p["description"]
	if !given {
		return nil, nil
	}
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	release, err := r.lockConfig(r.ctx, m)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := m.checkLock(); err != nil {
		return nil, err
	}
	s := m.snapshots[r.p["snapname"]]
	if s == nil {
		return nil, noSnapshot(r.p["snapname"])
	}
	s.config["description"] = description
	return nil, nil
}

func snapshotCreate(r *request) (any, error) {
	name := r.p["snapname"]
	switch {
	case name == "current":
		return nil, die("unable to use snapshot name 'current' (reserved name)")
	case strings.EqualFold(name, "pending"):
		return nil, die("unable to use snapshot name 'pending' (reserved name)")
	}
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	t := snapshotTask{node: m.node.name, vmid: m.id, name: name}
	description, withRAM := r.p["description"], r.p.flag("vmstate")
	return r.forkNow(r.user, t.node, "qmsnapshot", strconv.Itoa(t.vmid), func(w *worker) error {
		t.worker = w
		return t.take(description, withRAM)
	}), nil
}

func snapshotDelete(r *request) (any, error) {
	t := snapshotTask{node: r.p["node"], vmid: r.p.num("vmid", 0), name: r.p["snapname"]}
	force := r.p.flag("force")
	return r.forkNow(r.user, t.node, "qmdelsnapshot", strconv.Itoa(t.vmid), func(w *worker) error {
		t.worker = w
		return t.remove(force)
	}), nil
}

func snapshotRollback(r *request) (any, error) {
	t := snapshotTask{node: r.p["node"], vmid: r.p.num("vmid", 0), name: r.p["snapname"]}
	start := r.p.flag("start")
	if start && r.opts.Version >= 9 {
		if err := r.need(r, "/vms/"+r.p["vmid"], "VM.PowerMgmt"); err != nil {
			return nil, err
		}
	}
	user := r.user
	return r.forkNow(r.user, t.node, "qmrollback", strconv.Itoa(t.vmid), func(w *worker) error {
		t.worker = w
		if err := t.rollback(); err != nil || !start {
			return err
		}
		return t.startAfter(user)
	}), nil
}

// snapshotTask is the work of a task on one snapshot.
type snapshotTask struct {
	*worker
	node string
	vmid int
	name string
}

// inLock runs f with mu and the VM's configuration locked.
func (t *snapshotTask) inLock(f func(m *machine) error) error {
	return t.worker.inLock(t.node, t.vmid, f)
}

// disks are the drives of a configuration that are snapshotted, by key: CD-ROM drives are not.
func (s section) disks() (keys []string, drives map[string]drive) {
	drives = map[string]drive{}
	for _, key := range s.drives() {
		if d := parseDrive(s[key]); !d.cdrom() {
			keys = append(keys, key)
			drives[key] = d
		}
	}
	return keys, drives
}

// hasFeature tells whether all disks of a configuration can do something, or those of a snapshot of it.
func (c *cluster) hasFeature(node string, s section, feature, snap string) bool {
	keys, drives := s.disks()
	for _, key := range keys {
		v := c.volume(node, drives[key].file)
		if v == nil || !v.can(feature, snap) {
			return false
		}
	}
	return true
}

// noDisk is what a storage says of an image that is not there.
func (c *cluster) noDisk(volid string) error {
	return die("volume '%s' does not exist", volid)
}
