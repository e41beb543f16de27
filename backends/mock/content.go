package mock

import (
	"context"
	"maps"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// WriteData writes a value under a name to a VM's disk, as a guest writes a
// file: it follows the disk into snapshots, clones and images, and a revert
// brings back what was there. It belongs to tests, not to the seam.
func (b *Backend) WriteData(ctx context.Context, id backends.ID, disk, name, value string) error {
	c, err := b.onVM(id, "WriteData", "", "write to disk "+disk)
	if err != nil {
		return err
	}
	return b.write(ctx, c, func(w *world) error {
		m, err := w.edit(id)
		if err != nil {
			return err
		}
		d, ok := m.Disks[disk]
		if !ok {
			return backends.Errorf(backends.NotFound, "", "", "the VM has no disk %q", disk)
		}
		if d.Data == nil {
			d.Data = map[string]string{}
		}
		d.Data[name] = value
		m.Disks[disk] = d
		b.attach(w, nil, m)
		w.put(m)
		return nil
	})
}

// ReadData returns what WriteData wrote to a VM's disk, or to the disk that it
// was made from.
func (b *Backend) ReadData(id backends.ID, disk string) (map[string]string, error) {
	var found map[string]string
	err := b.store.view(func(w *world) error {
		m := w.Machines[id]
		if m == nil {
			return noVM(id)
		}
		found = maps.Clone(m.Disks[disk].Data)
		return nil
	})
	return found, backends.Wrap(err, "read disk "+disk, backends.VMObject(string(id)))
}
