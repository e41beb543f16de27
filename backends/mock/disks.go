package mock

import (
	"context"
	"errors"
	"fmt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// newVolumeID makes an id that no disk has.
func (w *world) newVolumeID(storage, name string) string {
	id := storage + "/" + name
	for n := 2; w.Volumes[id] != nil; n++ {
		id = fmt.Sprintf("%s/%s-%d", storage, name, n)
	}
	return id
}

func diskCall(method, op, id string, names ...string) call {
	return call{method: method, op: op, object: backends.DiskObject(id), key: "disk/" + id, names: append(names, id)}
}

// CreateDisk makes a disk with a life of its own.
func (b *Backend) CreateDisk(ctx context.Context, spec backends.DiskSpec) (backends.Volume, error) {
	d := overlay(b.diskDefaults(backends.PlacementSpec{}, spec.Disk.Policy), spec.Disk)
	id := *d.Storage + "/" + spec.Name
	c := diskCall("CreateDisk", "create", spec.Name, id)
	if err := b.catalogue.Require(backends.FeatureDiskVolume, c.op, c.object); err != nil {
		return backends.Volume{}, err
	}
	if err := b.vetDisk(c, spec); err != nil {
		return backends.Volume{}, err
	}
	var made backends.Volume
	err := b.write(ctx, c, func(w *world) error {
		st, err := findStorage(*d.Storage, "storage")
		switch {
		case err != nil:
			return err
		case spec.Name == "":
			return refusal(backends.Invalid, "name", "a disk needs a name")
		case *d.SizeGiB < 1:
			return refusal(backends.Invalid, "size_gib", "%d GiB is less than the least, 1 GiB", *d.SizeGiB)
		case w.Volumes[id] != nil:
			return refusal(backends.Conflict, "name", "storage %q has a disk %q already", st.Name, spec.Name)
		}
		if err := checkPolicy(d.Policy, st.Name, "policy"); err != nil {
			return err
		}
		v := &volume{ID: id, Name: spec.Name, Disk: d, Bytes: *d.SizeGiB * gib, Path: "/mock/" + id + "." + *d.Format}
		if total := w.used("")[st.Name] + spent(*d.Provisioning, v.Bytes, 0); total > st.CapacityBytes {
			return noSpace(st, "size_gib", total)
		}
		w.Volumes[id] = v
		made = v.volume()
		return nil
	})
	return made, err
}

// vetDisk refuses what the hypervisor does not have, as for a disk of a VM.
func (b *Backend) vetDisk(c call, spec backends.DiskSpec) error {
	to := &backends.VMSpec{Disks: map[string]backends.Disk{spec.Name: spec.Disk}}
	err := backends.Vet(b.catalogue, &backends.VMSpec{}, to, backends.Requirements(to), c.op, c.object)
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	steps := e.Path.Steps()
	return e.At(backends.Path(steps[len(steps)-1].Name))
}

func (v *volume) volume() backends.Volume {
	d := clone(v.Disk)
	d.SizeGiB = new(gibOf(v.Bytes))
	return backends.Volume{ID: v.ID, Name: v.Name, Disk: d, Path: v.Path, AttachedTo: v.AttachedTo}
}

// owner finds the VM that a disk belongs to.
func (w *world) owner(id string) (*machine, string) {
	for _, m := range w.Machines {
		for key, d := range m.Disks {
			if d.Volume == id {
				return m, key
			}
		}
	}
	return nil, ""
}

// GetDisk reads a disk, be it a VM's or one with a life of its own.
func (b *Backend) GetDisk(ctx context.Context, id string) (backends.Volume, error) {
	const op = "read"
	object := backends.DiskObject(id)
	if err := b.catalogue.Require(backends.FeatureDiskVolume, op, object); err != nil {
		return backends.Volume{}, err
	}
	if err := b.read(ctx, "GetDisk", op, object, id); err != nil {
		return backends.Volume{}, err
	}
	var found backends.Volume
	err := b.store.view(func(w *world) error {
		if v := w.Volumes[id]; v != nil {
			found = v.volume()
			return nil
		}
		m, key := w.owner(id)
		if m == nil {
			return noDisk(id)
		}
		d := m.Disks[key]
		found = backends.Volume{ID: id, Name: key, Disk: clone(m.Spec.Disks[key]), Path: d.Path, AttachedTo: m.ID}
		return nil
	})
	return found, backends.Wrap(err, op, object)
}

func noDisk(id string) error {
	return backends.Errorf(backends.NotFound, "", "", "there is no disk with the id %q", id)
}

// ResizeDisk grows a disk, also one that a running VM uses.
func (b *Backend) ResizeDisk(ctx context.Context, id string, sizeGiB int64) error {
	c := diskCall("ResizeDisk", "resize", id)
	if err := b.catalogue.Require(backends.FeatureDiskVolume, c.op, c.object); err != nil {
		return err
	}
	return b.write(ctx, c, func(w *world) error {
		owner, key := w.owner(id)
		v := w.Volumes[id]
		if owner == nil && v == nil {
			return noDisk(id)
		}
		var spec backends.Disk
		var have disk
		if v != nil {
			spec, have = v.Disk, disk{Bytes: v.Bytes, Content: v.Content, origin: v.origin}
		} else {
			spec, have = owner.Spec.Disks[key], owner.Disks[key]
			change := backends.Change{
				Path: backends.Path("disks").Key(key).Attr("size_gib"), Action: backends.Grow, Key: key, From: gibOf(have.Bytes), To: sizeGiB,
			}
			if err := b.frozen(owner, change); err != nil {
				return err
			}
		}
		if err := b.keepsSize(have, "", sizeGiB); err != nil {
			return err
		}
		bytes := have.Bytes
		if sizeGiB < gibOf(bytes) {
			return refusal(backends.Invalid, "size_gib", "a disk cannot shrink (it has %d GiB)", gibOf(bytes))
		}
		st, err := findStorage(*spec.Storage, "storage")
		if err != nil {
			return err
		}
		wanted := max(bytes, sizeGiB*gib)
		grown := have
		grown.Bytes = wanted
		total := w.used("")[st.Name] + grown.spent(*spec.Provisioning) - have.spent(*spec.Provisioning)
		if total > st.CapacityBytes {
			return noSpace(st, "size_gib", total)
		}
		if v != nil {
			v = clone(v)
			v.Bytes, v.Disk.SizeGiB = wanted, &sizeGiB
			w.Volumes[id] = v
		}
		w.grown(id, wanted)
		return nil
	})
}

// grown tells every VM that has a disk of its size.
func (w *world) grown(id string, bytes int64) {
	for _, m := range w.Machines {
		for key, d := range m.Disks {
			if d.Volume != id {
				continue
			}
			m = clone(m)
			spec := m.Spec.Disks[key]
			d.Bytes, spec.SizeGiB = bytes, new(gibOf(bytes))
			m.Disks[key], m.Spec.Disks[key] = d, spec
			w.put(m)
		}
	}
}

// DeleteDisk removes a disk that no VM has.
func (b *Backend) DeleteDisk(ctx context.Context, id string) error {
	c := diskCall("DeleteDisk", "delete", id)
	if err := b.catalogue.Require(backends.FeatureDiskVolume, c.op, c.object); err != nil {
		return err
	}
	return b.write(ctx, c, func(w *world) error {
		if m, _ := w.owner(id); m != nil {
			return backends.Errorf(backends.Precondition, "", "", "it is attached to VM %q", m.Spec.Name).
				Advise("Remove it from that VM first.")
		}
		if w.Volumes[id] == nil {
			return noDisk(id)
		}
		delete(w.Volumes, id)
		return nil
	})
}
