package mock

import (
	"context"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Hosts lists the hosts.
func (b *Backend) Hosts(ctx context.Context) ([]backends.Host, error) {
	if err := b.read(ctx, "Hosts", "list hosts", ""); err != nil {
		return nil, err
	}
	return slices.Clone(hosts), nil
}

// Networks lists the networks.
func (b *Backend) Networks(ctx context.Context) ([]backends.Network, error) {
	if err := b.read(ctx, "Networks", "list networks", ""); err != nil {
		return nil, err
	}
	var all []backends.Network
	for _, n := range networks {
		if b.offers(n) {
			all = append(all, n.Network)
		}
	}
	return all, nil
}

// offers reports whether a network can be there: what cannot have distributed
// switches shows none.
func (b *Backend) offers(n network) bool {
	return n.Kind != kindDistributed || b.catalogue.Supports(backends.FeatureDistributedSwitches)
}

func (b *Backend) networkNames() []string {
	var names []string
	for _, n := range networks {
		if b.offers(n) {
			names = append(names, n.Name)
		}
	}
	return names
}

// Storages lists the storages with what is free on each.
func (b *Backend) Storages(ctx context.Context) ([]backends.Storage, error) {
	const op = "list storages"
	if err := b.read(ctx, "Storages", op, ""); err != nil {
		return nil, err
	}
	all := slices.Clone(storages)
	err := b.store.view(func(w *world) error {
		used := w.used("")
		for i := range all {
			all[i].FreeBytes = max(0, all[i].CapacityBytes-used[all[i].Name])
		}
		return nil
	})
	if err != nil {
		return nil, backends.Wrap(err, op, "")
	}
	return all, nil
}
