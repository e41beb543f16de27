package mock

import (
	"context"
	"fmt"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// CreateVM makes a VM. It exists from the first moment; when ctx ends while the
// creation takes its time, its id comes next to the error.
func (b *Backend) CreateVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	c := call{
		method: "CreateVM", op: "create", object: backends.VMObject(spec.Name),
		key: "name/" + spec.Name, names: []string{spec.Name},
	}
	if err := backends.Vet(b.catalogue, &backends.VMSpec{}, spec, backends.Requirements(spec), c.op, c.object); err != nil {
		return "", err
	}
	return b.bear(ctx, c, spec, made(spec))
}

// bear carries out the call that makes a VM. Where it takes time, what is there
// in the meantime is partial; the fault METHOD.finish strikes then.
func (b *Backend) bear(ctx context.Context, c call, spec *backends.VMSpec, from maker) (backends.ID, error) {
	var id backends.ID
	finish := c.method + ".finish"
	err := b.run(ctx, c, func(t *task) error {
		birth := func(partial bool) func(*world) error {
			return func(w *world) error {
				m, err := b.born(w, spec, from, partial)
				if err != nil {
					return err
				}
				id = m.ID
				b.tasks.about(t, id)
				return nil
			}
		}
		if b.options.Latency+b.options.Jitter == 0 && !b.faults.concerns(finish) {
			b.tasks.progress(ctx, t, c, 100)
			err := b.commit(ctx, t, birth(false))
			if err != nil {
				id = "" // what could not be kept does not exist
			}
			return err
		}
		// Who can be interrupted leaves a VM that says so.
		if err := b.store.update(ctx, birth(true)); err != nil {
			id = ""
			return err
		}
		if err := b.spend(ctx, c, t); err != nil {
			return err
		}
		if err := b.faults.check([]string{finish}, c.names, c.op, c.object); err != nil {
			return err
		}
		return b.commit(ctx, t, func(w *world) error {
			m, err := w.edit(id)
			if err != nil || !m.Partial {
				return err
			}
			m.Partial = false
			w.put(m)
			return nil
		})
	})
	return id, err
}

// born puts a new VM into the world, or finds the one that an earlier try of
// the same creation put there.
func (b *Backend) born(w *world, spec *backends.VMSpec, from maker, partial bool) (*machine, error) {
	if other := w.named(spec.Name); other != nil {
		if spec.CreateToken == "" || other.Token != spec.CreateToken {
			return nil, nameTaken(other)
		}
		return other, nil
	}
	m, err := b.build(w, spec, from)
	if err != nil {
		return nil, err
	}
	m.Partial = partial
	w.Born[spec.Name]++
	b.attach(w, nil, m)
	w.put(m)
	return m, nil
}

func nameTaken(other *machine) error {
	e := refusal(backends.Conflict, "name", "VM %s has the name %q", other.ID, other.Spec.Name)
	e.Remedy = fmt.Sprintf("Choose another name, or import that VM with the id %q.", other.ID)
	return e
}

// attach notes which disks with a life of their own came to a VM and which it
// no longer has.
func (b *Backend) attach(w *world, before, after *machine) {
	move := func(m *machine, has bool) {
		if m == nil {
			return
		}
		for key, d := range m.Disks {
			v := w.Volumes[d.Volume]
			if d.Owned || v == nil {
				continue
			}
			v = clone(v)
			v.use(m.ID, has)
			if has {
				v.Bytes, v.Disk.SizeGiB, v.origin = d.Bytes, m.Spec.Disks[key].SizeGiB, d.origin
			}
			w.Volumes[v.ID] = v
		}
	}
	move(before, false)
	move(after, true)
}

// release turns a VM's own disk into one with a life of its own.
func (w *world) release(m *machine, key string) {
	d, spec := m.Disks[key], m.Spec.Disks[key]
	w.Volumes[d.Volume] = &volume{
		ID: d.Volume, Name: m.Spec.Name + "-" + key, Disk: clone(spec), Path: d.Path, Bytes: d.Bytes, Content: d.Content,
		origin: clone(d.origin),
	}
}

// DeleteVM removes a VM with all that it owns.
func (b *Backend) DeleteVM(ctx context.Context, id backends.ID, opts backends.DeleteOptions) error {
	c, err := b.onVM(id, "DeleteVM", "", "delete")
	if err != nil {
		return err
	}
	return b.write(ctx, c, func(w *world) error {
		m, err := w.edit(id)
		if err != nil {
			return err
		}
		if err := w.inUse(m); err != nil {
			return err
		}
		for _, key := range opts.KeepDisks {
			if _, ok := m.Disks[key]; !ok {
				return refusal(backends.Invalid, backends.Path("disks").Key(key), "the VM has no disk %q to keep", key)
			}
		}
		for _, key := range sortedKeys(m.Disks) {
			if slices.Contains(opts.KeepDisks, key) && m.Disks[key].Owned {
				w.release(m, key)
			}
		}
		return b.remove(w, m)
	})
}

// remove takes a VM or template out of the world, if nothing needs it.
func (b *Backend) remove(w *world, m *machine) error {
	if err := w.inUse(m); err != nil {
		return err
	}
	b.attach(w, m, nil)
	delete(w.Machines, m.ID)
	return nil
}
