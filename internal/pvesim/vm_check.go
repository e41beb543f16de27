package pvesim

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// checkKeys refuses an SSH key list that holds what is no public key.
func checkKeys(p params) error {
	if !p.has("sshkeys") {
		return nil
	}
	plain, err := url.PathUnescape(p["sshkeys"])
	if err != nil {
		return die("SSH public key validation error")
	}
	for line := range strings.Lines(plain) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !publicKey(line) {
			return die("SSH public key validation error")
		}
	}
	return nil
}

// maxShares is the largest weight of a VM's processors where control groups are of version 2, as on all nodes here.
const maxShares = 10000

// clampShares lowers a weight that is more than control groups take, which Proxmox VE does without a word.
func (r *request) clampShares() {
	if r.p.num("cpuunits", 0) > maxShares {
		r.p["cpuunits"] = strconv.Itoa(maxShares)
	}
}

// publicKey reports whether a line is an SSH public key: a kind, and a body that says the same kind
// and holds what it announces.
func publicKey(line string) bool {
	fields := strings.Fields(line)
	for i, kind := range fields[:max(len(fields)-1, 0)] {
		if !strings.HasPrefix(kind, "ssh-") && !strings.HasPrefix(kind, "ecdsa-") && !strings.HasPrefix(kind, "sk-") {
			continue
		}
		body, err := base64.StdEncoding.DecodeString(fields[i+1])
		if err != nil {
			return false
		}
		name, rest, ok := sshString(body)
		if !ok || string(name) != kind {
			return false
		}
		key, _, ok := sshString(rest)
		return ok && (kind != "ssh-ed25519" || len(key) == 32)
	}
	return false
}

// sshString cuts one string with its length in front from b.
func sshString(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	if n < 0 || n > len(b)-4 {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// onlyRoot refuses a flag that only root@pam may set.
func (r *request) onlyRoot(names ...string) error {
	for _, name := range names {
		if r.p.has(name) && r.p[name] != "0" && !r.user.root() {
			return wrongParam(name, "Only root may use this option.")
		}
	}
	return nil
}

// resolveCDROM makes of the old name "cdrom" the drive that it stands for.
func resolveCDROM(p params) {
	value, ok := p["cdrom"]
	if !ok {
		return
	}
	if !strings.Contains(value, "media=") {
		value += ",media=cdrom"
	}
	p["ide2"] = value
	delete(p, "cdrom")
}

// checkDrives refuses drives that ask for what cannot be, and spells the others as Proxmox VE does.
func (r *request) checkDrives(set params) error {
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if !isDrive(key) {
			continue
		}
		d := parseDrive(set[key])
		if !plausible(key, d) {
			return wrongParam(key, "unable to parse drive options")
		}
		if d.options["import-from"] != "" {
			if _, size, ok := d.wanted(); !ok || strings.Trim(size, "0.") != "" {
				return wrongParam(key, "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>")
			}
			for _, needed := range neededToImport[key] {
				if d.options[needed] == "" {
					return wrongParam(key, "need to specify '%s' when using 'import-from'", needed)
				}
			}
		}
		if err := r.checkMedia(key, d); err != nil {
			return err
		}
		set[key] = d.String()
	}
	return nil
}

var neededToImport = map[string][]string{"efidisk0": {"efitype", "pre-enrolled-keys"}, "tpmstate0": {"version"}}

// plausible reports whether the options of a drive go together.
func plausible(key string, d drive) bool {
	o := d.options
	for _, rate := range []string{"mbps", "iops"} {
		if o[rate] != "" && (o[rate+"_rd"] != "" || o[rate+"_wr"] != "") {
			return false
		}
	}
	for _, suffix := range []string{"", "_rd", "_wr"} {
		if o["mbps"+suffix+"_max"] != "" && o["mbps"+suffix] == "" {
			return false
		}
	}
	if d.cdrom() && (o["snapshot"] == "1" || o["format"] != "" || strings.HasPrefix(key, "virtio")) {
		return false
	}
	if o["size"] != "" {
		if _, ok := parseSize(o["size"]); !ok {
			return false
		}
	}
	return true
}

// checkMedia refuses an ISO image in a drive that is no CD-ROM drive.
func (r *request) checkMedia(key string, d drive) error {
	if _, _, isNew := d.wanted(); isNew {
		return nil
	}
	id, name, ok := cutVolid(d.file)
	if !ok || name == "cloudinit" {
		return nil
	}
	st := r.storage(id)
	if st == nil {
		return die("storage '%s' does not exist", id)
	}
	n, err := st.parse(name)
	if err != nil {
		return err
	}
	if n.content == "iso" && !d.cdrom() {
		return wrongParam(key, "explicit 'media=cdrom' is required for iso images")
	}
	return nil
}

// checkStorages refuses drives on storages that are not there, do not keep images or are not the user's to use.
func (r *request) checkStorages(set params, storage string) error {
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if isUnused(key) {
			if err := r.checkUnused(key, set[key]); err != nil {
				return err
			}
		}
		if !isDrive(key) {
			continue
		}
		if err := r.checkStorage(key, parseDrive(set[key]), storage); err != nil {
			return err
		}
	}
	if id := set["vmstatestorage"]; id != "" {
		return r.need(r, "/storage/"+id, "Datastore.AllocateSpace")
	}
	return nil
}

