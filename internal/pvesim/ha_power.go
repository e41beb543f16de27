package pvesim

import "strconv"

// haStart has the manager start a machine and returns the task that asked it to; the machine follows later.
func (r *request) haStart(m *machine) string {
	return r.haRequest(m, "hastart", "start", func() error {
		return r.changeResource(m.sid(), params{"state": "started"})
	})
}

// haStop has the manager stop a machine, within some seconds or, with 0, hard. It returns the task that asked.
func (r *request) haStop(m *machine, seconds int) string {
	return r.haRequest(m, "hastop", "stop", func() error {
		r.haCommand("stop", m.sid(), strconv.Itoa(seconds))
		return nil
	})
}

func (r *request) haRequest(m *machine, kind, what string, do func() error) string {
	return r.fork(m.node.name, kind, strconv.Itoa(m.id), func(w *worker) error {
		return w.locked(func() error {
			w.say("Requesting HA %s for VM %d", what, m.id)
			if r.ha.services[m.sid()] == nil && r.opts.Version < 9 {
				w.say("Use of uninitialized value in string eq at /usr/share/perl5/PVE/API2/HA/Resources.pm line 40.")
			}
			return do()
		})
	})
}
