package vsphere

import (
	"context"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// consolidate merges what vSphere could not merge when it removed snapshots, such as a disk that a backup had open. Without
// it the files of the snapshots stay and grow, although no snapshot is listed any more.
func (b *Backend) consolidate(ctx context.Context, m *machine, op string) error {
	now, err := b.glance(ctx, m.id(), op)
	if err != nil || !now.Runtime.ConsolidationNeeded {
		return err
	}
	_, err = b.conn.Await(ctx, op, m.object(), func(ctx context.Context) (*object.Task, error) {
		res, err := methods.ConsolidateVMDisks_Task(ctx, b.conn.VIM(), &types.ConsolidateVMDisks_Task{This: m.Self})
		if err != nil {
			return nil, err
		}
		return object.NewTask(b.conn.VIM(), res.Returnval), nil
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	return backends.Errorf(backends.Precondition, op, m.object(), "the snapshot is removed, but its files could not be merged into the disks: %w", err).
		Advise("End what has the VM's disks open, such as a backup, and consolidate the VM's disks in the vSphere client.")
}
