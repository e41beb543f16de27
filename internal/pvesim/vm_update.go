package pvesim

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

func init() {
	handle("PUT /nodes/{node}/qemu/{vmid}/config", func(r *request) (any, error) { return updateVM(r, true) })
	handle("POST /nodes/{node}/qemu/{vmid}/config", func(r *request) (any, error) { return updateVM(r, false) })
	handle("PUT /nodes/{node}/qemu/{vmid}/unlink", unlinkDisks)
}

// update is one change of a configuration.
type update struct {
	*worker
	r        *request
	m        *machine
	set      section
	remove   []string
	revert   []string
	force    bool
	log      string
	modified map[string]bool // keys that this update touched: only they are applied to a VM that runs
	boot     []string        // the order of the devices to boot from, as it stands
}

// notSettings are the parameters of an update that are no configuration.
var notSettings = []string{
	"node", "vmid", "digest", "background_delay", "skip_cloud_init", "import-working-storage", "skiplock", "delete", "revert", "force",
}

// updateVM changes a configuration, at once or by a task.
func updateVM(r *request, sync bool) (any, error) {
	u, err := newUpdate(r)
	if err != nil {
		return nil, err
	}
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	release, err := r.lockConfig(r.ctx, m)
	if err != nil {
		return nil, err
	}
	if m, err = r.vm(); err == nil {
		u.m = m
		err = u.check()
	}
	if err != nil {
		release()
		return nil, err
	}
	if sync {
		defer release()
		u.worker = silentWorker(r)
		return nil, u.run()
	}
	upid := r.fork(m.node.name, "qmconfig", strconv.Itoa(m.id), func(w *worker) error {
		return w.locked(func() error {
			u.worker = w
			return u.run()
		})
	})
	over := make(chan struct{})
	r.tasks.byUPID[upid].after = func() {
		release()
		close(over)
	}
	return r.inBackground(upid, over)
}

// inBackground waits for a task as long as the request wants to, and answers with it where it still runs.
func (r *request) inBackground(upid string, over <-chan struct{}) (any, error) {
	patience := time.Duration(r.p.num("background_delay", 0)) * time.Second
	if patience == 0 {
		return upid, nil
	}
	r.unlocked(func() {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-over:
		case <-timer.C:
		case <-r.ctx.Done():
		}
	})
	switch exit := r.tasks.byUPID[upid].exit; {
	case exit == "":
		return upid, nil
	case exit == "OK" || strings.HasPrefix(exit, "WARNINGS"):
		return nil, nil
	default:
		return nil, die("failed to update VM %s: %s", r.p["vmid"], exit)
	}
}

// silentWorker does what a task would, without one: what it logs nobody reads.
func silentWorker(r *request) *worker {
	return &worker{cluster: r.cluster, ctx: context.WithoutCancel(r.ctx), task: &task{node: r.p["node"]}}
}

// newUpdate reads what a request wants to change, and refuses what it need not look at the VM for.
func newUpdate(r *request) (*update, error) {
	if err := r.onlyRoot("skiplock"); err != nil {
		return nil, err
	}
	u := &update{r: r, set: section(maps.Clone(r.p)), force: r.p.flag("force"), modified: map[string]bool{}}
	u.log = "update VM " + r.p["vmid"] + ":"
	for _, key := range slices.Sorted(maps.Keys(r.p)) {
		if key == "node" || key == "vmid" || key == "digest" || key == "background_delay" || key == "skip_cloud_init" || key == "import-working-storage" {
			continue
		}
		value := r.p[key]
		if key == "cipassword" {
			value = "<hidden>"
		}
		u.log += " -" + key + " " + value
	}
	for _, name := range notSettings {
		delete(u.set, name)
	}
	if r.clampShares(); r.p.has("cpuunits") {
		u.set["cpuunits"] = r.p["cpuunits"]
	}
	if err := checkKeys(params(u.set)); err != nil {
		return nil, err
	}
	if r.p["delete"] == "" && r.p["revert"] == "" && len(u.set) == 0 {
		return nil, die("no options specified")
	}
	resolveCDROM(params(u.set))
	if err := u.readLists(); err != nil {
		return nil, err
	}
	if err := r.checkDrives(params(u.set)); err != nil {
		return nil, err
	}
	for key, value := range u.set {
		switch {
		case isNIC(key):
			u.set[key] = withMAC(value)
		case key == "vmgenid" && value == "1":
			u.set[key] = freshUUID()
		case key == "hookscript":
			if err := r.checkHook(value); err != nil {
				return nil, wrongParam(key, "%s\n", text(err))
			}
		}
	}
	if err := r.checkKeyPrivileges(u.remove, ""); err != nil {
		return nil, err
	}
	if err := r.checkKeyPrivileges(slices.Sorted(maps.Keys(u.set)), ""); err != nil {
		return nil, err
	}
	if err := r.checkStorages(params(u.set), ""); err != nil {
		return nil, err
	}
	return u, r.checkBridges(params(u.set))
}

