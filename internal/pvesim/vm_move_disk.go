package pvesim

import "strconv"

func init() {
	handle("POST /nodes/{node}/qemu/{vmid}/move_disk", moveDisk)
}

// moveDisk moves a disk to another storage or format, or gives it to another VM.
func moveDisk(r *request) (any, error) {
	switch {
	case r.p["target-vmid"] != "" && r.p["storage"] != "":
		const text = "either set 'storage' or 'target-vmid', but not both"
		return nil, wrong(map[string]string{"target-vmid": text, "storage": text})
	case r.p["target-vmid"] != "":
		return giveDisk(r)
	case r.p["storage"] == "":
		const text = "both 'storage' and 'target-vmid' missing, either needs to be set"
		return nil, wrong(map[string]string{"target-vmid": text, "storage": text})
	}
	if err := r.need(r, "/storage/"+r.p["storage"], "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	j := &diskMove{node: r.p["node"], vmid: r.p.num("vmid", 0), disk: r.p["disk"], p: r.p}
	m, err := r.vm()
	if err != nil {
		return nil, err
	}
	if err := j.check(r.cluster, m); err != nil {
		return nil, err
	}
	return r.forkNow(r.user, j.node, "qmmove", r.p["vmid"], func(w *worker) error {
		return w.inLock(j.node, j.vmid, func(m *machine) error { return j.run(w, m) })
	}), nil
}

// diskMove is the move of one disk to another storage.
type diskMove struct {
	node string
	vmid int
	disk string
	p    params

	// what check finds
	drive       drive
	from        *volume
	to          *storage
	snapshotted bool
}

// check refuses what cannot be moved. It is asked ahead of the task and, with the lock, in it.
func (j *diskMove) check(c *cluster, m *machine) error {
	if err := m.checkLock(); err != nil {
		return err
	}
	if err := m.checkModified(j.p["digest"]); err != nil {
		return err
	}
	value, ok := m.config[j.disk]
	if !ok {
		return die("disk '%s' does not exist", j.disk)
	}
	j.drive = parseDrive(value)
	if j.drive.cdrom() && !j.drive.cloudInit() {
		return die("you can't move a cdrom")
	}
	old := j.drive.storage()
	if old == "" {
		return die("unable to parse volume ID '%s'", j.drive.file)
	}
	format := j.p["format"]
	j.from = c.volume(j.node, j.drive.file)
	has := ""
	if j.from != nil {
		has = j.from.format
	}
	if old == j.p["storage"] && (format == "" || has == "" || has == format) {
		return die("you can't move to the same storage with same format")
	}
	st, err := c.usable(j.node, j.p["storage"])
	if err != nil {
		return err
	}
	if !st.holds("images") {
		return wrongParam("storage", "storage '%s' does not support vm images", st.id)
	}
	j.to = st
	j.snapshotted = m.inUse(j.disk, j.drive.file)
	if j.snapshotted && j.p.flag("delete") {
		return die("you can't move a disk with snapshots and delete the source")
	}
	return nil
}

// run copies the disk and lets the VM use the copy. It is called with mu and the lock of the configuration held.
func (j *diskMove) run(w *worker, m *machine) error {
	const failed = "storage migration failed"
	if err := j.check(w.cluster, m); err != nil {
		return err
	}
	if j.from == nil {
		return die("%s: volume '%s' does not exist", failed, j.drive.file)
	}
	if j.snapshotted {
		w.say("moving disk with snapshots, snapshots will not be moved!")
	}
	job := copyJob{drive: j.disk, from: j.from, node: j.node, to: j.to, vmid: m.id, format: j.p["format"], running: m.running}
	switch {
	case j.disk == "tpmstate0":
		if m.running {
			return die("%s: you can't move a TPM state volume while VM is running", failed)
		}
		job.format = "raw"
	case j.drive.cloudInit():
		job.name, job.running = "vm-"+strconv.Itoa(m.id)+"-cloudinit", false
	case isUnused(j.disk):
		job.running = false
	}
	var v *volume
	var err error
	w.unlocked(func() {
		if err = w.takeTime(); err == nil {
			v, err = w.fullClone(job)
		}
	})
	switch {
	case err != nil && w.ctx.Err() != nil:
		return die("%s: interrupted by signal", failed)
	case err != nil:
		return prefixed(failed, err)
	}
	if job.running {
		w.say("drive-%s: Completing block job...", j.disk)
		w.say("drive-%s: Completed successfully.", j.disk)
		w.say("drive-%s: mirror-job finished", j.disk)
	}
	if m.template && v.can("template", "") {
		if err := w.makeBase(v); err != nil {
			return prefixed(failed, err)
		}
	}
	j.drive.file = v.volid
	delete(j.drive.options, "format")
	if isUnused(j.disk) {
		m.config[j.disk] = v.volid
	} else {
		j.drive.setSize(v.size)
		m.config[j.disk] = j.drive.String()
	}
	if !j.p.flag("delete") {
		m.addUnused(j.from.volid)
		return nil
	}
	if err := w.free(j.from); err != nil {
		w.say("%s", text(err))
	}
	return nil
}
