package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// migration moves one VM.
type migration struct {
	node, target string
	vmid         int
	online       bool // it ran when it was asked for
	withDisks    bool // move local disks that are in use as well
	force        bool
	storages     storageMap
}

// stamp writes a line as migrations do, with the time.
func (w *worker) stamp(format string, args ...any) {
	for line := range strings.SplitSeq(strings.TrimSuffix(fmt.Sprintf(format, args...), "\n"), "\n") {
		w.say("%s %s", time.Now().Format(time.DateTime), line)
	}
}

// run is the task of a migration.
func (j *migration) run(w *worker) error {
	begun := time.Now()
	duration := func() string {
		d := time.Since(begun)
		return fmt.Sprintf("%02d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	}
	return w.inLock(j.node, j.vmid, func(m *machine) error {
		err := j.prepare(w, m)
		if err == nil {
			w.stamp("starting migration of VM %d to node '%s' (%s)", j.vmid, j.target, w.addressOf(j.target))
			m.config["lock"] = "migrate"
			if err = j.move(w, m); err != nil {
				w.stamp("ERROR: %s", text(err))
				w.stamp("aborting phase 1 - cleanup resources")
				delete(m.config, "lock")
			}
		}
		if err != nil {
			w.stamp("ERROR: migration aborted (duration %s): %s", duration(), text(err))
			return die("migration aborted")
		}
		w.stamp("migration finished successfully (duration %s)", duration())
		return nil
	})
}

// addressOf is the address of a node.
func (c *cluster) addressOf(name string) string {
	i := slices.IndexFunc(c.nodes, func(n *node) bool { return n.name == name })
	return "10.10.0." + strconv.Itoa(2+i)
}

// prepare refuses what cannot be moved. It holds mu.
func (j *migration) prepare(w *worker, m *machine) error {
	if err := m.checkLock(); err != nil {
		return err
	}
	if m.running && !j.online {
		return die("can't migrate running VM without --online")
	}
	res := w.resourcesOf(m.config, m.running)
	if blocking := res.blocking(); len(blocking) > 0 {
		if m.running || !j.force {
			return die("can't migrate VM which uses local devices: %s", strings.Join(blocking, ", "))
		}
		w.stamp("migrating VM which uses local devices")
	}
	if len(res.mapped) > 0 {
		var names []string
		for _, key := range slices.Sorted(maps.Keys(res.mapped)) {
			names = append(names, fmt.Sprintf("%s:%s", key, res.mapped[key]["name"]))
		}
		switch missing := res.missing[j.target]; {
		case len(missing) > 0:
			return die("can't migrate to '%s': missing mapped devices %s", j.target, strings.Join(missing, ", "))
		case m.running:
			return die("can't live migrate running VM which uses following mapped devices: %s", strings.Join(names, ", "))
		}
		w.stamp("migrating VM which uses mapped local devices")
	}
	if m.running && property(m.config["vga"], "clipboard", "") == "vnc" {
		return die("VMs with 'clipboard' set to 'vnc' are not live migratable!")
	}
	for volid := range m.uses() {
		st := w.storage(parseDrive(volid).storage())
		if st == nil {
			continue
		}
		if _, err := w.usable(j.target, j.storages.to(st)); err != nil {
			return err
		}
	}
	if !w.node(j.target).online {
		return die("Can't connect to destination address using public key")
	}
	return nil
}

// move moves the disks that only this node has, then the VM. It is called with mu and the lock held, and lets go of mu.
func (j *migration) move(w *worker, m *machine) (err error) {
	running := m.running
	disks, err := j.scan(w, m)
	if err != nil {
		return die("Problem found while scanning volumes - %s", text(err))
	}
	w.unlocked(func() { err = w.takeTime() })
	if err != nil {
		return err
	}
	if err = j.copyDisks(w, disks, running); err != nil {
		return err
	}
	if running {
		j.sayOnline(w)
		m.started = time.Now() // the process there is a new one
	}
	names := map[string]string{}
	for _, d := range disks {
		names[d.from.volid] = d.to.volid
		_ = w.free(d.from)
	}
	m.renameVolumes(names)
	delete(m.config, "lock")
	m.node = w.node(j.target)
	return nil
}

// sayOnline is what the log says of the memory's way.
func (j *migration) sayOnline(w *worker) {
	socket := fmt.Sprintf("unix:/run/qemu-server/%d.migrate", j.vmid)
	w.stamp("starting online/live migration on %s", socket)
	w.stamp("set migration capabilities")
	w.stamp("migration downtime limit: 100 ms")
	w.stamp("migration cachesize: 64.0 MiB")
	w.stamp("set migration parameters")
	w.stamp("start migrate command to %s", socket)
	w.stamp("average migration speed: 1.0 GiB/s - downtime 20 ms")
	w.stamp("migration completed, transferred 100.0 MiB VM-state")
	w.stamp("migration status: completed")
}

// renameVolumes changes the volumes of a VM's drives, in snapshots as well.
func (m *machine) renameVolumes(names map[string]string) {
	rename := func(s section) {
		for key, value := range s {
			if !isDrive(key) && !isUnused(key) && key != "vmstate" {
				continue
			}
			d := parseDrive(value)
			if to := names[d.file]; to != "" {
				d.file = to
				s[key] = d.String()
			}
		}
	}
	rename(m.config)
	rename(m.pending)
	for _, s := range m.snapshots {
		rename(s.config)
	}
}