// readLists reads "delete" and "revert".
func (u *update) readLists() error {
	for _, key := range splitList(u.r.p["revert"]) {
		if !u.r.isOption(key) {
			return wrongParam("revert", "unknown option '%s'", key)
		}
		if u.set.set(key) {
			return wrongParam("delete", "you can't use '-%s' and -revert %s' at the same time", key, key)
		}
		u.revert = append(u.revert, key)
	}
	for _, key := range splitList(u.r.p["delete"]) {
		if key == "cdrom" {
			key = "ide2"
		}
		if u.set.set(key) {
			return wrongParam("delete", "you can't use '-%s' and -delete %s' at the same time", key, key)
		}
		if slices.Contains(u.revert, key) {
			return wrongParam("revert", "you can't use '-delete %s' and -revert %s' at the same time", key, key)
		}
		if !u.r.isOption(key) {
			return wrongParam("delete", "unknown option '%s'", key)
		}
		u.remove = append(u.remove, key)
	}
	return nil
}

// check is what an update refuses once it has the lock, before it changes anything.
func (u *update) check() error {
	m := u.m
	if err := m.checkDigest(u.r.p); err != nil {
		return err
	}
	discards := slices.Contains(u.remove, "vmstate") && m.config["lock"] == "suspended"
	if discards {
		u.remove = append(u.remove, "lock")
	}
	if slices.Contains(u.remove, "vmstate") {
		for _, key := range []string{"runningmachine", "runningcpu"} {
			if m.config.set(key) {
				u.remove = append(u.remove, key)
			}
		}
	}
	if !discards && !u.r.p.flag("skiplock") {
		if err := m.checkLock(); err != nil {
			return err
		}
	}
	for _, key := range u.revert {
		if value, ok := m.config[key]; ok {
			u.set[key] = value
		} else if m.pending.set(key) {
			u.remove = append(u.remove, key)
		}
	}
	return u.checkBalloon()
}

// checkBalloon refuses a target for the memory that is more than the VM has.
func (u *update) checkBalloon() error {
	if !u.set.set("memory") && !u.set.set("balloon") {
		return nil
	}
	s := maps.Clone(u.m.config)
	for _, key := range []string{"memory", "balloon"} {
		for _, from := range []section{u.m.pending, u.set} {
			if value, ok := from[key]; ok {
				s[key] = value
			}
		}
	}
	if s.num("balloon", 0) > s.memory() {
		return die("balloon value too large (must be smaller than assigned memory)")
	}
	return nil
}

// run writes the changes down as pending ones, and applies what can be applied.
func (u *update) run() error {
	u.say("%s", u.log)
	u.boot = u.m.config.bootOrder()
	for _, key := range u.remove {
		if err := u.delete(key); err != nil {
			return err
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(u.set), compareKeys) {
		if err := u.change(key, u.set[key]); err != nil {
			return err
		}
	}
	u.m.cleanPending()
	u.m.dropUsed()
	if len(u.m.pending) == 0 && len(u.m.deletions) == 0 {
		return nil
	}
	failed := map[string]string{}
	if u.m.running {
		u.hotplug(failed)
	} else {
		u.applyPending(u.r, u.m, failed, u.r.p.flag("skip_cloud_init"))
	}
	if len(failed) > 0 {
		return wrong(failed)
	}
	return nil
}

// unlinkDisks is the old name of deleting drives.
func unlinkDisks(r *request) (any, error) {
	p := params{"node": r.p["node"], "vmid": r.p["vmid"], "delete": r.p["idlist"]}
	if r.p.has("force") {
		p["force"] = r.p["force"]
	}
	old := r.p
	defer func() { r.p = old }()
	r.p = p
	return updateVM(r, true)
}
