package pvesim

import "slices"

// takeSnapshot keeps the content of a volume as it is now. It is called with mu held.
func (v *volume) takeSnapshot(name string) error {
	if !v.can("snapshot", "") {
		return die("snapshot feature is not available")
	}
	if v.snapshot(name) != nil {
		return die("volume '%s' already has a snapshot '%s'", v.volid, name)
	}
	v.snaps = append(v.snaps, volumeSnapshot{name: name, size: v.size, data: v.data.copy()})
	return nil
}

// rollback makes the volume read again as it did when the snapshot was taken. ZFS goes back
// only to its last one.
func (v *volume) rollback(name string) error {
	s := v.snapshot(name)
	if s == nil {
		return die("volume '%s' has no snapshot '%s'", v.volid, name)
	}
	if last := v.snaps[len(v.snaps)-1].name; last != name && v.storage.needsLast() {
		return die("can't rollback, '%s' is not most recent snapshot on '%s'", name, v.volid)
	}
	v.data, v.size = s.data.copy(), s.size
	return nil
}

func (st *storage) needsLast() bool { return st.kind == "zfspool" || st.kind == "zfs" }

// dropSnapshot forgets a snapshot; one that is not there is no error.
func (v *volume) dropSnapshot(name string) {
	v.snaps = slices.DeleteFunc(v.snaps, func(s volumeSnapshot) bool { return s.name == name })
}

// snapshot finds a snapshot of the volume, or nil.
func (v *volume) snapshot(name string) *volumeSnapshot {
	for i := range v.snaps {
		if v.snaps[i].name == name {
			return &v.snaps[i]
		}
	}
	return nil
}

// resize makes an image larger. It is called with mu held.
func (c *cluster) resize(v *volume, node string, size int64) error {
	size = roundUp(size, max(v.storage.of().extent, 512))
	if v.storage.thick() && size-v.size > c.spaceLeft(v.storage, node) {
		grown := *v
		grown.size = size
		return v.storage.full(&grown, c.spaceLeft(v.storage, node))
	}
	v.size = size
	v.data.resize(size)
	return nil
}
