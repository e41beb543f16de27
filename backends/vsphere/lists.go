package vsphere

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Hosts lists the hosts. One that is in maintenance mode or not connected is not online.
func (b *Backend) Hosts(ctx context.Context) ([]backends.Host, error) {
	x, err := b.inv.Index(ctx)
	if err != nil {
		return nil, backends.Wrap(err, "list hosts", "")
	}
	return x.Hosts(), nil
}

// Networks lists standard and distributed port groups and opaque networks.
func (b *Backend) Networks(ctx context.Context) ([]backends.Network, error) {
	x, err := b.inv.Index(ctx)
	if err != nil {
		return nil, backends.Wrap(err, "list networks", "")
	}
	return x.Networks(), nil
}

// Storages lists datastores and datastore clusters.
func (b *Backend) Storages(ctx context.Context) ([]backends.Storage, error) {
	x, err := b.inv.Index(ctx)
	if err != nil {
		return nil, backends.Wrap(err, "list datastores", "")
	}
	return x.Storages(), nil
}
