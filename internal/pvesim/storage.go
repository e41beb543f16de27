package pvesim

import (
	"cmp"
	"iter"
	"path"
	"slices"
	"time"
)

// storage is one entry of storage.cfg.
type storage struct {
	id       string
	kind     string  // "dir", "lvmthin", "zfspool", "nfs", "btrfs", ...
	options  section // "path", "content", "nodes", "shared", "disable", ... as storage.cfg has them
	capacity int64   // bytes, of each node's own where it is not shared
}

// volumes are the bytes of a cluster, by node and volume id; those of a shared storage have node "".
type volumes struct {
	all   map[volumeKey]*volume
	spool *spool
}

type volumeKey struct{ node, volid string }

// volume is one volume or file of a storage. volid is as PVE writes it: "local:110/vm-110-disk-0.qcow2",
// "local-lvm:vm-110-disk-0", "local:iso/debian.iso".
type volume struct {
	volid     string
	node      string // "" on shared storages
	storage   *storage
	content   string // "images", "iso", "import", "snippets", "vztmpl", "backup"
	format    string // "raw", "qcow2", "vmdk", "iso", ...
	vmid      int    // owner, 0 for none
	size      int64  // bytes that a guest sees
	parent    string // volid of the base that it shares content with
	created   time.Time
	notes     string
	protected bool
	data      *content
	shared    int64 // bytes of data that the base holds
	snaps     []volumeSnapshot
}

// volumeSnapshot is the content of a volume as it was, kept by the storage.
type volumeSnapshot struct {
	name string
	size int64
	data *content
}

func newVolumes() *volumes {
	return &volumes{all: map[volumeKey]*volume{}, spool: &spool{}}
}

// close gives back what the volumes hold of the machine the simulator runs on.
func (v *volumes) close() { v.spool.close() }

// storage finds a storage, or nil.
func (c *cluster) storage(id string) *storage {
	for _, st := range c.storages {
		if st.id == id {
			return st
		}
	}
	return nil
}

// usable finds a storage that a node can use, or says what Proxmox VE says.
func (c *cluster) usable(node, id string) (*storage, error) {
	st := c.storage(id)
	switch {
	case st == nil:
		return nil, die("storage '%s' does not exist", id)
	case st.disabled():
		return nil, die("storage '%s' is disabled", id)
	case !st.on(node):
		return nil, die("storage '%s' is not available on node '%s'", id, node)
	}
	return st, nil
}

// where is the node that a storage's volumes are kept under.
func (st *storage) where(node string) string {
	if st.shared() {
		return ""
	}
	return node
}

// volume finds a volume as a node sees it, or nil.
func (c *cluster) volume(node, volid string) *volume {
	id, name, ok := cutVolid(volid)
	st := c.storage(id)
	if !ok || st == nil {
		return nil
	}
	if v := c.volumes.all[volumeKey{st.where(node), volid}]; v != nil {
		return v
	}
	// A linked clone has a second name, that of the file.
	n, err := st.parse(name)
	if err != nil || n.base != "" || n.content != "images" {
		return nil
	}
	for v := range c.each(st, node) {
		if v.parent != "" && v.path() == st.pathOf(n) {
			return v
		}
	}
	return nil
}

// each goes through the volumes of a storage as a node sees them, in no order.
func (c *cluster) each(st *storage, node string) iter.Seq[*volume] {
	at := st.where(node)
	return func(yield func(*volume) bool) {
		for k, v := range c.volumes.all {
			if v.storage == st && k.node == at && !yield(v) {
				return
			}
		}
	}
}

// volumesOf are the volumes of a storage as a node sees them, by volume id.
func (c *cluster) volumesOf(st *storage, node string) []*volume {
	list := slices.Collect(c.each(st, node))
	slices.SortFunc(list, func(a, b *volume) int { return cmp.Compare(a.volid, b.volid) })
	return list
}

// add registers a volume.
func (c *cluster) add(v *volume) *volume {
	if v.created.IsZero() {
		v.created = time.Now()
	}
	if v.data == nil {
		v.data = newContent(c.volumes.spool, v.size)
	}
	c.volumes.all[volumeKey{v.node, v.volid}] = v
	return v
}

// name is the volume id without the storage.
func (v *volume) name() string {
	_, name, _ := cutVolid(v.volid)
	return name
}

// file is the last part of the volume's name.
func (v *volume) file() string { return path.Base(v.name()) }

// isBase tells whether the volume belongs to a template, and never changes.
func (v *volume) isBase() bool {
	n, err := v.storage.parse(v.name())
	return err == nil && n.isBase
}

// path is where the node has it.
func (v *volume) path() string {
	n, err := v.storage.parse(v.name())
	if err != nil {
		return ""
	}
	return v.storage.pathOf(n)
}
