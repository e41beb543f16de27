package mock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// origin is what the content of a disk comes from.
type origin struct {
	Base  string // id of the base that the disk shares copy-on-write, or ""
	Image string // id of the image that it shares likewise, or ""
	// Data is what was written to the disk since it was blank or an image: what
	// a guest's files are to a real disk.
	Data map[string]string
}

// linked reports whether content is shared, so that a disk holds only what was
// written since.
func (o origin) linked() bool { return o.Base != "" || o.Image != "" }

// keepsSize refuses to grow a disk that shares content, where the hypervisor does.
func (b *Backend) keepsSize(d disk, p backends.Path, sizeGiB int64) error {
	if !b.catalogue.LinkedKeepSize || !d.linked() || sizeGiB <= gibOf(d.Bytes) {
		return nil
	}
	return refusal(backends.Precondition, p.Attr("size_gib"), "%d GiB: a disk that shares its content has the size of what it shares, %d GiB", sizeGiB, gibOf(d.Bytes)).
		Advise("Leave size_gib out, or make a full copy by leaving linked out.")
}

// base is the content of a disk at the moment when linked clones were made of
// it. The clones go on in layers above it, and it goes with the last of them.
type base struct {
	ID, Path string
	Source   backends.ID // the VM, of which Key is the disk
	Key      string
	Storage  string
	Bytes    int64
	Content  int64
	origin
}

// layer is what a storage spends on a disk that shares its content, and on a
// snapshot of a disk: a twentieth of the whole.
func layer(bytes int64) int64 { return bytes / 20 }

// freeze returns the base of one of a source's disks: one that there is, where
// the content is still the same, or a new one, which it puts into the world.
func (w *world) freeze(src *source, key string) (id string, added bool) {
	d := src.disks[key]
	for _, id := range sortedKeys(w.Bases) {
		have := w.Bases[id]
		if have.Source == src.id && have.Key == key && have.Bytes == d.Bytes && have.Storage == value(src.spec.Disks[key].Storage) &&
			have.Base == d.Base && have.Image == d.Image && sameData(have.Data, d.Data) {
			return id, false
		}
	}
	storage := value(src.spec.Disks[key].Storage)
	for n := 1; ; n++ {
		id = fmt.Sprintf("%s/base-%s-%s-%d", storage, src.id, key, n)
		if w.Bases[id] == nil {
			break
		}
	}
	w.Bases[id] = &base{
		ID: id, Path: "/mock/" + id, Source: src.id, Key: key, Storage: storage,
		Bytes: d.Bytes, Content: d.Content, origin: clone(d.origin),
	}
	return id, true
}

func sameData(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if have, ok := b[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// backing is the path of what a disk shares, or "".
func (w *world) backing(d disk) string {
	if b := w.Bases[d.Base]; b != nil {
		return b.Path
	}
	if im := w.Images[d.Image]; im != nil {
		return im.Path
	}
	return ""
}

// users calls found with the name of each VM and disk whose content passes
// through something shared, with what shares it.
func (w *world) users(found func(name string, o origin)) {
	for _, m := range w.Machines {
		for _, d := range m.Disks {
			found(m.object(), d.origin)
		}
		for _, s := range m.Snapshots {
			for _, d := range s.Disks {
				found(m.object(), d.origin)
			}
		}
	}
	for _, v := range w.Volumes {
		found(backends.DiskObject(v.Name), v.origin)
	}
}

// through reports whether a chain of bases that begins at o reaches one that
// stop accepts.
func (w *world) through(o origin, stop func(*base) bool) bool {
	for b := w.Bases[o.Base]; b != nil; b = w.Bases[b.Base] {
		if stop(b) {
			return true
		}
	}
	return false
}

// clonesOf names what shares the content of a VM, sorted. A disk that was a
// linked clone's can have been attached to the VM itself.
func (w *world) clonesOf(m *machine) []string {
	var names []string
	w.users(func(name string, o origin) {
		if name != m.object() && w.through(o, func(b *base) bool { return b.Source == m.ID }) {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// sharesImage names what shares the content of an image, sorted.
func (w *world) sharesImage(id string) []string {
	var names []string
	w.users(func(name string, o origin) {
		if o.Image == id || w.through(o, func(b *base) bool { return b.Image == id }) {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// sweep removes the bases that nothing needs any more.
func (w *world) sweep() {
	if len(w.Bases) == 0 {
		return
	}
	needed := map[string]bool{}
	w.users(func(_ string, o origin) {
		w.through(o, func(b *base) bool { needed[b.ID] = true; return false })
	})
	for id := range w.Bases {
		if !needed[id] {
			delete(w.Bases, id)
		}
	}
}

// inUse refuses to delete a VM whose content others share.
func (w *world) inUse(m *machine) error {
	names := w.clonesOf(m)
	if len(names) == 0 {
		return nil
	}
	return backends.Errorf(backends.Precondition, "", "", "%s share its content", strings.Join(names, ", ")).
		Advise("Delete these linked clones first.")
}
