package vsphere

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// CheckPlacement resolves a placement as a creation does, from the inventory that is remembered.
func (b *Backend) CheckPlacement(ctx context.Context, at backends.PlacementSpec) error {
	const op = "find a place for the VM"
	place, err := b.inv.Place(ctx, at)
	if err == nil && at.Storage != nil {
		if _, err = b.inv.Storage(ctx, place, at.Storage, 0); err != nil {
			err = blame(err, "placement.storage")
		}
	}
	return backends.Wrap(err, op, "")
}
