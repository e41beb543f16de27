package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// onSnapshot reads a VM and finds a snapshot of it. The operation that it returns names the snapshot.
func (b *Backend) onSnapshot(ctx context.Context, id backends.ID, snapshotID, verb string) (m *machine, s *snapshot, op string, err error) {
	op = verb + " a snapshot"
	if m, err = b.machine(ctx, id, op); err != nil {
		return nil, nil, op, err
	}
	if s, err = m.findSnapshot(snapshotID); err != nil {
		return nil, nil, op, backends.Wrap(err, op, m.object())
	}
	return m, s, fmt.Sprintf("%s snapshot %q", verb, plain(s.Name)), nil
}

// DeleteSnapshot removes one snapshot, with its descendants if children, and merges what is no longer kept apart. What
// linked clones share stays: Precondition, naming them.
func (b *Backend) DeleteSnapshot(ctx context.Context, id backends.ID, snapshotID string, children bool) error {
	m, s, op, err := b.onSnapshot(ctx, id, snapshotID, "delete")
	if err != nil {
		return err
	}
	if err := b.unshared(ctx, m, s, children, time.Now()); err != nil {
		return backends.Wrap(err, op, m.object())
	}
	return b.removeSnapshot(ctx, m, s.Snapshot, op, children)
}

func (b *Backend) removeSnapshot(ctx context.Context, m *machine, ref types.ManagedObjectReference, op string, children bool) error {
	_, err := b.conn.Await(ctx, op, m.object(), func(ctx context.Context) (*object.Task, error) {
		res, err := methods.RemoveSnapshot_Task(ctx, b.conn.VIM(), &types.RemoveSnapshot_Task{
			This: ref, RemoveChildren: children, Consolidate: types.NewBool(true),
		})
		if err != nil {
			return nil, err
		}
		return object.NewTask(b.conn.VIM(), res.Returnval), nil
	})
	if fault.Gone(err, ref) {
		// The VM was there: somebody else removed the snapshot a moment ago.
		return backends.Errorf(backends.NotFound, op, m.object(), "the VM has no snapshot with the id %q", ref.Value)
	}
	if err != nil {
		return err
	}
	return b.consolidate(ctx, m, op)
}

// unshared refuses to remove snapshots whose files linked clones read. Removing one merges what its children
// wrote into its file, and takes theirs away. Who shares what is that of the moment or later.
func (b *Backend) unshared(ctx context.Context, m *machine, s *snapshot, children bool, moment time.Time) error {
	users, err := b.sharersSince(ctx, m, moment)
	if err != nil || len(users) == 0 {
		return err
	}
	touched := []*snapshot{s}
	for _, other := range m.snapshots() {
		if other.up == nil {
			continue
		}
		for _, t := range touched {
			if other.up.Snapshot == t.Snapshot && (children || t.Snapshot == s.Snapshot) {
				touched = append(touched, other)
				break
			}
		}
	}
	files, err := b.frozenFiles(ctx, touched)
	if err != nil {
		return err
	}
	var names []string
	for _, file := range files {
		names = append(names, users[file]...)
	}
	return sharedBy(names, "what the snapshot holds")
}

// sharedBy refuses to remove what others share; nobody is no error.
func sharedBy(names []string, what string) error {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return backends.Errorf(backends.Precondition, "", "", "the VMs %s share %s", strings.Join(names, ", "), what).
		Advise("Delete these linked clones first.")
}
