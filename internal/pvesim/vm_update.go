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

// delete notes that a key is to go.
func (u *update) delete(key string) error {
	m := u.m
	u.modified[key] = true
	value, waits := m.pending[key]
	if now, ok := m.config[key]; ok {
		value = now
	} else if !waits {
		u.say("cannot delete '%s' - not set in current configuration!", key)
		u.modified[key] = false
		return nil
	}
	was := m.pending[key]
	delete(m.pending, key)
	if slices.Contains(u.boot, key) {
		u.boot = slices.DeleteFunc(u.boot, func(device string) bool { return device == key })
		m.pending["boot"] = printBootOrder(u.boot)
		u.modified["boot"] = true
	}
	switch {
	case isUnused(key):
		return u.deleteUnused(key, value)
	case key == "vmstate":
		if err := m.checkProtection("can't remove vmstate '" + value + "'"); err != nil {
			return err
		}
		gone, err := u.deallocate(u.r, m, key, drive{file: value}, true)
		if gone && err == nil {
			delete(m.config, key)
		}
		return err
	case isDrive(key):
		if err := m.checkProtection("can't remove drive '" + key + "'"); err != nil {
			return err
		}
		if err := u.r.checkDrivePrivileges(parseDrive(value), ""); err != nil {
			return err
		}
		if waits {
			u.registerUnused(m, parseDrive(was))
		}
	case key == "tags":
		delete(m.config, key)
		return nil
	default:
		if err := u.r.checkDevice(key, value, "", true); err != nil {
			return err
		}
	}
	m.deletions[key] = u.force
	return nil
}

func (u *update) deleteUnused(key, value string) error {
	d := parseDrive(value)
	if err := u.m.checkProtection("can't remove unused disk '" + d.file + "'"); err != nil {
		return err
	}
	if err := u.r.needVM("", "VM.Config.Disk"); err != nil {
		return err
	}
	gone, err := u.deallocate(u.r, u.m, key, d, false)
	if gone && err == nil {
		delete(u.m.config, key)
	}
	return err
}

// change notes the new value of a key.
func (u *update) change(key, value string) error {
	m := u.m
	u.modified[key] = true
	if waits, ok := m.pending[key]; ok && waits == value {
		return nil
	}
	switch {
	case isDrive(key):
		if err := u.changeDrive(key, value); err != nil {
			return err
		}
	case hasNumber(key, "serial"), hasNumber(key, "usb"), hasNumber(key, "hostpci"), hasNumber(key, "virtiofs"):
		if now := m.config[key]; now != "" && now != value {
			if err := u.r.checkDevice(key, now, "", true); err != nil {
				return err
			}
		}
		if err := u.r.checkDevice(key, value, "", true); err != nil {
			return err
		}
		m.pending[key] = value
	case key == "tags":
		m.pending[key] = uniqueTags(value)
	case key == "cipassword":
		if !windows(m.config["ostype"]) {
			value = crypted(value)
		}
		u.record(key, value)
		m.config[key] = value
	case key == "ostype":
		if !u.set.set("machine") && !m.pending.set("machine") && !u.modified["machine"] {
			if pinned := u.pinMachine(m.config["machine"], value); pinned != "" {
				m.pending["machine"] = pinned
				u.modified["machine"] = true
			}
		}
		m.pending[key] = value
	case key == "boot":
		if err := u.changeBoot(value); err != nil {
			return err
		}
	default:
		m.pending[key] = stored(key, value)
	}
	delete(m.deletions, key)
	return nil
}

func (u *update) changeDrive(key, value string) error {
	m, d := u.m, parseDrive(value)
	if now := m.config[key]; now != "" {
		old := parseDrive(now)
		if err := u.r.checkDrivePrivileges(old, ""); err != nil {
			return err
		}
		if key == "tpmstate0" && old.file == d.file && tpmVersion(old) != tpmVersion(d) {
			return die("cannot change TPM state version after creation")
		}
	}
	if err := u.r.checkDrivePrivileges(d, ""); err != nil {
		return err
	}
	if waits, ok := m.pending[key]; ok {
		u.registerUnused(m, parseDrive(waits))
	}
	drives, err := u.createDisks(m, m.config, section{key: value}, "")
	if err != nil {
		return err
	}
	maps.Copy(m.pending, drives)
	if len(u.boot) > 0 && d.cdrom() && !d.cloudInit() && !slices.Contains(u.boot, key) {
		u.boot = append(u.boot, key)
		m.pending["boot"] = printBootOrder(u.boot)
		u.modified["boot"] = true
	}
	return nil
}

func tpmVersion(d drive) string {
	if v := d.options["version"]; v != "" {
		return v
	}
	return "v1.2"
}

// changeBoot takes a new boot order, whose devices must be there.
func (u *update) changeBoot(value string) error {
	m := u.m
	order := section{"boot": value}.bootOrder()
	for _, device := range order {
		there := m.config.set(device) || m.pending.set(device) || u.set.set(device)
		if !there || slices.Contains(u.remove, device) {
			return die("invalid bootorder: device '%s' does not exist'", device)
		}
	}
	m.pending["boot"] = value
	if len(order) > 0 {
		m.pending["boot"] = printBootOrder(order)
		if m.config.set("bootdisk") {
			m.deletions["bootdisk"] = false
		}
	}
	return nil
}

// cleanPending drops what waits and would change nothing.
func (m *machine) cleanPending() {
	for key, value := range m.pending {
		if now, ok := m.config[key]; ok && now == value {
			delete(m.pending, key)
		}
	}
	for key := range m.deletions {
		if !m.config.set(key) {
			delete(m.deletions, key)
		}
	}
}

// uniqueTags is how an update stores tags: in lower case, sorted, each once.
func uniqueTags(value string) string {
	tags := splitList(strings.ToLower(value))
	slices.Sort(tags)
	return strings.Join(slices.Compact(tags), ";")
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
