package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

func init() {
	handle("POST /nodes/{node}/startall", startAll)
	handle("POST /nodes/{node}/stopall", stopAll)
	handle("POST /nodes/{node}/suspendall", suspendAll)
}

// bulkMachines are the ids of the VMs and containers of a node, or of those of them that "vms" lists.
func (r *request) bulkMachines() []int {
	only := keyList(r.p["vms"])
	var ids []int
	for _, id := range slices.Sorted(maps.Keys(r.machines)) {
		m := r.machines[id]
		if len(only) == 0 && r.haManaged(m) {
			continue
		}
		if m.node.name == r.p["node"] && (len(only) == 0 || slices.Contains(only, strconv.Itoa(id))) {
			ids = append(ids, id)
		}
	}
	return ids
}

// each runs the same for some machines, one task for each, one after the other. What fails is logged.
func (w *worker) each(r *request, ids []int, wanted func(m *machine) bool, kind, verb string, work func(w *worker, m *machine) error) error {
	for _, id := range ids {
		w.mu.Lock()
		m := w.machines[id]
		if m == nil || !wanted(m) {
			w.mu.Unlock()
			continue
		}
		name := "VM"
		if m.lxc {
			name = "CT"
		}
		w.say("%s %s %d", verb, name, id)
		done := make(chan error, 1)
		w.forkAs(r.user, m.node.name, kind, strconv.Itoa(id), func(w *worker) error {
			err := work(w, m)
			done <- err
			return err
		})
		w.mu.Unlock()
		select {
		case err := <-done:
			if err != nil {
				w.logf("%s %s %d failed: %s", verb, name, id, text(err))
			}
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
	return nil
}

// startAll starts what starts with its node, or all with "force".
func startAll(r *request) (any, error) {
	ids, force := r.bulkMachines(), r.p.flag("force")
	return r.fork(r.p["node"], "startall", "", func(w *worker) error {
		wanted := func(m *machine) bool { return !m.running && !m.template && (force || m.config["onboot"] == "1") }
		return w.each(r, ids, wanted, "qmstart", "Starting", func(w *worker, m *machine) error {
			if m.lxc {
				return w.locked(func() error { w.startContainer(m); return nil })
			}
			return startTask(m.node.name, m.id)(w)
		})
	}), nil
}

// stopAll shuts down what runs, and turns off what does not obey unless "force-stop" is off.
func stopAll(r *request) (any, error) {
	ids := r.bulkMachines()
	how := ending{shutdown: true, timed: true, timeout: time.Duration(r.p.num("timeout", 180)) * time.Second, force: r.p["force-stop"] != "0"}
	return r.fork(r.p["node"], "stopall", "", func(w *worker) error {
		return w.each(r, ids, func(m *machine) bool { return m.running }, "qmshutdown", "Stopping", func(w *worker, m *machine) error {
			if m.lxc {
				return w.locked(func() error { m.running = false; return nil })
			}
			return w.inLock(m.node.name, m.id, func(m *machine) error { return w.stopAs(m, how) })
		})
	}), nil
}

func suspendAll(r *request) (any, error) {
	ids := r.bulkMachines()
	return r.fork(r.p["node"], "suspendall", "", func(w *worker) error {
		return w.each(r, ids, func(m *machine) bool { return m.running && !m.lxc }, "qmsuspend", "Suspending", func(w *worker, m *machine) error {
			return w.inLock(m.node.name, m.id, func(m *machine) error { m.paused = true; return nil })
		})
	}), nil
}
