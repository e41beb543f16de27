package pvesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// allocate makes an empty image for a VM under the first free name, "vm-110-disk-0". The format "" is the storage's
// own. It is called with mu held. What the task's log says of it is in volume.made.
func (c *cluster) allocate(st *storage, node string, vmid int, format string, size int64) (*volume, error) {
	return c.allocateNamed(st, node, vmid, format, "", size)
}

// allocateNamed is allocate under a name without the ending: "vm-110-cloudinit", "vm-110-state-s1". A name with
// an ending says the format.
func (c *cluster) allocateNamed(st *storage, node string, vmid int, format, name string, size int64) (*volume, error) {
	if format == "" {
		if len(st.formats()) == 0 {
			return nil, die("can't allocate space in %s storage", st.kind)
		}
		format = st.formats()[0]
	}
	if !st.of().files && !slices.Contains(st.formats(), format) {
		return nil, die("unsupported format '%s'", format)
	}
	file, err := c.fileFor(st, node, vmid, format, name)
	if err != nil {
		return nil, err
	}
	v := &volume{
		volid: st.id + ":" + st.imageName(vmid, file), node: st.where(node), storage: st,
		content: "images", format: format, vmid: vmid, size: roundUp(size, max(st.of().extent, 1024)),
	}
	if c.volume(node, v.volid) != nil {
		return nil, st.exists(v)
	}
	if st.thick() && v.size > c.spaceLeft(st, node) {
		return nil, st.full(v, c.spaceLeft(st, node))
	}
	return c.add(v), nil
}

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// fileFor is the name that an image's file gets.
func (c *cluster) fileFor(st *storage, node string, vmid int, format, name string) (string, error) {
	ending := ""
	if st.of().files || st.kind == "lvm" && format == "qcow2" {
		ending = "." + format
	}
	switch {
	case name == "":
		return c.freeName(st, node, vmid, format) + ending, nil
	case !st.of().files:
		if !strings.HasPrefix(name, "vm-"+strconv.Itoa(vmid)+"-") {
			return "", die("illegal name '%s' - should be 'vm-%d-*'", name, vmid)
		}
		return strings.TrimSuffix(name, ending) + ending, nil
	case !strings.Contains(name, "."):
		return name + ending, nil
	}
	has, _, err := parseImage(name)
	if err != nil {
		return "", err
	}
	if has != format {
		return "", die("illegal name '%s' - wrong extension for format ('%s != '%s')", name, has, format)
	}
	return name, nil
}

// freeName is the first name that no image of the VM has on the storage, whatever its format; an
// image of a template counts.
func (c *cluster) freeName(st *storage, node string, vmid int, format string) string {
	prefix := "vm"
	if format == "subvol" {
		prefix = "subvol"
	}
	taken := map[int]bool{}
	for v := range c.each(st, node) {
		if v.vmid != vmid || v.content != "images" {
			continue
		}
		if _, rest, ok := strings.Cut(v.file(), "-"+strconv.Itoa(vmid)+"-disk-"); ok {
			n, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(n); err == nil {
				taken[i] = true
			}
		}
	}
	for i := 0; ; i++ {
		if !taken[i] {
			return fmt.Sprintf("%s-%d-disk-%d", prefix, vmid, i)
		}
	}
}

// exists is what a storage says where a volume is there already.
func (st *storage) exists(v *volume) error {
	switch st.kind {
	case "lvm", "lvmthin":
		return die("lvcreate '%s/%s' error:   Logical Volume \"%s\" already exists in volume group \"%s\"",
			st.options["vgname"], v.file(), v.file(), st.options["vgname"])
	case "zfspool", "zfs":
		return die("zfs error: cannot create '%s/%s': dataset already exists", st.options["pool"], v.file())
	case "rbd":
		return die("rbd create '%s' error: rbd: create error: (17) File exists", v.file())
	}
	return die("disk image '%s' already exists", v.path())
}

// full is what a storage says where it has no space for a volume.
func (st *storage) full(v *volume, free int64) error {
	switch st.kind {
	case "lvm":
		return die("lvcreate '%s/%s' error:   Volume group \"%s\" has insufficient free space (%d extents): %d required.",
			st.options["vgname"], v.file(), st.options["vgname"], free/(4*mib), roundUp(v.size, 4*mib)/(4*mib))
	case "zfspool", "zfs":
		return die("zfs error: cannot create '%s/%s': out of space", st.options["pool"], v.file())
	}
	return die("unable to create image: qemu-img: %s: Could not resize file: No space left on device", v.path())
}

// made is what the log of a task says where a volume was made, "" for nothing.
func (v *volume) made() string {
	switch {
	case v.storage.kind == "lvm" || v.storage.kind == "lvmthin":
		return fmt.Sprintf("  Logical volume %q created.", v.file())
	case !v.storage.of().files || v.content != "images":
		return ""
	}
	backing, prealloc := "", " preallocation=metadata"
	if v.parent != "" {
		_, name, _ := cutVolid(v.parent)
		n, _ := v.storage.parse(name)
		backing = fmt.Sprintf(" backing_file=../%s backing_fmt=%s", name, n.format)
		prealloc = ""
	} else if p := v.storage.options["preallocation"]; p != "" {
		prealloc = " preallocation=" + p
	}
	switch v.format {
	case "qcow2":
		return fmt.Sprintf("Formatting '%s', fmt=qcow2 cluster_size=65536 extended_l2=off%s compression_type=zlib size=%d%s lazy_refcounts=off refcount_bits=16",
			v.path(), prealloc, v.size, backing)
	case "vmdk":
		return fmt.Sprintf("Formatting '%s', fmt=vmdk size=%d compat6=off hwversion=undefined", v.path(), v.size)
	}
	if prealloc == " preallocation=metadata" {
		prealloc = " preallocation=off"
	}
	return fmt.Sprintf("Formatting '%s', fmt=raw size=%d%s", v.path(), v.size, prealloc)
}

// free removes a volume, as long as no linked clone needs it. It is called with mu held.
func (c *cluster) free(v *volume) error {
	if v.isBase() && c.linked(v) {
		return die("base volume '%s' is still in use by linked clones", v.name())
	}
	delete(c.volumes.all, volumeKey{v.node, v.volid})
	return nil
}

// linked tells whether a volume is the base of linked clones.
func (c *cluster) linked(v *volume) bool {
	for k, o := range c.volumes.all {
		if o.parent == v.volid && k.node == v.node {
			return true
		}
	}
	return false
}
