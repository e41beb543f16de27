package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// run is the task of a clone.
func (j *cloneJob) run(w *worker) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.at(j.node, j.vmid)
	if err != nil {
		return err
	}
	release, err := w.lockSource(m, cloneWait)
	if err != nil {
		return err
	}
	defer release()
	if m, err = w.at(j.node, j.vmid); err != nil {
		return err
	}
	if err := j.checkPlace(); err != nil {
		return err
	}
	p, err := j.plan(m)
	if err != nil {
		return err
	}
	if other := w.machines[j.newid]; other != nil {
		return die("unable to open file '/etc/pve/nodes/%s/qemu-server/%d.conf.tmp.%d' - File exists", j.node, j.newid, w.task.pid)
	}
	if w.opts.Version >= 9 {
		w.say("creating a clone of VM %d with ID %d", j.vmid, j.newid)
	}
	clone := newMachine(j.newid, m.node)
	clone.config = section{"lock": "clone", "description": " qmclone temporary file"}
	w.machines[j.newid] = clone
	w.copyFirewall(m, clone)
	<-clone.flock
	defer func() { clone.flock <- struct{}{} }()
	if err := j.fill(w, m, clone, p); err != nil {
		delete(w.machines, j.newid)
		if w.ctx.Err() != nil {
			return die("clone failed: interrupted by signal")
		}
		return die("clone failed: %s", text(err))
	}
	return nil
}

// fill gives the clone its disks, one after the other, and its configuration. It is called with mu held and lets go
// of it while it copies.
func (j *cloneJob) fill(w *worker, m, clone *machine, p *clonePlan) (err error) {
	var made []*volume
	defer func() {
		if err != nil {
			for _, v := range made {
				_ = w.free(v)
			}
		}
	}()
	w.unlocked(func() { err = w.takeTime() })
	if err != nil {
		return err
	}
	running, mirrored := m.running && j.snap == "", []string{}
	for _, key := range p.keys {
		d, v := p.drives[key], (*volume)(nil)
		w.unlocked(func() { v, err = j.disk(w, key, d, p.full[key], running) })
		if err != nil {
			return err
		}
		made = append(made, v)
		if running && p.full[key] && !d.cloudInit() {
			mirrored = append(mirrored, key)
		}
		d.file = v.volid
		delete(d.options, "format")
		d.setSize(v.size)
		p.config[key] = d.String()
		clone.config = maps.Clone(p.config)
		clone.config["lock"] = "clone"
	}
	j.endMirrors(w, m, mirrored)
	if m = w.machines[j.vmid]; m != nil && j.snap == "" && len(m.pending) > 0 {
		w.say("found pending changes for '%s', discarding for clone", strings.Join(slices.Sorted(maps.Keys(m.pending)), ","))
	}
	clone.config = p.config
	if m != nil {
		w.copyFirewall(m, clone)
	}
	if j.target != "" {
		clone.node = w.node(j.target)
	}
	if pool := w.pools[j.pool]; pool != nil {
		pool.members[j.newid] = true
	}
	return nil
}

// disk makes one disk of the clone. It is called without mu.
func (j *cloneJob) disk(w *worker, key string, d drive, full, running bool) (v *volume, err error) {
	var from *volume
	var to *storage
	err = w.locked(func() error {
		if from = w.volume(j.node, d.file); from == nil {
			return w.noDisk(d.file)
		}
		to = from.storage
		if j.storage != "" {
			to, err = w.usable(j.node, j.storage)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case d.cloudInit():
		return j.cloudInit(w, key, from, to)
	case !full:
		return w.linkedClone(key, from, j.snap, j.newid)
	}
	job := copyJob{drive: key, from: from, snap: j.snap, node: j.node, to: to, vmid: j.newid, format: j.format, running: running}
	if key == "tpmstate0" {
		job.format = "raw"
	}
	return w.fullClone(job)
}

// cloudInit makes a new cloud-init drive for the clone: its content is written when the VM starts.
func (j *cloneJob) cloudInit(w *worker, key string, from *volume, to *storage) (v *volume, err error) {
	err = w.locked(func() (err error) {
		w.say("create full clone of drive %s (%s)", key, from.volid)
		v, err = w.allocateNamed(to, j.node, j.newid, to.formatFor(from, j.format), "vm-"+strconv.Itoa(j.newid)+"-cloudinit", cloudInitSize)
		if err != nil {
			return err
		}
		if line := v.made(); line != "" {
			w.say("%s", line)
		}
		return nil
	})
	return v, err
}

// endMirrors is what the log says at the end of copies of disks that are in use: the VM is still for a moment, or its
// file systems are. It holds mu.
func (j *cloneJob) endMirrors(w *worker, m *machine, keys []string) {
	if len(keys) == 0 {
		return
	}
	freeze := false
	if agentEnabled(m.config["agent"]) {
		if freeze = w.guestAnswers(m); !freeze {
			w.say("QEMU Guest Agent is not running - VM %d qmp command 'guest-ping' failed - got timeout", m.id)
		}
	}
	if freeze {
		w.say("freeze filesystem")
	} else {
		w.say("suspend vm")
	}
	for _, key := range keys {
		w.say("drive-%s: Cancelling block job", key)
	}
	for _, key := range keys {
		w.say("drive-%s: Done.", key)
	}
	if freeze {
		w.say("unfreeze filesystem")
	} else {
		w.say("resume vm")
	}
}
