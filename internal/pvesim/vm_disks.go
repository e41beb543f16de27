package pvesim

import (
	"maps"
	"slices"
	"strconv"
)

// cloudInitSize is the size of a new cloud-init drive, tpmStateSize that of any TPM state, in bytes.
const (
	cloudInitSize = 4 << 20
	tpmStateSize  = 4 << 20
)

// efiSize is how much the variables of a UEFI firmware take, in bytes. Those of the old 2m type are small.
func efiSize(d drive) int64 {
	if d.options["efitype"] == "4m" {
		return 528 << 10
	}
	return 128 << 10
}

// msCertificates is how an EFI disk says that the keys on it are those of 2023, by the version of Proxmox VE.
var msCertificates = map[int]string{8: "2023k", 9: "2023"}

// disker makes the volumes of drives for one VM, as its configuration is created or changed.
type disker struct {
	*worker
	m        *machine
	conf     section // the configuration that the drives are for
	storage  string  // where drives go that name no storage
	made     []*volume
	settings section // the drives as they come out
}

// createDisks makes and checks the volumes of the drives among settings, and returns the drives as the
// configuration keeps them. It is called with mu held. What it made is gone again where it fails.
func (w *worker) createDisks(m *machine, conf, settings section, storage string) (section, error) {
	d := &disker{worker: w, m: m, conf: conf, storage: storage, settings: section{}}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if !isDrive(key) {
			continue
		}
		if err := d.create(key, parseDrive(settings[key])); err != nil {
			d.undo()
			return nil, err
		}
	}
	return d.settings, nil
}

func (d *disker) undo() {
	for _, v := range d.made {
		_ = d.free(v)
	}
}

// create makes one drive.
func (d *disker) create(key string, dr drive) error {
	_, name, _ := cutVolid(dr.file)
	_, _, isNew := dr.wanted()
	switch {
	case dr.file == "" || dr.file == "none" || dr.file == "cdrom":
		delete(dr.options, "size")
		d.settings[key] = dr.String()
		return nil
	case dr.file == "cloudinit" || name == "cloudinit":
		return d.createCloudInit(key, dr)
	case isNew && dr.options["import-from"] != "":
		return d.importDisk(key, dr)
	case isNew:
		return d.createNew(key, dr)
	}
	return d.attach(key, dr)
}

// target is the storage that a new volume goes to.
func (d *disker) target(id string) (*storage, error) {
	if id == "" {
		id = d.storage
	}
	if id == "" {
		return nil, die("no storage ID specified (and no default storage)")
	}
	return d.usable(d.m.node.name, id)
}

// done keeps a drive whose volume is there now.
func (d *disker) done(key string, dr drive, v *volume) {
	dr.file = v.volid
	delete(dr.options, "format")
	delete(dr.options, "import-from")
	d.settings[key] = dr.String()
	d.say("%s: successfully created disk '%s'", key, d.settings[key])
}

// own makes a volume and notes that it is to go where something fails later.
func (d *disker) own(st *storage, format, name string, size int64) (*volume, error) {
	v, err := d.allocateNamed(st, d.m.node.name, d.m.id, format, name, size)
	if err != nil {
		return nil, err
	}
	d.made = append(d.made, v)
	if line := v.made(); line != "" {
		d.say("%s", line)
	}
	return v, nil
}

func (d *disker) createCloudInit(key string, dr drive) error {
	if other := d.otherCloudInit(key); other != "" {
		return die("%s - cloud-init drive is already attached at '%s'", key, other)
	}
	id, _, _ := cutVolid(dr.file)
	st, err := d.target(id)
	if err != nil {
		return err
	}
	format := dr.options["format"]
	if format == "" {
		format = "raw"
		if st.options["path"] != "" {
			format = "qcow2"
		}
	}
	v, err := d.own(st, format, "vm-"+strconv.Itoa(d.m.id)+"-cloudinit", cloudInitSize)
	if err != nil {
		return err
	}
	dr.options["media"] = "cdrom"
	delete(dr.options, "size")
	d.done(key, dr, v)
	return nil
}

// otherCloudInit is the key of another cloud-init drive, "" for none. Drives that are only asked for count.
func (d *disker) otherCloudInit(key string) string {
	for _, s := range []section{d.conf, d.m.pending, d.settings} {
		for _, other := range s.drives() {
			if other != key && parseDrive(s[other]).cloudInit() {
				return other
			}
		}
	}
	return ""
}

func (d *disker) createNew(key string, dr drive) error {
	id, text, _ := dr.wanted()
	st, err := d.target(id)
	if err != nil {
		return err
	}
	kib := sizeInKiB(text)
	format := dr.options["format"]
	switch key {
	case "efidisk0":
		v, err := d.own(st, format, "", efiSize(dr))
		if err != nil {
			return err
		}
		d.sayTransferred(efiSize(dr))
		if err := d.asBase(v); err != nil {
			return err
		}
		if dr.options["pre-enrolled-keys"] == "1" {
			dr.options["ms-cert"] = msCertificates[d.opts.Version]
		}
		dr.setSize(v.size)
		d.done(key, dr, v)
		return nil
	case "tpmstate0":
		kib = tpmStateSize >> 10
		if d.opts.Version == 8 {
			format = "raw" // all that the TPM's emulator could read then
		}
	}
	v, err := d.own(st, format, "", kib<<10)
	if err != nil {
		return err
	}
	if err := d.asBase(v); err != nil {
		return err
	}
	dr.setSize(kib << 10)
	d.done(key, dr, v)
	return nil
}

// asBase makes a new disk of a template a base, as its others are.
func (d *disker) asBase(v *volume) error {
	if !d.m.template && d.conf["template"] != "1" || !v.can("template", "") {
		return nil
	}
	return d.makeBase(v)
}

// sizeInKiB is a size in GiB that may have a fraction, rounded up to whole KiB.
func sizeInKiB(gib string) int64 {
	n, err := strconv.ParseFloat(gib, 64)
	if err != nil {
		return 0
	}
	kib := int64(n * (1 << 20))
	if float64(kib) < n*(1<<20) {
		kib++
	}
	return kib
}

// attach takes a volume that is there.
func (d *disker) attach(key string, dr drive) error {
	v := d.volume(d.m.node.name, dr.file)
	if dr.storage() == "" {
		d.settings[key] = dr.String() // a device of the host, which only root may name
		return nil
	}
	if dr.cloudInit() {
		if other := d.otherCloudInit(key); other != "" {
			return die("%s - cloud-init drive is already attached at '%s'", key, other)
		}
	}
	if v == nil {
		return die("volume '%s' does not exist", dr.file)
	}
	if f := dr.options["format"]; f != "" && f != v.format {
		return die("drive '%s' - volume '%s' - 'format=%s' option different from storage format '%s'", key, dr.file, f, v.format)
	}
	if key == "tpmstate0" && v.format != "raw" && d.opts.Version == 8 {
		return die("tpmstate0: volume format is '%s', only 'raw' is supported!", v.format)
	}
	if !dr.cloudInit() {
		dr.setSize(v.size)
	}
	d.settings[key] = dr.String()
	return nil
}

// sayTransferred is what a task logs of a copy of so many bytes.
func (w *worker) sayTransferred(size int64) {
	whole := bytesText(size)
	w.say("transferred 0.0 B of %s (0.00%%)", whole)
	w.say("transferred %s of %s (100.00%%)", whole, whole)
	w.say("transferred %s of %s (100.00%%)", whole, whole)
}
