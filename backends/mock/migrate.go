package mock

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Migrate moves a VM, running or not, to what to names; a storage takes the
// VM's own disks with it.
func (b *Backend) Migrate(ctx context.Context, id backends.ID, to backends.PlacementSpec) error {
	c, err := b.onVM(id, "Migrate", "", "migrate")
	if err != nil {
		return err
	}
	if err := b.catalogue.Require(backends.FeatureMigration, c.op, c.object); err != nil {
		return err
	}
	return b.write(ctx, c, func(w *world) error {
		m, err := w.edit(id)
		if err != nil {
			return err
		}
		desired := &backends.VMSpec{Placement: to}
		if err := backends.Vet(b.catalogue, &m.Spec, desired, backends.Diff(&m.Spec, desired), c.op, c.object); err != nil {
			return err
		}
		m.Spec.Placement = overlay(m.Spec.Placement, to)
		if to.Storage != nil {
			if _, err := findStorage(*to.Storage, "placement.storage"); err != nil {
				return err
			}
			for key, d := range m.Disks {
				if !d.Owned {
					continue
				}
				spec := m.Spec.Disks[key]
				spec.Storage = to.Storage
				d.Volume = w.newVolumeID(*to.Storage, string(id)+"-"+key)
				d.Path = "/mock/" + d.Volume + "." + *spec.Format
				m.Disks[key], m.Spec.Disks[key] = d, spec
			}
		}
		if err := b.complete(w, m, desired, nil); err != nil {
			return err
		}
		w.put(m)
		return nil
	})
}
