package pvesim

import (
	"slices"
	"strconv"
	"strings"
)

func init() {
	handle("DELETE /nodes/{node}/qemu/{vmid}", destroyVM)
}

// destroyVM removes a VM that does not run, with its volumes.
func destroyVM(r *request) (any, error) {
	if err := r.onlyRoot("skiplock"); err != nil {
		return nil, err
	}
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	purge := r.p.flag("purge")
	check := func(c *cluster, m *machine) error {
		if err := m.checkProtection("can't remove VM " + strconv.Itoa(m.id)); err != nil {
			return err
		}
		if !purge && c.haConfigured(m) {
			return die("unable to remove VM %d - used in HA resources and purge parameter not set.", m.id)
		}
		if job := c.replicationOf(m.id); !purge && job != "" {
			return die("There is a replication job '%s' for guest '%d' - Please remove that first.", job, m.id)
		}
		if m.running {
			return die("VM %d is running - destroy failed", m.id)
		}
		return nil
	}
	if err := check(r.cluster, m); err != nil {
		return nil, err
	}
	node, id, skip, unreferenced := m.node.name, m.id, r.p.flag("skiplock"), r.p.flag("destroy-unreferenced-disks")
	return r.vmTask("qmdestroy", func(w *worker) error {
		return w.workIn(node, id, func(m *machine) error {
			if err := check(w.cluster, m); err != nil {
				return err
			}
			if lock := m.config["lock"]; !skip && lock != "suspended" {
				if err := m.checkLock(); err != nil {
					return err
				}
			}
			if err := w.destroyVolumes(m, unreferenced); err != nil {
				return err
			}
			w.forget(m, purge)
			return nil
		})
	})
}

// destroyVolumes removes the volumes of a machine: those of its drives, the unused ones, and the
// states of its memory; with unreferenced also those that are its own by their names.
func (w *worker) destroyVolumes(m *machine, unreferenced bool) error {
	named := w.namedVolumes(m)
	if m.template {
		for _, volid := range named {
			if v := w.volume(m.node.name, volid); v != nil && v.isBase() && w.linked(v) {
				return die("base volume '%s' is still in use by linked cloned", volid)
			}
		}
	}
	for _, volid := range named {
		if st, _, ok := cutVolid(volid); ok && w.storage(st) == nil {
			return die("storage '%s' does not exist", st)
		}
		if !w.owns(m, volid) {
			continue
		}
		if err := w.removeVolume(m, volid); err != nil {
			w.say("Could not remove disk '%s', check manually: %s", volid, text(err))
		}
	}
	if !unreferenced {
		return nil
	}
	for _, st := range w.storages {
		if st.disabled() || !st.on(m.node.name) {
			continue
		}
		for _, v := range w.volumesOf(st, m.node.name) {
			if v.content != "images" || v.vmid != m.id {
				continue
			}
			if err := w.free(v); err != nil {
				w.say("%s", text(err))
			}
		}
	}
	return nil
}

func (w *worker) removeVolume(m *machine, volid string) error {
	id, _, _ := cutVolid(volid)
	if _, err := w.usable(m.node.name, id); err != nil {
		return err
	}
	v := w.volume(m.node.name, volid)
	if v == nil {
		w.say("disk image '%s' does not exist", w.pathOf(volid))
		return nil
	}
	return w.free(v)
}

// namedVolumes are the volumes that a configuration names, each once; CD-ROMs are not the machine's.
func (w *worker) namedVolumes(m *machine) []string {
	var list []string
	seen := map[string]bool{}
	add := func(value string) {
		d := parseDrive(value)
		if _, _, ok := cutVolid(d.file); !ok || d.cdrom() && !d.cloudInit() || seen[d.file] {
			return
		}
		seen[d.file] = true
		list = append(list, d.file)
	}
	for _, s := range []section{m.config, m.pending} {
		for _, key := range s.drives() {
			add(s[key])
		}
		for _, key := range s.unused() {
			add(s[key])
		}
		if s.set("vmstate") {
			add(s["vmstate"])
		}
	}
	for _, s := range m.snapshots {
		if s.config.set("vmstate") {
			add(s.config["vmstate"])
		}
	}
	return list
}

// forget drops a machine and what names it.
func (w *worker) forget(m *machine, purge bool) {
	delete(w.machines, m.id)
	for _, p := range w.pools {
		delete(p.members, m.id)
	}
	delete(w.access.acl, vmPath(m.id))
	if !purge {
		return
	}
	w.say("purging VM %d from related configurations..", m.id)
	for job := w.replicationOf(m.id); job != ""; job = w.replicationOf(m.id) {
		delete(w.misc.replications.ids, job)
	}
	w.dropFromBackups(m.id)
	if w.haPurge(m) {
		w.say("NOTE: removed VM %d from HA resource configuration.", m.id)
	}
}

// replicationOf is the id of a replication job of a VM, "" where there is none.
func (c *cluster) replicationOf(id int) string {
	for _, job := range c.misc.replications.names() {
		if guest, _, _ := strings.Cut(job, "-"); guest == strconv.Itoa(id) {
			return job
		}
	}
	return ""
}

// dropFromBackups takes a VM off the lists of the backup jobs.
func (c *cluster) dropFromBackups(id int) {
	for _, job := range c.misc.backups.ids {
		for _, key := range []string{"vmid", "exclude"} {
			if !job.set(key) {
				continue
			}
			left := slices.DeleteFunc(splitList(job[key]), func(one string) bool { return one == strconv.Itoa(id) })
			job[key] = strings.Join(left, ",")
		}
	}
}
