package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// noDescription stands for none: the SDK leaves an empty one out of a request, which leaves the old one.
const noDescription = " "

// DescribeSnapshot changes a snapshot's description.
func (b *Backend) DescribeSnapshot(ctx context.Context, id backends.ID, snapshotID, description string) error {
	m, s, op, err := b.onSnapshot(ctx, id, snapshotID, "describe")
	if err != nil {
		return err
	}
	return fault.Wrap(b.describeSnapshot(ctx, s.Snapshot, description), op, m.object())
}

func (b *Backend) describeSnapshot(ctx context.Context, ref types.ManagedObjectReference, description string) error {
	if description == "" {
		description = noDescription
	}
	_, err := methods.RenameSnapshot(ctx, b.conn.VIM(), &types.RenameSnapshot{This: ref, Description: description})
	return err
}
