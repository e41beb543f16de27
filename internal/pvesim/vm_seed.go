package pvesim

import (
	"maps"
	"slices"
	"strings"
)

// unseeded is what the configuration says and the cloud-init drive does not: the values that the drive was
// written with, for those that changed since, and the keys that are new.
type unseeded struct {
	old   section
	added map[string]bool
}

func (s *unseeded) changes() bool { return s != nil && (len(s.old) > 0 || len(s.added) > 0) }

// isSeedKey reports whether the cloud-init drive tells a key.
func isSeedKey(key string) bool {
	switch key {
	case "name", "cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys":
		return true
	}
	return isNIC(key) || hasNumber(key, "ipconfig")
}

// record notes that a key of a VM gets a new value that its cloud-init drive does not tell.
func (u *update) record(key, value string) {
	if !isSeedKey(key) || !u.m.running {
		return
	}
	s := u.m.unseeded
	if s == nil {
		s = &unseeded{old: section{}, added: map[string]bool{}}
		u.m.unseeded = s
	}
	now, there := u.m.config[key]
	was, noted := s.old[key]
	switch {
	case noted && was == value:
		delete(s.old, key)
	case noted, s.added[key], there && now == value:
	case there:
		s.old[key] = now
	default:
		s.added[key] = true
	}
}

// recordRemoval notes that a key goes that the cloud-init drive tells.
func (u *update) recordRemoval(key string) {
	now, there := u.m.config[key]
	if !isSeedKey(key) || !there {
		return
	}
	s := u.m.unseeded
	if s == nil {
		s = &unseeded{old: section{}, added: map[string]bool{}}
		u.m.unseeded = s
	}
	switch {
	case s.added[key]:
		delete(s.added, key)
	case !s.old.set(key):
		s.old[key] = now
	}
}

func init() {
	handle("GET /nodes/{node}/qemu/{vmid}/cloudinit", cloudInitPending)
	handle("PUT /nodes/{node}/qemu/{vmid}/cloudinit", cloudInitUpdate)
	handle("GET /nodes/{node}/qemu/{vmid}/cloudinit/dump", cloudInitDump)
}

// cloudInitPending lists what the cloud-init drive tells, and what it will once it is written anew. Of keys that it always
// told, only those of users and names are listed, and only where they say something.
func cloudInitPending(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	s := m.unseeded
	if s == nil {
		s = &unseeded{}
	}
	hide := func(key, value string) any {
		if key == "cipassword" {
			return hiddenPassword
		}
		return value
	}
	rows := []map[string]any{}
	for _, key := range slices.SortedFunc(maps.Keys(s.added), compareKeys) {
		rows = append(rows, map[string]any{"key": key, "pending": hide(key, m.config[key])})
	}
	for key := range strings.FieldsSeq("cicustom cipassword citype ciupgrade ciuser nameserver searchdomain sshkeys") {
		value := m.config[key]
		if value == "" || value == "0" || s.added[key] {
			continue
		}
		row := map[string]any{"key": key, "value": hide(key, value)}
		if old, changed := s.old[key]; changed {
			row["value"], row["pending"] = hide(key, old), hide(key, value)
		}
		rows = append(rows, row)
	}
	for _, key := range slices.SortedFunc(maps.Keys(s.old), compareKeys) {
		if !m.config.set(key) {
			rows = append(rows, map[string]any{"key": key, "delete": 1})
		}
	}
	return rows, nil
}

// cloudInitUpdate writes the cloud-init drive anew.
func cloudInitUpdate(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	release, err := r.lockConfig(r.ctx, m)
	if err != nil {
		return nil, err
	}
	defer release()
	if m, err = r.vm(); err != nil {
		return nil, err
	}
	if err := m.checkLock(); err != nil {
		return nil, err
	}
	return nil, silentWorker(r).writeCloudInit(m)
}

// cloudInitDump shows what the cloud-init drive would hold.
func cloudInitDump(r *request) (any, error) {
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	return m.seed()[r.p["type"]], nil
}

// cloudInitDrive is the key of the machine's cloud-init drive with a volume, "" for none.
func (s section) cloudInitDrive() string {
	for _, key := range s.drives() {
		if parseDrive(s[key]).cloudInit() {
			return key
		}
	}
	return ""
}

// writeCloudInit writes the cloud-init drive, which is to be there along with the snippets that it takes.
func (w *worker) writeCloudInit(m *machine) error {
	key := m.config.cloudInitDrive()
	if key == "" {
		return nil
	}
	for part := range strings.SplitSeq(m.config["cicustom"], ",") {
		if _, volid, ok := strings.Cut(part, "="); ok && w.volume(m.node.name, volid) == nil {
			return die("volume '%s' does not exist", volid)
		}
	}
	d := parseDrive(m.config[key])
	if w.volume(m.node.name, d.file) == nil {
		st, err := w.usable(m.node.name, d.storage())
		if err != nil {
			return err
		}
		_, name, _ := cutVolid(d.file)
		n, err := st.parse(name)
		if err != nil {
			return err
		}
		if _, err := w.allocateNamed(st, m.node.name, m.id, n.format, n.name, cloudInitSize); err != nil {
			return err
		}
	}
	w.say("generating cloud-init ISO")
	m.unseeded = nil
	return nil
}
