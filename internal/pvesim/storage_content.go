package pvesim

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func init() {
	handle("GET /nodes/{node}/storage/{storage}/content", listContent)
	handle("POST /nodes/{node}/storage/{storage}/content", allocateContent)
	handle("GET /nodes/{node}/storage/{storage}/content/{volume}", readVolumeInfo)
	handle("PUT /nodes/{node}/storage/{storage}/content/{volume}", updateVolume)
	handle("DELETE /nodes/{node}/storage/{storage}/content/{volume}", deleteVolume)
}

func listContent(r *request) (any, error) {
	st, err := r.usable(r.p["node"], r.p["storage"])
	if err != nil {
		return nil, err
	}
	list := []any{}
	volumes := r.volumesOf(st, r.p["node"])
	slices.SortStableFunc(volumes, func(a, b *volume) int { return cmp.Compare(strings.ToLower(a.volid), strings.ToLower(b.volid)) })
	for _, v := range volumes {
		if r.listed(v) && r.mayUse(v) == nil {
			list = append(list, r.showVolume(v))
		}
	}
	return list, nil
}

// listed tells whether a list of content has a volume. One that is asked for by VM has what belongs to no VM as well,
// except ISO images and templates.
func (r *request) listed(v *volume) bool {
	kind := r.contentOf(v)
	if !v.storage.holds(kind) || r.p.has("content") && r.p["content"] != kind {
		return false
	}
	if vmid := r.p.num("vmid", 0); vmid != 0 {
		switch kind {
		case "iso", "vztmpl":
			return false
		case "images", "rootdir", "backup":
			return v.vmid == vmid
		}
	}
	return true
}

// contentOf tells images of VMs and volumes of containers apart by who owns them.
func (c *cluster) contentOf(v *volume) string {
	if m := c.machines[v.vmid]; v.content == "images" && m != nil && m.lxc {
		return "rootdir"
	}
	return v.content
}

// mayUse refuses users who may not see a volume.
func (r *request) mayUse(v *volume) error {
	at := "/storage/" + v.storage.id
	if r.may(at, "Datastore.Allocate") {
		return nil
	}
	switch {
	case v.content == "iso", v.content == "vztmpl", v.content == "import":
		return r.needAny(r, at, "Datastore.AllocateSpace", "Datastore.Audit")
	case v.content == "backup" && v.vmid != 0:
		if err := r.need(r, at, "Datastore.AllocateSpace"); err != nil {
			return err
		}
		return r.need(r, vmPath(v.vmid), "VM.Backup")
	case v.content == "images" && v.vmid != 0:
		if err := r.need(r, at, "Datastore.Audit"); err != nil {
			return err
		}
		return r.need(r, vmPath(v.vmid), "VM.Config.Disk")
	}
	return die("missing privileges to access %s", v.volid)
}

// showVolume is a volume as lists show it.
func (c *cluster) showVolume(v *volume) map[string]any {
	s := map[string]any{"volid": v.volid, "content": c.contentOf(v), "ctime": v.created.Unix(), "size": v.size, "format": v.listFormat()}
	if v.vmid != 0 {
		s["vmid"] = v.vmid
	}
	switch {
	case v.content == "backup":
		s["subtype"] = "qemu"
		if v.notes != "" {
			s["notes"], _, _ = strings.Cut(v.notes, "\n")
		}
		if v.protected {
			s["protected"] = 1
		}
	case v.content != "images":
	case v.storage.of().files:
		s["used"], s["parent"] = v.taken(), nil
		if v.parent != "" {
			_, name, _ := cutVolid(v.parent)
			s["parent"] = "../" + name
		}
	case v.parent != "":
		_, name, _ := cutVolid(v.parent)
		s["parent"] = name + "@__base__"
	}
	return s
}

// listFormat is the format of a file as lists name it.
func (v *volume) listFormat() string {
	name := v.name()
	switch v.content {
	case "iso":
		return "iso"
	case "snippets":
		return "snippet"
	case "vztmpl":
		if ending := name[strings.LastIndex(name, ".")+1:]; ending != "tar" {
			return "t" + ending
		}
		return "tar"
	case "backup":
		if m := backupSyntax.FindStringSubmatch(name); m != nil {
			return m[2]
		}
	}
	return v.format
}

var sizeSyntax = regexp.MustCompile(`^(\d+)([MG]?)$`)

func allocateContent(r *request) (any, error) {
	m := sizeSyntax.FindStringSubmatch(r.p["size"])
	if m == nil {
		return nil, wrongParam("size", "unable to parse size '%s'", r.p["size"])
	}
	size, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return nil, wrongParam("size", "unable to parse size '%s'", r.p["size"])
	}
	size *= map[string]int64{"": 1 << 10, "M": mib, "G": gib}[m[2]]
	format := r.p["format"]
	if has, _, err := parseImage(r.p["filename"]); err == nil && has != "subvol" {
		if format != "" && format != has {
			return nil, wrongParam("format", "different storage formats (%s != %s)", format, has)
		}
		format = has
	}
	st, err := r.usable(r.p["node"], r.p["storage"])
	if err != nil {
		return nil, err
	}
	if st.of().files && !strings.Contains(r.p["filename"], ".") {
		return nil, die("unable to parse volume filename '%s'", r.p["filename"])
	}
	v, err := r.allocateNamed(st, r.p["node"], r.p.num("vmid", 0), format, r.p["filename"], size)
	if err != nil {
		return nil, err
	}
	return v.volid, nil
}

