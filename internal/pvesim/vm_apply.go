package pvesim

import (
	"maps"
	"slices"
)

// applyPending makes what waits the configuration in use, as it is done for a VM that does not run. What cannot be
// applied stays, with its text in failed. It is called with mu held. The request may be nil: then root@pam does it.
func (w *worker) applyPending(r *request, m *machine, failed map[string]string, keepCloudInit bool) {
	fail := func(key string, err error) {
		failed[key] = "unable to apply pending change " + key + " : " + text(err) + "\n"
		w.say("%s", "unable to apply pending change "+key+" : "+text(err))
	}
	if r == nil {
		r = w.byRoot()
	}
	for _, key := range slices.SortedFunc(maps.Keys(m.deletions), compareKeys) {
		if m.config.set(key) && isDrive(key) {
			if err := w.deleteOrDetach(r, m, key, m.deletions[key]); err != nil {
				fail(key, err)
				continue
			}
		}
		delete(m.deletions, key)
		delete(m.config, key)
	}
	m.cleanPending()
	cloudInit := false
	for _, key := range slices.SortedFunc(maps.Keys(m.pending), compareKeys) {
		value := m.pending[key]
		if now, ok := m.config[key]; ok && isDrive(key) {
			if old := parseDrive(now); old.file != parseDrive(value).file {
				w.registerUnused(m, old)
			}
		}
		delete(m.pending, key)
		m.setValue(key, value)
		cloudInit = cloudInit || isDrive(key) && parseDrive(value).cloudInit()
	}
	m.dropUsed()
	if cloudInit && !keepCloudInit {
		_ = w.writeCloudInit(m)
	}
}

// setValue sets a key of the configuration in use.
func (m *machine) setValue(key, value string) {
	switch {
	case key == "template":
		m.template = value == "1"
	case key == "description" && value == "":
		delete(m.config, key)
	default:
		m.config[key] = stored(key, value)
	}
}

// byRoot is a request of root@pam, for what a task does beside its user.
func (c *cluster) byRoot() *request {
	return &request{cluster: c, ctx: c.ctx, p: params{}, user: &login{name: "root@pam"}}
}
