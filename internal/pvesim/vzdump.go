package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

func init() {
	handle("POST /nodes/{node}/vzdump", vzdump)
	handle("GET /nodes/{node}/vzdump/defaults", func(*request) (any, error) {
		return map[string]any{"storage": "local", "mode": "snapshot", "compress": "0", "ionice": 7, "lockwait": 180, "stopwait": 10, "remove": 1, "prune-backups": map[string]any{"keep-all": 1}}, nil
	})
	handle("GET /nodes/{node}/vzdump/extractconfig", extractConfig)
}

// vzdump backs machines of a node up. An archive holds the configuration, not what the disks hold.
func vzdump(r *request) (any, error) {
	chosen := section{}
	for _, key := range []string{"vmid", "all", "exclude", "pool"} {
		if v := r.p[key]; v != "" {
			chosen[key] = v
		}
	}
	if err := checkBackup(chosen); err != nil {
		return nil, err
	}
	name := r.p["storage"]
	if name == "" {
		name = "local"
	}
	if err := r.need(r, "/storage/"+name, "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	ids := r.chosen(chosen)
	for _, text := range keyList(chosen["vmid"]) {
		if err := r.need(r, "/vms/"+text, "VM.Backup"); err != nil {
			return nil, err
		}
		if id := (params{"id": text}).num("id", 0); r.machines[id] == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	id := ""
	if len(ids) == 1 {
		id = strconv.Itoa(ids[0])
	}
	p := r.p
	return r.forkNow(r.user, p["node"], "vzdump", id, func(w *worker) error {
		st, err := w.usableNow(p["node"], name)
		if err == nil && !st.holds("backup") {
			err = die("can't use storage '%s' for backups - wrong content type", name)
		}
		if err != nil {
			return die("could not get storage information for '%s': %s", name, text(err))
		}
		w.logf("INFO: starting new backup job: vzdump %s --storage %s --mode %s", strings.Trim(fmt.Sprint(ids), "[]"), name, p.or("mode", "snapshot"))
		failed := false
		for _, id := range ids {
			if err := w.backUp(p, id, st); err != nil {
				failed = true
				w.logf("ERROR: Backup of VM %d failed - %s", id, text(err))
			}
		}
		if failed {
			w.logf("INFO: Backup job finished with errors")
			return die("job errors")
		}
		w.logf("INFO: Backup job finished successfully")
		return nil
	}), nil
}

// or is a parameter, or what stands in for it.
func (p params) or(name, otherwise string) string {
	if v := p[name]; v != "" {
		return v
	}
	return otherwise
}

// backUp makes the archive of one machine, which is locked meanwhile. A machine of another node is left to that.
func (w *worker) backUp(p params, id int, st *storage) error {
	var m *machine
	err := w.locked(func() error {
		if m = w.machines[id]; m == nil {
			return die("unable to find VM '%d'", id)
		}
		if m.node.name != p["node"] {
			m = nil
			return nil
		}
		if lock := m.config["lock"]; lock != "" {
			return die("VM is locked (%s)", lock)
		}
		kind := "VM"
		if m.lxc {
			kind = "CT"
		}
		w.say("INFO: Starting Backup of %s %d (%s)", kind, id, m.kind())
		m.config["lock"] = "backup"
		return nil
	})
	if err != nil || m == nil {
		return err
	}
	err = w.takeTime()
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.config["lock"] == "backup" {
		delete(m.config, "lock")
	}
	if err != nil {
		return err
	}
	volid, err := w.archive(m, st, p)
	if err != nil {
		return err
	}
	w.say("INFO: creating vzdump archive '%s'", w.volume(m.node.name, volid).path())
	w.say("INFO: Finished Backup of VM %d (00:00:01)", id)
	return nil
}

// archive writes the archive of a machine. It holds mu.
func (w *worker) archive(m *machine, st *storage, p params) (string, error) {
	format := "vma"
	if m.lxc {
		format = "tar"
	}
	if ending := map[string]string{"1": ".lzo", "lzo": ".lzo", "gzip": ".gz", "zstd": ".zst"}[p["compress"]]; ending != "" {
		format += ending
	}
	name := fmt.Sprintf("vzdump-%s-%d-%s.%s", m.kind(), m.id, time.Now().UTC().Format("2006_01_02-15_04_05"), format)
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(m.config)) {
		fmt.Fprintf(&b, "%s: %s\n", key, m.config[key])
	}
	volid := st.id + ":backup/" + name
	if w.volume(m.node.name, volid) != nil {
		return "", die("unable to create temporary file '%s' - File exists", name)
	}
	v := w.add(&volume{
		volid: volid, node: st.where(m.node.name), storage: st, content: "backup", format: format, vmid: m.id, size: int64(b.Len()),
		notes: p["notes-template"], protected: p.flag("protected"),
	})
	_, err := v.data.WriteAt([]byte(b.String()), 0)
	return volid, err
}

// extractConfig is the configuration that an archive holds.
func extractConfig(r *request) (any, error) {
	v := r.volume(r.p["node"], r.p["volume"])
	switch {
	case v == nil:
		return nil, die("volume '%s' does not exist", r.p["volume"])
	case v.content != "backup":
		return nil, die("unable to parse backup volume name '%s'", r.p["volume"])
	}
	return string(r.volumeBytes(r.p["node"], v.volid, seedSize)), nil
}
