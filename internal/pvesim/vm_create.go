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
	handle("POST /nodes/{node}/qemu", createVM)
}

// qemuVersion is the QEMU that the nodes run, as "meta" and the machine types say it.
func (c *cluster) qemuVersion() string {
	if c.opts.Version == 9 {
		return "10.1.2"
	}
	return "9.2.0"
}

// creation are the parameters of a create that are no configuration.
var creation = []string{
	"node", "vmid", "archive", "bwlimit", "force", "pool", "start", "storage", "unique", "live-restore", "import-working-storage",
	"ha-managed",
}

// createVM makes a VM: its configuration exists at once, with the lock "create", and is filled by the task.
func createVM(r *request) (any, error) {
	r.clampShares()
	id, n := r.p.num("vmid", 0), r.node(r.p["node"])
	if n == nil {
		return nil, die("no such node '%s'", r.p["node"])
	}
	set := maps.Clone(r.p)
	for _, name := range creation {
		delete(set, name)
	}
	if err := r.checkCreate(set); err != nil {
		return nil, err
	}
	if err := r.taken(id); err != nil {
		return nil, die("unable to create VM %d - %s", id, text(err))
	}
	m := newMachine(id, n)
	m.config["lock"] = "create"
	r.machines[id] = m
	start, storage, pool, user := r.p.flag("start"), r.p["storage"], r.p["pool"], r.user
	ha := r.p.flag("ha-managed")
	return r.forkNow(r.user, n.name, "qmcreate", strconv.Itoa(id), func(w *worker) error {
		err := w.workIn(n.name, id, func(*machine) error {
			if err := w.fill(m, section(set), storage); err != nil {
				return die("unable to create VM %d - %s", id, text(err))
			}
			if p := w.pools[pool]; p != nil {
				p.members[id] = true
			}
			return nil
		})
		if err != nil {
			_ = w.locked(func() error {
				delete(w.machines, id)
				return nil
			})
		}
		if err != nil || !start && !ha {
			return err
		}
		return w.locked(func() error {
			if ha {
				w.say("Add as HA resource")
				w.ha.resources[m.sid()] = section{"state": haStates[start]}
				w.haWake()
			}
			switch {
			case start && ha:
				w.say("Execute autostart")
				r.haStart(m)
			case start:
				w.say("Execute autostart")
				w.forkAs(user, n.name, "qmstart", strconv.Itoa(id), startTask(n.name, id))
			}
			return nil
		})
	}), nil
}

// haStates are what the manager of high availability is to do with a new VM, by whether it is to start.
var haStates = map[bool]string{true: "started", false: "stopped"}

// taken says where a number is in use.
func (c *cluster) taken(id int) error {
	m := c.machines[id]
	if m == nil {
		return nil
	}
	kind := "VM"
	if m.lxc {
		kind = "CT"
	}
	return die("%s %d already exists on node '%s'", kind, id, m.node.name)
}

// checkCreate is what is refused before there is a task.
func (r *request) checkCreate(set params) error {
	if err := checkKeys(set); err != nil {
		return err
	}
	pool := r.p["pool"]
	if pool != "" && r.pools[pool] == nil {
		return raise(403, "Permission check failed (pool '%s' does not exist)", pool)
	}
	if id := r.p["storage"]; id != "" {
		if err := r.need(r, "/storage/"+id, "Datastore.AllocateSpace"); err != nil {
			return err
		}
	}
	if err := r.needVM(pool, "VM.Allocate"); err != nil {
		return raise(403, "Permission check failed")
	}
	if r.p.has("archive") {
		return r.refuseArchive(set)
	}
	resolveCDROM(set)
	if err := r.checkStorages(set, r.p["storage"]); err != nil {
		return err
	}
	if err := r.checkKeyPrivileges(slices.Sorted(maps.Keys(set)), pool); err != nil {
		return err
	}
	if err := r.checkDevices(set, pool); err != nil {
		return err
	}
	if err := r.checkBridges(set); err != nil {
		return err
	}
	if err := r.checkDrives(set); err != nil {
		return err
	}
	for key := range set {
		if isNIC(key) {
			set[key] = withMAC(set[key])
		}
	}
	return nil
}

// refuseArchive is the end of every restore: nothing here keeps backups that hold a VM.
func (r *request) refuseArchive(set params) error {
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if isDrive(key) {
			return wrongParam(key, "option conflicts with option 'archive'")
		}
	}
	archive := r.p["archive"]
	if archive == "-" {
		return die("pipe requires cli environment")
	}
	if r.volume(r.p["node"], archive) == nil {
		return die("volume '%s' does not exist", archive)
	}
	return die("unable to restore VM %s - the simulator does not restore backups", r.p["vmid"])
}

// fill gives a new VM its configuration.
func (w *worker) fill(m *machine, set section, storage string) error {
	drives, err := w.createDisks(m, set, set, storage)
	if err != nil {
		return err
	}
	conf := maps.Clone(set)
	maps.Copy(conf, drives)
	conf["meta"] = fmt.Sprintf("creation-qemu=%s,ctime=%d", w.qemuVersion(), time.Now().Unix())
	if conf["boot"] == "" {
		conf["boot"] = printBootOrder(conf.defaultBootOrder())
	}
	if conf["smbios1"] == "" {
		conf["smbios1"] = "uuid=" + freshUUID()
	}
	if (conf["vmgenid"] == "" || conf["vmgenid"] == "1") && conf["arch"] != "aarch64" {
		conf["vmgenid"] = freshUUID()
	}
	if pinned := w.pinMachine(conf["machine"], conf["ostype"]); pinned != "" {
		conf["machine"] = pinned
	}
	m.put(conf)
	return nil
}

// put replaces a configuration. What is empty is kept only where PVE's file would keep it.
func (m *machine) put(conf section) {
	for key, value := range conf {
		conf[key] = stored(key, value)
	}
	if conf["description"] == "" {
		delete(conf, "description")
	}
	if conf["template"] == "1" {
		m.template = true
	}
	delete(conf, "template")
	m.config = conf
}

// stored is a value as the configuration file has it: booleans as 0 and 1, integers without leading zeros.
func stored(key, value string) string {
	if !numericKeys[key] {
		return value
	}
	switch strings.ToLower(value) {
	case "on", "yes", "true":
		return "1"
	case "off", "no", "false":
		return "0"
	}
	if short := strings.TrimLeft(value, "0"); short != "" {
		return short
	}
	return "0"
}

// windows reports whether an OS type is a Windows.
func windows(ostype string) bool { return strings.HasPrefix(ostype, "w") }

// pinMachine is the machine type with a version, which Windows guests get so that it stays theirs; "" for no change.
func (c *cluster) pinMachine(machine, ostype string) string {
	if !windows(ostype) || strings.Contains(machine, "-") {
		return ""
	}
	kind, rest, _ := strings.Cut(machine, ",")
	if rest != "" {
		rest = "," + rest
	}
	version := strings.Join(strings.Split(c.qemuVersion(), ".")[:2], ".")
	if kind == "q35" || kind == "type=q35" {
		return "pc-q35-" + version + rest
	}
	return "pc-i440fx-" + version + rest
}
