package mock

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// takeTemplate brings in a VM that never runs: a copy of a VM, an item of the
// library or an appliance.
func (in *arrival) takeTemplate(ctx context.Context, t *task) (backends.Image, error) {
	b := in.b
	if err := b.spend(ctx, in.call, t); err != nil {
		return backends.Image{}, err
	}
	spec := &backends.VMSpec{Name: in.spec.Name}
	var from maker
	switch {
	case in.source.LibraryItem != "":
		im, err := in.libraryItem()
		if err != nil {
			return backends.Image{}, err
		}
		spec.Disks = map[string]backends.Disk{"root": {SizeGiB: new(gibOf(im.SizeBytes))}}
		from = func(_ *world, m *machine, _ *backends.VMSpec) (*making, error) {
			m.Guest = im.Guest
			return &making{disks: map[string]disk{"root": {Content: im.Allocated}}}, nil
		}
	case in.source.VM != "":
		from = func(w *world, m *machine, want *backends.VMSpec) (*making, error) {
			vm := w.Machines[in.source.VM]
			if vm == nil {
				return nil, refusal(backends.NotFound, "vm_id", "there is no VM with the id %q", in.source.VM)
			}
			src, err := vm.source()
			if err != nil {
				return nil, err
			}
			return w.inherit(m, src, want, false)
		}
	default:
		hardware, disks, err := in.appliance(ctx, t)
		if err != nil {
			return backends.Image{}, err
		}
		spec = hardware
		from = func(*world, *machine, *backends.VMSpec) (*making, error) { return &making{disks: disks}, nil }
	}
	var made backends.Image
	err := b.commit(ctx, t, func(w *world) error {
		m, err := b.born(w, spec, func(w *world, m *machine, want *backends.VMSpec) (*making, error) {
			m.Template, m.Kind, m.Fingerprint = true, in.kind, in.spec.Fingerprint
			want.Placement.Storage = &in.storage
			mk, err := from(w, m, want)
			for key, d := range want.Disks {
				d.Format = or(in.spec.Format, value(d.Format))
				if *d.Format == "" {
					d.Format = nil
				}
				want.Disks[key] = d
			}
			return mk, err
		}, false)
		if err != nil {
			return err
		}
		b.tasks.about(t, m.ID)
		made = m.image()
		return nil
	})
	return made, err
}

// appliance reads all of a package, so that it is verified, and returns the VM
// that it describes in terms of this hypervisor and what its disks hold.
func (in *arrival) appliance(ctx context.Context, t *task) (spec *backends.VMSpec, disks map[string]disk, err error) {
	b := in.b
	pack, err := in.source.OpenAppliance(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, pack.Close()) }()
	spec = b.mapped(pack.Hardware, in.spec.Name)
	if err := backends.Vet(b.catalogue, &backends.VMSpec{}, spec, backends.Requirements(spec), "", ""); err != nil {
		return nil, nil, err
	}
	disks = map[string]disk{}
	var total int64
	for {
		key, content, err := pack.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return spec, disks, nil
		case err != nil:
			return nil, nil, err
		}
		if _, known := spec.Disks[key]; !known {
			_ = content.Reader.Close()
			return nil, nil, refusal(backends.Invalid, "", "the package has content for a disk %q that it does not describe", key)
		}
		err = b.store.view(func(w *world) error { return w.fits(in.storage, total+max(0, content.Size)) })
		if err != nil {
			_ = content.Reader.Close()
			return nil, nil, err
		}
		im, err := b.weigh(ctx, in.call, t, content)
		if err != nil {
			return nil, nil, err
		}
		total += im.Allocated
		disks[key] = disk{Bytes: im.SizeBytes, Content: im.Allocated}
	}
}

// mapped is the hardware that a package asks for, as far as this hypervisor has
// it; the rest is its default.
func (b *Backend) mapped(hardware backends.VMSpec, name string) *backends.VMSpec {
	s := clone(hardware)
	s.Name = name
	accepted := func(path string, p *string) *string {
		all := b.catalogue.Accepts[path]
		if p == nil || all != nil && !slices.Contains(all, *p) {
			return nil
		}
		return p
	}
	for key, d := range s.Disks {
		d.Bus = accepted("disks.bus", d.Bus)
		if _, ok := slots[value(d.Bus)]; !ok {
			d.Bus = nil
		}
		d.Format = nil
		s.Disks[key] = d
	}
	for key, n := range s.Networks {
		n.Model = accepted("networks.model", n.Model)
		if _, err := b.findNetwork(value(n.Network)); err != nil {
			n.Network = nil
		}
		s.Networks[key] = n
	}
	return &s
}
