package pvesim

import "time"

// storage is one entry of storage.cfg.
type storage struct {
	id       string
	kind     string  // "dir", "lvmthin", "zfspool", "nfs", "btrfs", ...
	options  section // "path", "content", "nodes", "shared", "disable", ... as storage.cfg has them
	capacity int64   // bytes, of each node's own where it is not shared
}

// volumes are the bytes of a cluster, by node and volume id; those of a shared storage have node "".
type volumes struct {
	all map[volumeKey]*volume
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
}
