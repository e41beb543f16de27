package pvesim

import (
	"strconv"
	"strings"
	"time"
)

func init() {
	handle("GET /nodes/{node}/qemu/{vmid}/status", func(*request) (any, error) {
		return subdirs("subdir", "current", "start", "stop", "reset", "shutdown", "suspend", "reboot"), nil
	})
	handle("POST /nodes/{node}/qemu/{vmid}/status/start", startVM)
	handle("POST /nodes/{node}/qemu/{vmid}/status/stop", stopVM)
	handle("POST /nodes/{node}/qemu/{vmid}/status/shutdown", shutdownVM)
	handle("POST /nodes/{node}/qemu/{vmid}/status/reboot", rebootVM)
	handle("POST /nodes/{node}/qemu/{vmid}/status/reset", resetVM)
}

// vmTask starts a task of the VM of the path, which need not be there: the task finds out.
func (r *request) vmTask(kind string, work func(w *worker) error) (any, error) {
	return r.forkNow(r.user, r.p["node"], kind, r.p["vmid"], work), nil
}

// managed is the VM of the path where high availability looks after it, else nil.
func (r *request) managed() *machine {
	m, err := r.vm()
	if err != nil || !r.haManaged(m) {
		return nil
	}
	return m
}

func startVM(r *request) (any, error) {
	err := r.onlyRoot("stateuri", "skiplock", "migratedfrom", "migration_type", "migration_network", "targetstorage", "force-cpu", "nets-host-mtu")
	if err != nil {
		return nil, err
	}
	node, id, skip := r.p["node"], r.p.num("vmid", 0), r.p.flag("skiplock")
	if m := r.managed(); m != nil {
		return r.haStart(m), nil
	}
	return r.forkNow(r.user, node, "qmstart", r.p["vmid"], func(w *worker) error {
		return w.workIn(node, id, func(m *machine) (err error) {
			if w.unlocked(func() { err = w.takeTime() }); err != nil {
				return err
			}
			if lock := m.config["lock"]; skip && lock != "" && lock != "suspended" {
				delete(m.config, "lock")
				defer func() { m.config["lock"] = lock }()
			}
			return w.start(w, m)
		})
	}), nil
}

// noConfig is what the tasks that stop say where there is no such VM.
func noConfig(nodeName string, id int) error {
	return die("unable to find configuration file for VM %d on node '%s'", id, nodeName)
}

func stopVM(r *request) (any, error) {
	if err := r.onlyRoot("skiplock", "keepActive", "migratedfrom"); err != nil {
		return nil, err
	}
	node, id := r.p["node"], r.p.num("vmid", 0)
	overrule := r.p.flag("overrule-shutdown")
	if m := r.managed(); m != nil {
		if overrule {
			return nil, wrongParam("overrule-shutdown", "Not applicable for HA resources.")
		}
		return r.haStop(m, 0), nil
	}
	e := ending{force: true, skipLock: r.p.flag("skiplock")}
	return r.vmTask("qmstop", func(w *worker) error {
		if overrule {
			w.overruleShutdowns(id)
		}
		return w.inStopLock(node, id, func(m *machine) error { return w.stopAs(m, e) })
	})
}

// inStopLock is inLock for what stops, which says in its own words that there is no such VM.
func (w *worker) inStopLock(nodeName string, id int, f func(m *machine) error) error {
	err := w.locked(func() error {
		if _, err := w.at(nodeName, id); err != nil {
			return noConfig(nodeName, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.workIn(nodeName, id, f)
}

// overruleShutdowns ends the tasks that wait for the guest of a VM.
func (w *worker) overruleShutdowns(id int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ended []string
	for _, t := range w.tasks.all {
		if t.kind == "qmshutdown" && t.id == strconv.Itoa(id) && t.exit == "" {
			t.stop()
			ended = append(ended, t.upid)
		}
	}
	if len(ended) > 0 {
		w.say("overruled qmshutdown tasks: %s", strings.Join(ended, ", "))
	}
}

func shutdownVM(r *request) (any, error) {
	if err := r.onlyRoot("skiplock", "keepActive"); err != nil {
		return nil, err
	}
	node, id := r.p["node"], r.p.num("vmid", 0)
	e := ending{shutdown: true, force: r.p.flag("forceStop"), skipLock: r.p.flag("skiplock")}
	if r.p.has("timeout") {
		e.timed, e.timeout = true, time.Duration(r.p.num("timeout", 0))*time.Second
	}
	if m, err := r.vm(); err == nil && m.running && m.paused {
		if !e.force {
			return nil, die("VM is paused - cannot shutdown")
		}
		e.shutdown = false
	}
	if m := r.managed(); m != nil {
		return r.haStop(m, r.p.num("timeout", 60)), nil
	}
	return r.vmTask("qmshutdown", func(w *worker) error {
		return w.inStopLock(node, id, func(m *machine) error { return w.stopAs(m, e) })
	})
}

// runningVM is the VM of the path, which must run.
func (r *request) runningVM() (*machine, error) {
	id := r.p.num("vmid", 0)
	m, err := r.vm()
	if err != nil {
		return nil, noConfig(r.p["node"], id)
	}
	if !m.running {
		return nil, die("VM %d not running", id)
	}
	return m, nil
}

// rebootVM shuts a VM down; it starts again, by another task, when it is down.
func rebootVM(r *request) (any, error) {
	m, err := r.runningVM()
	if err != nil {
		return nil, err
	}
	if m.paused {
		return nil, die("VM is paused - cannot shutdown")
	}
	e := ending{shutdown: true}
	if r.p.has("timeout") {
		e.timed, e.timeout = true, time.Duration(r.p.num("timeout", 0))*time.Second
	}
	node, id := m.node.name, m.id
	return r.vmTask("qmreboot", func(w *worker) error {
		return w.workIn(node, id, func(m *machine) error {
			if !m.running {
				return nil
			}
			m.reboots = true
			err := w.stopAs(m, e)
			if err != nil {
				m.reboots = false
			}
			return err
		})
	})
}

func resetVM(r *request) (any, error) {
	if err := r.onlyRoot("skiplock"); err != nil {
		return nil, err
	}
	m, err := r.runningVM()
	if err != nil {
		return nil, err
	}
	node, id, skip := m.node.name, m.id, r.p.flag("skiplock")
	return r.vmTask("qmreset", func(w *worker) error {
		return w.workIn(node, id, func(m *machine) error {
			if err := m.checkLock(); err != nil && !skip {
				return err
			}
			if m.running {
				w.guestStopped(m)
				w.guestStarted(m)
			}
			return nil
		})
	})
}
