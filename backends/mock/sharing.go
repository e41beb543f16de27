package mock

import (
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// users are the VMs that have a disk with a life of its own attached.
func (v *volume) users() []backends.ID {
	if v.AttachedTo == "" {
		return nil
	}
	return append([]backends.ID{v.AttachedTo}, v.Others...)
}

// use notes that a VM has the disk, or no longer has it. The first of several
// VMs is the same whatever the order in which they came.
func (v *volume) use(id backends.ID, has bool) {
	all := slices.DeleteFunc(v.users(), func(user backends.ID) bool { return user == id })
	if has {
		all = append(all, id)
	}
	slices.Sort(all)
	v.AttachedTo, v.Others = "", nil
	if len(all) > 0 {
		v.AttachedTo, v.Others = all[0], slices.Clone(all[1:])
	}
}

// rival returns the VM because of which another, id, cannot have a disk: one that
// has it, unless both say that they share it.
func (w *world) rival(v *volume, id backends.ID, shared bool) *machine {
	for _, user := range v.users() {
		m := w.Machines[user]
		if user == id || m == nil {
			continue
		}
		for _, spec := range m.Spec.Disks {
			if value(spec.Volume) == v.ID && (!shared || !value(spec.Shared)) {
				return m
			}
		}
	}
	return nil
}

// checkSharing checks that the disks which a machine attaches are free for it.
func (w *world) checkSharing(m *machine) error {
	seen := map[string]string{}
	for _, key := range sortedKeys(m.Spec.Disks) {
		spec := m.Spec.Disks[key]
		v := w.Volumes[value(spec.Volume)]
		if v == nil {
			continue
		}
		if other, twice := seen[v.ID]; twice {
			return refusal(backends.Precondition, backends.Path("disks").Key(key).Attr("volume"), "disk %q is the VM's disk %q already", v.Name, other)
		}
		seen[v.ID] = key
		if other := w.rival(v, m.ID, value(spec.Shared)); other != nil {
			e := refusal(backends.Precondition, backends.Path("disks").Key(key).Attr("volume"), "disk %q is attached to VM %q", v.Name, other.Spec.Name)
			if value(spec.Shared) {
				e.Remedy = "Set shared on that VM's disk too."
			}
			return e
		}
	}
	return nil
}
