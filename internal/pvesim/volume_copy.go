package pvesim

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// copyJob says what fullClone copies where.
type copyJob struct {
	drive   string  // "scsi0" for the log, "" where the source is no drive
	from    *volume // an image, or a file of the content "import" or "iso"
	snap    string  // copy that snapshot of it, not what it is now
	node    string
	to      *storage
	vmid    int    // who owns the copy
	format  string // "" is that of the source where the storage has it
	name    string // "" is the first free one
	running bool   // a VM has the source open: QEMU itself copies
}

// fullClone copies a volume to a new one, which it returns, as Proxmox VE copies disks to clone, to import or to
// move them, with what the task's log says of it. It is called without mu.
func (w *worker) fullClone(j copyJob) (*volume, error) {
	_ = w.locked(func() error {
		w.say("create full clone of drive %s", strings.TrimLeft(fmt.Sprintf("%s (%s)", j.drive, j.from.volid), " "))
		return nil
	})
	data, size, err := w.bytesOf(j.from, j.snap)
	if err != nil {
		return nil, err
	}
	var v *volume
	err = w.locked(func() (err error) {
		if v, err = w.allocateNamed(j.to, j.node, j.vmid, j.to.formatFor(j.from, j.format), j.name, size); err != nil {
			return err
		}
		if line := v.made(); line != "" {
			w.say("%s", line)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = w.locked(func() error {
		if left := w.spaceLeft(j.to, j.node); !j.to.thick() && data.used() > left {
			return w.outOfSpace(j, v, left)
		}
		v.data.become(data)
		w.progress(j, size)
		return nil
	})
	if err == nil {
		err = w.ctx.Err()
	}
	if err != nil {
		_ = w.locked(func() error { return w.free(v) })
		return nil, err
	}
	return v, nil
}

// outOfSpace is how a copy ends for which there is no space.
func (w *worker) outOfSpace(j copyJob, v *volume, left int64) error {
	if j.running {
		return die("block job (mirror) error: drive-%s: 'mirror' has been cancelled: No space left on device", j.drive)
	}
	w.say("qemu-img: error while writing at byte %d: No space left on device", left)
	format := j.from.format
	if _, inner, ok := strings.Cut(format, "+"); ok {
		format = inner
	}
	return die("copy failed: command '/usr/bin/qemu-img convert -p -n -f %s -O %s %s %s' failed: exit code 1", format, v.format, j.from.path(), v.path())
}

// progress are the lines of a copy that went well.
func (w *worker) progress(j copyJob, size int64) {
	if j.running {
		w.say("drive mirror is starting for drive-%s", j.drive)
		w.say("drive-%s: transferred %s of %s (100.00%%) in 0s, ready", j.drive, bytesText(size), bytesText(size))
		w.say("all 'mirror' jobs are ready")
		return
	}
	w.say("transferred 0.0 B of %s (0.00%%)", bytesText(size))
	w.say("transferred %s of %s (100.00%%)", bytesText(size), bytesText(size))
	w.say("transferred %s of %s (100.00%%)", bytesText(size), bytesText(size))
}

// bytesText writes a size as the logs of tasks do: "40.0 MiB".
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// bytesOf is what a guest would read of a volume, or of a snapshot of it. It is called without mu.
func (w *worker) bytesOf(v *volume, snap string) (*content, int64, error) {
	if v.content == "import" || v.content == "iso" {
		return w.opened(v)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if snap == "" {
		return v.data.copy(), v.size, nil
	}
	s := v.snapshot(snap)
	if s == nil {
		return nil, 0, die("volume '%s' has no snapshot '%s'", v.volid, snap)
	}
	return s.data, s.size, nil
}

// formatFor is the format that a copy gets: the one asked for, or that of the source, where the
// storage has it, or the storage's own.
func (st *storage) formatFor(from *volume, format string) string {
	if format == "" {
		format = from.format
		if _, inner, ok := strings.Cut(format, "+"); ok {
			format = inner
		}
	}
	if slices.Contains(st.formats(), format) {
		return format
	}
	if len(st.formats()) == 0 {
		return "raw"
	}
	return st.formats()[0]
}

// linkedClone makes an image for a VM that shares what a base, or a snapshot of a volume, has. It is called without mu.
func (w *worker) linkedClone(drive string, from *volume, snap string, vmid int) (*volume, error) {
	var v *volume
	err := w.locked(func() (err error) {
		w.say("create linked clone of drive %s (%s)", drive, from.volid)
		v, err = w.overlay(from, snap, vmid)
		if err != nil {
			return err
		}
		if from.storage.of().files {
			base := from.volid[strings.Index(from.volid, ":")+1:]
			w.say("clone %s: images, %s, %d to %s (base=../%s)", base, v.file(), vmid, v.file(), base)
		}
		if line := v.made(); line != "" {
			w.say("%s", line)
		}
		return nil
	})
	return v, err
}

// overlay makes an image for a VM that reads as another until it is written to: a base, or a
// snapshot where the storage can. It is called with mu held.
func (c *cluster) overlay(from *volume, snap string, vmid int) (*volume, error) {
	st := from.storage
	if !from.can("clone", snap) {
		return nil, die("can't clone to create linked clone of '%s'", from.volid)
	}
	data, size, format := from.data, from.size, from.format
	if snap != "" {
		s := from.snapshot(snap)
		if s == nil {
			return nil, die("volume '%s' has no snapshot '%s'", from.volid, snap)
		}
		data, size = s.data, s.size
	}
	if st.of().files && st.kind != "btrfs" {
		format = "qcow2" // which can have a backing file
	}
	file, err := c.fileFor(st, from.node, vmid, format, "")
	if err != nil {
		return nil, err
	}
	name := st.imageName(vmid, file)
	switch {
	case snap != "", st.kind == "lvmthin", st.kind == "btrfs":
	case st.of().files:
		name = strconv.Itoa(from.vmid) + "/" + from.file() + "/" + name
	default:
		name = from.file() + "/" + name
	}
	v := &volume{
		volid: st.id + ":" + name, node: from.node, storage: st, content: "images", format: format, vmid: vmid, size: size,
		data: data.copy(), shared: data.used(),
	}
	if name != st.imageName(vmid, file) {
		v.parent = from.volid
	}
	return c.add(v), nil
}

// makeBase makes an image one that linked clones can share: it gets another name. It is called with mu held.
func (c *cluster) makeBase(v *volume) error {
	if v.isBase() || !v.can("template", "") {
		return die("Template feature is not available for '%s'", v.volid)
	}
	return c.rename(v, v.vmid, "base-"+strings.TrimPrefix(v.file(), "vm-"))
}

// reassign gives an image to another VM, under the first free name. It is called with mu held.
func (c *cluster) reassign(v *volume, vmid int) error {
	if !v.can("rename", "") {
		return die("Volume '%s' does not support renaming", v.volid)
	}
	node := v.node
	file, err := c.fileFor(v.storage, node, vmid, v.format, "")
	if err != nil {
		return err
	}
	return c.rename(v, vmid, file)
}

// rename gives an image another owner and name. What linked clones it has, keep knowing it.
func (c *cluster) rename(v *volume, vmid int, file string) error {
	name := v.storage.imageName(vmid, file)
	if dir := path.Dir(v.name()); v.parent != "" && strings.Contains(dir, "base-") {
		base := strings.TrimSuffix(v.name(), v.storage.imageName(v.vmid, v.file()))
		name = base + name
	}
	to := v.storage.id + ":" + name
	if c.volumes.all[volumeKey{v.node, to}] != nil {
		return die("target volume '%s' already exists", name)
	}
	old := v.volid
	delete(c.volumes.all, volumeKey{v.node, old})
	v.volid, v.vmid = to, vmid
	c.volumes.all[volumeKey{v.node, to}] = v
	for k, o := range c.volumes.all {
		if k.node == v.node && o.parent == old {
			o.parent = to
		}
	}
	return nil
}
