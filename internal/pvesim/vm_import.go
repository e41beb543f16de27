package pvesim

// importDisk makes a volume with the content of another.
func (d *disker) importDisk(key string, dr drive) error {
	id, _, _ := dr.wanted()
	st, err := d.target(id)
	if err != nil {
		return err
	}
	source := dr.options["import-from"]
	src, err := d.source(source)
	if err != nil {
		return err
	}
	job := copyJob{drive: d.driveOf(src), from: src, node: d.m.node.name, to: st, vmid: d.m.id, format: dr.options["format"]}
	if key == "tpmstate0" && d.opts.Version == 8 {
		job.format = "raw"
	}
	v, err := d.copyIn(key, job)
	if err != nil {
		return die("cannot import from '%s' - %s", source, text(err))
	}
	d.made = append(d.made, v)
	if extracted := src.format != "raw" && src.content == "import" && insideSyntax.MatchString(src.name()); extracted {
		d.say("cleaned up extracted image %s", source)
	}
	dr.setSize(v.size)
	d.done(key, dr, v)
	return nil
}

// copyIn copies the volume of an import, which a VM may own: then with the lock of that.
func (d *disker) copyIn(key string, job copyJob) (v *volume, err error) {
	src := job.from
	other := job.drive != "" && job.drive != key
	switch owner := d.machines[src.vmid]; {
	case cloudInitFile.MatchString(src.volid):
		return nil, die("cannot import from cloudinit disk")
	case src.content == "images" && !src.can("copy", ""):
		return nil, die("cannot import from '%s' - full clone feature is not supported", src.volid)
	case other && (job.drive == "efidisk0" || key == "efidisk0"):
		return nil, die("cloning from/to EFI disk requires EFI disk")
	case other && (job.drive == "tpmstate0" || key == "tpmstate0"):
		return nil, die("cloning from/to TPM state requires TPM state")
	case src.content != "images" || owner == nil:
	case owner.node != d.m.node:
		return nil, die("owner VM %d not on local node", owner.id)
	case owner == d.m: // whose lock this task has
		if job.running = owner.running && job.drive != ""; job.running && other {
			return nil, die("cannot change drive name when cloning disk from/to the same VM")
		}
	default:
		job.running = owner.running && job.drive != ""
		release, err := d.lockSource(owner, importWait)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	d.unlocked(func() { v, err = d.fullClone(job) })
	return v, err
}

// source is the volume to import, which may be a file in an OVA.
func (d *disker) source(volid string) (*volume, error) {
	id, name, ok := cutVolid(volid)
	if ok && insideSyntax.MatchString(name) {
		d.say("extracting %s", volid)
		var v *volume
		var err error
		d.unlocked(func() { v, err = d.inside(d.m.node.name, volid) })
		if err == nil {
			d.say("finished extracting to %s", volid)
		}
		return v, err
	}
	if v := d.volume(d.m.node.name, volid); v != nil {
		return v, nil
	}
	if st := d.cluster.storage(id); ok && st != nil {
		if n, err := st.parse(name); err == nil && n.content == "import" {
			return nil, die("failed to stat '%s'", st.pathOf(n))
		}
	}
	return nil, die("cannot import from '%s' - volume '%s' does not exist", volid, volid)
}

// driveOf is the key of the drive that uses a volume, "" where none does.
func (d *disker) driveOf(v *volume) string {
	owner := d.machines[v.vmid]
	if owner == nil || v.content != "images" {
		return ""
	}
	for _, key := range owner.config.drives() {
		if parseDrive(owner.config[key]).file == v.volid {
			return key
		}
	}
	return ""
}
