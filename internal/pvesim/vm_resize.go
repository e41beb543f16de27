package pvesim

import (
	"fmt"
	"strings"
)

func init() {
	handle("PUT /nodes/{node}/qemu/{vmid}/resize", resizeDisk)
}

// resizeDisk makes a disk larger, all by a task.
func resizeDisk(r *request) (any, error) {
	if err := r.onlyRoot("skiplock"); err != nil {
		return nil, err
	}
	node, id, p := r.p["node"], r.p.num("vmid", 0), r.p
	return r.vmTask("resize", func(w *worker) error {
		return w.workIn(node, id, func(m *machine) error {
			if err := m.checkDigest(p); err != nil {
				return err
			}
			if err := m.checkLock(); err != nil && !p.flag("skiplock") {
				return err
			}
			return w.resizeTo(r, m, p["disk"], p["size"])
		})
	})
}

func (w *worker) resizeTo(r *request, m *machine, key, size string) error {
	value, ok := m.config[key]
	if !ok {
		return die("disk '%s' does not exist", key)
	}
	d := parseDrive(value)
	if d.cdrom() {
		return die("you can't resize a cdrom")
	}
	if err := w.need(r, "/storage/"+d.storage(), "Datastore.AllocateSpace"); err != nil {
		return err
	}
	if _, err := w.usable(m.node.name, d.storage()); err != nil {
		return err
	}
	v := w.volume(m.node.name, d.file)
	if v == nil {
		return die("volume '%s' does not exist", d.file)
	}
	text, relative := strings.CutPrefix(size, "+")
	want, _ := parseSize(text)
	if relative {
		want += v.size
	}
	switch {
	case want < v.size:
		return die("shrinking disks is not supported")
	case want == v.size:
		return nil
	}
	if v.storage.of().files && v.format != "raw" && v.format != "qcow2" {
		return die("can't resize this image format")
	}
	before := v.size
	if err := w.resize(v, m.node.name, want); err != nil {
		return err
	}
	switch {
	case v.storage.kind == "lvm" || v.storage.kind == "lvmthin":
		name := v.storage.options["vgname"] + "/" + v.file()
		w.say("  Size of logical volume %s changed from %s to %s.", name, extents(before), extents(v.size))
		w.say("  Logical volume %s successfully resized.", name)
	case !m.running && v.storage.of().files:
		w.say("Image resized.")
	}
	d.setSize(want)
	m.config[key] = d.String()
	return nil
}

// extents is a size as LVM tells it: "1.00 GiB (256 extents)".
func extents(size int64) string {
	unit, name := int64(1<<20), "MiB"
	if size >= 1<<30 {
		unit, name = 1<<30, "GiB"
	}
	return fmt.Sprintf("%.2f %s (%d extents)", float64(size)/float64(unit), name, size/(4<<20))
}
