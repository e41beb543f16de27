package pvesim

import (
	"fmt"
	"slices"
	"time"
)

func init() {
	handle("POST /nodes/{node}/qemu/{vmid}/status/suspend", suspendVM)
	handle("POST /nodes/{node}/qemu/{vmid}/status/resume", resumeVM)
}

// suspendVM pauses a VM, or writes its memory to a volume and stops it.
func suspendVM(r *request) (any, error) {
	if err := r.onlyRoot("skiplock"); err != nil {
		return nil, err
	}
	m, err := r.runningVM()
	if err != nil {
		return nil, err
	}
	node, id, skip := m.node.name, m.id, r.p.flag("skiplock")
	if !r.p.flag("todisk") {
		return r.vmTask("qmpause", func(w *worker) error {
			return w.workIn(node, id, func(m *machine) error {
				if err := m.checkLock(); err != nil && !skip && m.config["lock"] != "backup" {
					return err
				}
				if !m.running {
					return die("VM %d not running", id)
				}
				m.paused = true
				return nil
			})
		})
	}
	if r.haManaged(m) {
		return nil, die("Cannot suspend HA managed VM to disk")
	}
	if err := r.need(r, "/vms/"+r.p["vmid"], "VM.Config.Disk"); err != nil {
		return nil, err
	}
	for key := range m.config {
		if hasNumber(key, "hostpci") {
			return nil, die("cannot suspend VM to disk due to passed-through PCI device(s), which lack the possibility to save/restore their internal state")
		}
	}
	storage := r.p["statestorage"]
	if storage == "" {
		storage = r.stateStorage(m)
	}
	if err := r.need(r, "/storage/"+storage, "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	return r.vmTask("qmsuspend", func(w *worker) error {
		return w.workIn(node, id, func(m *machine) error { return w.hibernate(m, storage, skip) })
	})
}

// hibernate writes the memory of a VM to a volume and stops it.
func (w *worker) hibernate(m *machine, storage string, skipLock bool) error {
	if err := m.checkLock(); err != nil && !skipLock {
		if m.config["lock"] == "backup" {
			return die("cannot suspend to disk during backup")
		}
		return err
	}
	if !m.running {
		return die("VM %d not running", m.id)
	}
	v, err := w.allocateState(m, storage, "suspend-"+time.Now().Format(time.DateOnly))
	if err != nil {
		return err
	}
	w.say("State saved, quitting")
	m.reboots = false
	w.powerOff(m)
	m.config["lock"], m.config["vmstate"] = "suspended", v.volid
	m.config["runningmachine"] = w.machineType(m)
	m.config["runningcpu"] = runningCPU(m)
	return nil
}

// allocateState makes the volume for the memory of a machine, and logs it.
func (w *worker) allocateState(m *machine, storage, name string) (*volume, error) {
	st, err := w.usable(m.node.name, storage)
	if err != nil {
		return nil, err
	}
	v, err := w.allocateNamed(st, m.node.name, m.id, "raw", fmt.Sprintf("vm-%d-state-%s", m.id, name), stateSize(m.config.memory()))
	if err != nil {
		return nil, err
	}
	if line := v.made(); line != "" {
		w.say("%s", line)
	}
	return v, nil
}

// stateSize is how large a volume is made for the memory of a VM that has so many MiB: twice that, and room for the devices.
func stateSize(mib int) int64 { return int64(mib)*2<<20 + 500<<20 }

// stateStorage is where the memory of a machine goes: where it says, else the first shared storage of its disks, else
// that of its first disk, else "local".
func (c *cluster) stateStorage(m *machine) string {
	if id := m.config["vmstatestorage"]; id != "" {
		return id
	}
	first := ""
	for _, key := range m.config.drives() {
		d := parseDrive(m.config[key])
		st := c.storage(d.storage())
		if st == nil || d.cdrom() {
			continue
		}
		if st.shared() {
			return st.id
		}
		if first == "" {
			first = st.id
		}
	}
	if first == "" {
		return "local"
	}
	return first
}

// runningCPU is the processor that a VM runs with, as QEMU was told.
func runningCPU(m *machine) string {
	kind := property(m.config["cpu"], "cputype", "cputype")
	switch {
	case m.config["kvm"] == "0" && kind == "":
		return "qemu64"
	case m.config["kvm"] == "0":
		return kind
	case kind == "" || kind == "kvm64":
		return "kvm64,enforce,+kvm_pv_eoi,+kvm_pv_unhalt,+lahf_lm,+sep"
	}
	return kind + ",enforce,+kvm_pv_eoi,+kvm_pv_unhalt"
}

// machineType is the type with the version that a VM runs with.
func (c *cluster) machineType(m *machine) string {
	kind := property(m.config["machine"], "type", "type")
	version := c.qemuVersion()
	version = version[:max(0, len(version)-2)]
	switch {
	case slices.Contains([]string{"", "pc", "i440fx"}, kind):
		return "pc-i440fx-" + version + "+pve0"
	case kind == "q35":
		return "pc-q35-" + version + "+pve0"
	}
	return kind
}

func resumeVM(r *request) (any, error) {
	if err := r.onlyRoot("skiplock", "nocheck"); err != nil {
		return nil, err
	}
	m, err := r.vm()
	switch {
	case err != nil:
		return nil, noConfig(r.p["node"], r.p.num("vmid", 0))
	case m.config["lock"] == "suspended":
		return r.vmTask("qmresume", startTask(m.node.name, m.id))
	case !m.running:
		return nil, die("VM %d not running", m.id)
	}
	node, id, skip := m.node.name, m.id, r.p.flag("skiplock")
	return r.vmTask("qmresume", func(w *worker) error {
		return w.workIn(node, id, func(m *machine) error {
			if m.template {
				return die("VM %d is a template and cannot be resumed!", id)
			}
			if !m.paused {
				return nil
			}
			if err := m.checkLock(); err != nil && !skip && m.config["lock"] != "backup" {
				return err
			}
			m.paused = false
			return nil
		})
	})
}