// checkUnused refuses an unused volume that is none, or is not the user's to read.
func (r *request) checkUnused(key, volid string) error {
	id, name, ok := cutVolid(volid)
	if !ok {
		return wrongParam(key, "not a valid volid: %s", volid)
	}
	if err := r.checkVolume(id, name); err != nil {
		return err
	}
	if n, err := r.storage(id).parse(name); err != nil || n.content != "images" {
		return die("unable to use volume %s - content type needs to be 'images'", volid)
	}
	return nil
}

func (r *request) checkStorage(key string, d drive, storage string) error {
	id, name, managed := cutVolid(d.file)
	want, _, isNew := d.wanted()
	switch {
	case d.file == "" || d.file == "none" || d.file == "cloudinit" || managed && name == "cloudinit":
	case d.cdrom() && d.file == "cdrom":
		if err := r.need(r, "/", "Sys.Console"); err != nil {
			return err
		}
	case !d.cdrom() && isNew:
		if want == "" {
			want = storage
		}
		if want == "" {
			return die("no storage ID specified (and no default storage)")
		}
		if err := r.need(r, "/storage/"+want, "Datastore.AllocateSpace"); err != nil {
			return err
		}
		st := r.storage(want)
		if st == nil {
			return die("storage '%s' does not exist", want)
		}
		if !st.holds("images") {
			return wrongParam("storage", "storage '%s' does not support vm images", want)
		}
	case managed:
		if err := r.checkVolume(id, name); err != nil {
			return err
		}
		if n, err := r.storage(id).parse(name); err != nil {
			return err
		} else if n.content != "images" && n.content != "iso" {
			return wrongParam(key, "content type needs to be 'images' or 'iso'")
		}
	case !r.user.root():
		return die("Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 581.")
	}
	return r.checkSource(key, d)
}

// checkHook refuses a hook script that is no snippet, or is not there.
func (r *request) checkHook(volid string) error {
	id, name, _ := cutVolid(volid)
	st := r.storage(id)
	if st == nil {
		return die("storage '%s' does not exist", id)
	}
	n, err := st.parse(name)
	switch {
	case err != nil:
		return err
	case n.content != "snippets":
		return die("'%s' is not in the snippets directory", volid)
	case r.volume(r.p["node"], volid) == nil:
		return die("script '%s' does not exist", volid)
	}
	return nil
}

// checkVolume refuses a volume that is not the user's to read: that of another VM, or a file of a storage.
func (r *request) checkVolume(id, name string) error {
	st := r.storage(id)
	if st == nil {
		return die("storage '%s' does not exist", id)
	}
	n, err := st.parse(name)
	if err != nil {
		return err
	}
	if n.vmid != 0 && n.vmid == r.p.num("vmid", 0) {
		return nil
	}
	return r.mayUse(&volume{volid: id + ":" + name, storage: st, content: n.content, vmid: n.vmid})
}

// checkSource refuses an import-from that is no image.
func (r *request) checkSource(key string, d drive) error {
	source := d.options["import-from"]
	if source == "" {
		return nil
	}
	id, name, managed := cutVolid(source)
	if !managed {
		if !r.user.root() {
			return die("Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 581.")
		}
		return nil
	}
	st := r.storage(id)
	if st == nil {
		return die("storage '%s' does not exist", id)
	}
	n, err := st.parse(name)
	if err != nil {
		return err
	}
	if n.content != "images" && n.content != "import" {
		return wrongParam(key, "%s has wrong type '%s' - needs to be 'images' or 'import'", source, n.content)
	}
	if insideSyntax.MatchString(name) {
		working, at := st, key
		if other := r.p["import-working-storage"]; other != "" {
			working, at = r.storage(other), "import-working-storage"
			if working == nil {
				return die("storage '%s' does not exist", other)
			}
		}
		if !working.holds("images") || working.options["path"] == "" {
			return wrongParam(at, "import working storage '%s' does not support 'images' content type or is not file based.", working.id)
		}
		return r.need(r, "/storage/"+working.id, "Datastore.AllocateSpace")
	}
	if n.vmid != 0 {
		return r.need(r, vmPath(n.vmid), "VM.Clone")
	}
	return r.checkVolume(id, name)
}
