package mock

import (
	"cmp"
	"context"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// ListVMs finds VMs.
func (b *Backend) ListVMs(ctx context.Context, filter backends.VMFilter) ([]backends.VMSummary, error) {
	const op = "list VMs"
	if err := b.read(ctx, "ListVMs", op, ""); err != nil {
		return nil, err
	}
	var found []backends.VMSummary
	err := b.store.view(func(w *world) error {
		for _, m := range w.Machines {
			if matches(m, filter) {
				found = append(found, backends.VMSummary{
					ID: m.ID, Name: m.Spec.Name, Host: m.Host, Power: m.Power, Tags: slices.Clone(m.Spec.Tags), Owned: m.Owned,
					Template: m.Template,
				})
			}
		}
		return nil
	})
	if err != nil {
		return nil, backends.Wrap(err, op, "")
	}
	slices.SortFunc(found, func(x, y backends.VMSummary) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID))
	})
	return found, nil
}

func matches(m *machine, f backends.VMFilter) bool {
	if f.Names != nil && !slices.Contains(f.Names, m.Spec.Name) ||
		f.Power != "" && f.Power != m.Power || f.Host != "" && f.Host != m.Host {
		return false
	}
	for _, tag := range f.Tags {
		if !slices.Contains(m.Spec.Tags, tag) {
			return false
		}
	}
	return true
}

// GetVMs reads VMs. A fault with a name makes only the VMs of that name fail,
// one without fails the call.
func (b *Backend) GetVMs(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (map[backends.ID]backends.Result, error) {
	const op = "read VMs"
	if err := b.read(ctx, "GetVMs", op, ""); err != nil {
		return nil, err
	}
	results := make(map[backends.ID]backends.Result, len(ids))
	err := b.store.view(func(w *world) error {
		for _, id := range ids {
			if _, done := results[id]; done {
				continue
			}
			vm, err := b.one(w, id, aspects)
			results[id] = backends.Result{VM: vm, Err: err}
		}
		return nil
	})
	if err != nil {
		return nil, backends.Wrap(err, op, "")
	}
	return results, nil
}

func (b *Backend) one(w *world, id backends.ID, aspects backends.Aspects) (*backends.VM, error) {
	m := w.Machines[id]
	if m == nil {
		return nil, backends.Wrap(noVM(id), "read", backends.VMObject(string(id)))
	}
	if err := b.faults.checkOne("GetVMs", []string{m.Spec.Name, string(id)}, "read", m.object()); err != nil {
		return nil, err
	}
	vm := &backends.VM{
		ID: id, UUID: string(id), Config: m.observed(aspects), Owned: m.Owned,
		Power: m.Power, Host: m.Host, Status: m.status(), Pending: m.Active != nil, Template: m.Template,
		ConsoleType: b.consoleType(m),
		Disks:       make(map[string]backends.DiskStatus, len(m.Disks)),
		Networks:    make(map[string]backends.NICStatus, len(m.Spec.Networks)),
	}
	for key, d := range m.Disks {
		vm.Disks[key] = backends.DiskStatus{
			Device: d.Device, Path: d.Path, VolumeID: d.Volume, SizeBytes: d.Bytes, Owned: d.Owned, Backing: w.backing(d),
		}
	}
	if aspects&backends.AspectGuest != 0 && b.answers(m) {
		g := m.guest()
		vm.Guest = &g
	}
	for key, n := range m.Spec.Networks {
		vm.Networks[key] = m.nic(key, n, vm.Guest != nil)
	}
	return vm, nil
}

// status is the mock's own word for what a VM does.
func (m *machine) status() string {
	switch {
	case m.Partial:
		return "creating"
	case m.Template:
		return "template"
	}
	return string(m.Power)
}
