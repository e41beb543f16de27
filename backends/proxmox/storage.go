package proxmox

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// files reports whether disks are files on the storage, in a format of choice.
func (s storageFacts) files() bool {
	switch s.Type {
	case "dir", "nfs", "cifs", "glusterfs", "cephfs", "btrfs":
		return true
	}
	return false
}

// formats are those that disks on the storage can have, the one of choice first: qcow2 has snapshots on
// a storage of files.
func (s storageFacts) formats() []string {
	switch {
	case s.Type == "":
		return []string{""}
	case s.Type == "btrfs":
		return []string{"raw", "qcow2", "vmdk"}
	case s.files():
		return []string{"qcow2", "raw", "vmdk"}
	}
	return []string{"raw"}
}

// provisioning is "thin" or "thick": what a new disk on the storage is.
func (s storageFacts) provisioning() string {
	switch s.Type {
	case "lvm", "iscsi", "iscsidirect", "zfs":
		return "thick"
	case "zfspool":
		if !s.Sparse {
			return "thick"
		}
	case "dir", "nfs", "cifs", "glusterfs":
		if s.Preallocation == "falloc" || s.Preallocation == "full" {
			return "thick"
		}
	}
	return "thin"
}

// images reports whether the storage takes disks.
func (s storageFacts) images() bool { return s.Content == nil || slices.Contains(s.Content, "images") }

// suits says why a disk cannot be on the storage as it is asked for, with the attribute's name, or "".
func (s storageFacts) suits(d backends.Disk) (attr, why string) {
	if s.Type == "" {
		return "", "" // not known
	}
	if !s.images() {
		return "storage", "it takes no disks (content images)"
	}
	if d.Format != nil && !slices.Contains(s.formats(), *d.Format) {
		return "format", "storages of type " + s.Type + " have disks as " + strings.Join(s.formats(), ", ")
	}
	if d.Provisioning != nil && *d.Provisioning != s.provisioning() {
		return "provisioning", "disks there are " + s.provisioning()
	}
	return "", ""
}

// storageFor chooses where a new disk lies: where it is asked to, else the usual place, else that with
// the most space of those that suit.
func (e *edit) storageFor(d backends.Disk, path backends.Path) (name string, facts storageFacts, err error) {
	asked, attr := d.Storage, path.Attr("storage")
	if asked == nil {
		asked, attr = e.to.Placement.Storage, "placement.storage"
	}
	if asked == nil && !e.creating() && e.mark.Storage != "" {
		asked = &e.mark.Storage
	}
	all := e.World.Storages
	if asked != nil {
		facts, ok := all[*asked]
		if !ok && all != nil {
			return "", facts, backends.Errorf(backends.NotFound, "", "", "the node has no active storage %q that the account sees; it sees %s", *asked, orNone(quoted(e.World.names()))).At(attr).
				Advise("Correct the name, or grant the account Datastore.AllocateSpace on /storage/%s.", *asked)
		}
		if blame, why := facts.suits(d); why != "" {
			return "", facts, invalid(path.Attr(blame), "storage %q: %s", *asked, why)
		}
		return *asked, facts, nil
	}
	if facts, ok := all[e.World.Storage]; ok && all != nil {
		if _, why := facts.suits(d); why == "" {
			return e.World.Storage, facts, nil
		}
	}
	if e.World.Storage != "" && all == nil {
		return e.World.Storage, storageFacts{}, nil
	}
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(all[b].Free, all[a].Free), cmp.Compare(a, b))
	})
	for _, name := range names {
		if _, why := all[name].suits(d); why == "" {
			return name, all[name], nil
		}
	}
	return "", storageFacts{}, e.noStorage(d, path)
}

// noStorage says what none of the storages can.
func (e *edit) noStorage(d backends.Disk, path backends.Path) error {
	switch {
	case d.Provisioning != nil && !slices.ContainsFunc(slices.Collect(maps.Values(e.World.Storages)), func(s storageFacts) bool {
		return s.images() && s.provisioning() == *d.Provisioning
	}):
		return invalid(path.Attr("provisioning"), "no storage of the node has disks that are %s: it depends on the storage's type", *d.Provisioning)
	case d.Format != nil:
		return invalid(path.Attr("format"), "no storage of the node has disks as %s", *d.Format)
	}
	return backends.Errorf(backends.Precondition, "", "", "the node has no storage that takes disks (content images)").At(path.Attr("storage"))
}

// formatOn is the format that a new disk on the storage has, "" where the storage leaves no choice.
func (s storageFacts) formatOn(d backends.Disk) string {
	if d.Format != nil {
		return *d.Format
	}
	if s.files() {
		return s.formats()[0]
	}
	return ""
}