// volid is the volume that a request names, with its storage or without.
func (r *request) volid() (string, *storage, volumeName, error) {
	id, name := r.p["storage"], r.p["volume"]
	if strings.Contains(name, ":") {
		sid, rest, ok := cutVolid(name)
		if !ok {
			return "", nil, volumeName{}, wrongParam("volume", "unable to parse volume ID '%s'\n", name)
		}
		if id != "" && sid != id {
			return "", nil, volumeName{}, wrongParam("volume", "storage ID mismatch (%s != %s)\n", sid, id)
		}
		id, name = sid, rest
	}
	st := r.storage(id)
	if st == nil {
		return "", nil, volumeName{}, die("storage '%s' does not exist", id)
	}
	n, err := st.parse(name)
	return id + ":" + name, st, n, err
}

func readVolumeInfo(r *request) (any, error) {
	volid, st, n, err := r.volid()
	if err != nil {
		return nil, err
	}
	v := r.volume(r.p["node"], volid)
	named := v
	if v == nil {
		named = &volume{volid: volid, storage: st, content: n.content, vmid: n.vmid}
	}
	if err := r.mayUse(named); err != nil {
		return nil, err
	}
	if v == nil || !st.enabled(r.p["node"]) {
		return nil, st.unknown(volid, n)
	}
	info := map[string]any{"path": st.pathOf(n), "size": v.size, "used": v.taken(), "format": v.format}
	if v.content != "images" && v.content != "import" {
		info["format"] = "raw"
	}
	if v.content == "import" {
		if size, err := checkImage(v.data, v.format); err == nil && size >= 0 {
			info["size"] = size
		}
	}
	if v.content == "backup" {
		info["protected"] = bit(v.protected)
		if v.notes != "" {
			info["notes"] = v.notes
		}
	}
	return info, nil
}

// unknown is what a storage says of a volume that it does not have, asked for its size.
func (st *storage) unknown(volid string, n volumeName) error {
	switch st.kind {
	case "lvm", "lvmthin":
		return die("can't get size of '%s':   Failed to find logical volume \"%s/%s\"", st.pathOf(n), st.options["vgname"], n.name)
	case "zfspool", "zfs":
		return die("zfs error: cannot open '%s/%s': dataset does not exist", st.options["pool"], n.name)
	case "rbd":
		return die("rbd error: rbd: error opening image %s: (2) No such file or directory", n.name)
	}
	return die("volume_size_info on '%s' failed - no format", volid)
}

func updateVolume(r *request) (any, error) {
	volid, st, n, err := r.volid()
	if err != nil {
		return nil, err
	}
	v := r.volume(r.p["node"], volid)
	named := v
	if v == nil {
		named = &volume{volid: volid, storage: st, content: n.content, vmid: n.vmid}
	}
	if err := r.mayUse(named); err != nil {
		return nil, err
	}
	for _, k := range []string{"notes", "protected"} {
		switch {
		case !r.p.has(k):
		case !st.of().files && st.kind != "pbs":
			return nil, die("attribute '%s' is not supported for storage type '%s'", k, st.kind)
		case n.content != "backup":
			return nil, die("only backups support attribute '%s'", k)
		case v == nil:
			return nil, die("backup '%s' does not exist", volid)
		case k == "notes":
			v.notes = r.p[k]
		default:
			v.protected = r.p.flag(k)
		}
	}
	return nil, nil
}

func deleteVolume(r *request) (any, error) {
	volid, st, n, err := r.volid()
	if err != nil {
		return nil, err
	}
	at := "/storage/" + st.id
	if n.content == "backup" && n.vmid != 0 {
		if err := r.need(r, at, "Datastore.AllocateSpace"); err != nil {
			return nil, err
		}
		err = r.need(r, vmPath(n.vmid), "VM.Backup")
	} else {
		err = r.need(r, at, "Datastore.Allocate")
	}
	if err != nil {
		return nil, err
	}
	id, node := st.id, r.p["node"]
	if n.vmid != 0 {
		id = strconv.Itoa(n.vmid) + "@" + id
	}
	done := make(chan error, 1)
	upid := r.fork(node, "imgdel", id, func(w *worker) error {
		err := w.locked(func() error {
			if err := w.remove(w.say, node, volid); err != nil {
				return err
			}
			w.say("Removed volume '%s'", volid)
			return nil
		})
		done <- err
		return err
	})
	if delay := r.p.num("delay", 0); delay > 0 {
		return r.waitFor(done, time.Duration(delay)*time.Second, upid)
	}
	return upid, nil
}

// waitFor waits so long for a task: null when it is done, its error, or its UPID while it runs.
func (r *request) waitFor(done <-chan error, delay time.Duration, upid string) (result any, err error) {
	r.unlocked(func() {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case err = <-done:
		case <-timer.C:
			result = upid
		case <-r.ctx.Done():
			result = upid
		}
	})
	return result, err
}

// remove is the removal of a volume by its name, which is no error where there is none: log says so.
func (c *cluster) remove(log func(format string, args ...any), node, volid string) error {
	id, name, _ := cutVolid(volid)
	st, err := c.usable(node, id)
	if err != nil {
		return err
	}
	n, err := st.parse(name)
	if err != nil {
		return err
	}
	v := c.volume(node, volid)
	switch {
	case v != nil && v.protected:
		return die("cannot remove protected volume '%s' on '%s'", name, id)
	case v != nil:
		return c.free(v)
	case st.of().files:
		log("disk image '%s' does not exist", st.pathOf(n))
		return nil
	case st.kind == "lvm" || st.kind == "lvmthin":
		return die("lvremove '%s/%s' error:   Failed to find logical volume \"%s/%s\"", st.options["vgname"], n.name, st.options["vgname"], n.name)
	case st.kind == "zfspool" || st.kind == "zfs":
		return nil
	}
	return die("rbd rm '%s' error: rbd: error opening image %s: (2) No such file or directory", n.name, n.name)
}
