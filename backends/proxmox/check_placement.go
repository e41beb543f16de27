package proxmox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// CheckPlacement looks for the node, its storage and the pool.
func (b *Backend) CheckPlacement(ctx context.Context, to backends.PlacementSpec) error {
	return fault.Wrap(b.checkPlacement(ctx, to), "find a place for the VM", "")
}

func (b *Backend) checkPlacement(ctx context.Context, to backends.PlacementSpec) error {
	node, err := b.place(ctx, to, nil, 0)
	if err != nil {
		return err
	}
	if to.Storage != nil {
		if err := b.checkStorage(ctx, node, *to.Storage); err != nil {
			return err
		}
	}
	return b.checkPool(ctx, to.Pool)
}

// checkStorage refuses a storage that a node does not have, or that takes no disks.
func (b *Backend) checkStorage(ctx context.Context, node, name string) error {
	rows, err := b.storageRows(ctx, node)
	if err != nil {
		return err
	}
	var names []string
	for _, r := range rows {
		switch {
		case string(r.Storage) != name:
			names = append(names, fmt.Sprintf("%q", string(r.Storage)))
		case !bool(r.Active):
			return backends.Errorf(backends.Transient, "", "", "the storage %q is not active on the node %q", name, node).At("placement.storage")
		case !slices.Contains(r.contents(), "images"):
			return backends.Errorf(backends.Invalid, "", "", "the storage %q takes no disks (content images)", name).At("placement.storage")
		default:
			return nil
		}
	}
	return backends.Errorf(backends.NotFound, "", "", "the node %q has no storage %q; it has %s", node, name, strings.Join(names, ", ")).At("placement.storage")
}

// checkPool refuses a resource pool that there is not. Who may not see pools is told by Proxmox VE.
func (b *Backend) checkPool(ctx context.Context, name *string) error {
	if value(name) == "" {
		return nil
	}
	var rows []struct {
		ID pve.Text `json:"poolid"`
	}
	if err := b.conn.Get(ctx, "/pools", nil, &rows); err != nil {
		if backends.CodeOf(err) == backends.Auth {
			return nil
		}
		return err
	}
	for _, r := range rows {
		if string(r.ID) == *name {
			return nil
		}
	}
	return backends.Errorf(backends.NotFound, "", "", "there is no resource pool %q that the account sees", *name).At("placement.pool").
		Advise("Create the pool first, or grant the account Pool.Audit on /pool/%s.", *name)
}
