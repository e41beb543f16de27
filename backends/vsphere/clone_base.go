package vsphere

import (
	"context"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// A linked clone needs content that nobody writes to: a snapshot. Where none is named the driver takes one, the base,
// which users do not see among their snapshots. It is removed with the last clone that needs it; that of a template stays with
// the template, above which nothing is ever written.
const (
	baseName  = "virtrigaud-linked-base"
	baseNotes = "Linked clones share this state. It is removed with the last of them."
	// baseState precedes, in the notes, the version of the configuration that the VM had right afterwards.
	baseState = " State: "
)

// base returns a base of m as it is now: one that there is, where nothing was written since, or a new one. The
// lock of m must be held, and m must be read under it.
func (b *Backend) base(ctx context.Context, m *machine, began time.Time) (types.ManagedObjectReference, error) {
	const op = "take the snapshot that linked clones share"
	if s := m.current(); s != nil && s.base() {
		if m.Config.Template || b.links.takenSince(s.Snapshot, began) {
			return s.Snapshot, nil
		}
		same, err := b.unwritten(ctx, m, s)
		if same || err != nil {
			return s.Snapshot, err
		}
	}
	spec := backends.SnapshotSpec{Name: baseName, Description: baseNotes}
	if m.Config.Template {
		return b.baseOfTemplate(ctx, m, op, spec)
	}
	ref, err := b.takeSnapshot(ctx, m, op, spec)
	if err != nil {
		return ref, err
	}
	b.links.took(ref)
	if m.power() == backends.Stopped {
		b.noteState(ctx, m, ref)
	}
	return ref, nil
}

// noteState writes down which state of a stopped VM a base holds, so that later clones can tell whether it is
// still the VM's. Without the note they take a base of their own, so that a failure costs nothing else.
func (b *Backend) noteState(ctx context.Context, m *machine, ref types.ManagedObjectReference) {
	now, err := b.machine(ctx, m.id(), "read")
	if err == nil && now.Config != nil && now.power() == backends.Stopped {
		err = b.describeSnapshot(ctx, ref, baseNotes+baseState+now.Config.ChangeVersion)
	}
	if err != nil {
		backends.Report(ctx, backends.Progress{Op: "note the state that linked clones share: " + err.Error(), Object: m.object(), Percent: -1})
	}
}

// unwritten reports whether a VM is as it was when its base was taken: stopped, not reconfigured and not
// started in between, by the version of its configuration and by vCenter's events.
func (b *Backend) unwritten(ctx context.Context, m *machine, s *snapshot) (bool, error) {
	_, state, noted := strings.Cut(s.Description, baseState)
	if !noted || m.power() != backends.Stopped || state != m.Config.ChangeVersion {
		return false, nil
	}
	res, err := methods.QueryEvents(ctx, b.conn.VIM(), &types.QueryEvents{
		This: *b.conn.VIM().ServiceContent.EventManager,
		Filter: types.EventFilterSpec{
			Entity:      &types.EventFilterSpecByEntity{Entity: m.Self, Recursion: types.EventFilterSpecRecursionOptionSelf},
			Time:        &types.EventFilterSpecByTime{BeginTime: &s.CreateTime},
			EventTypeId: []string{"VmStartingEvent", "VmPoweredOnEvent", "DrsVmPoweredOnEvent", "VmResumingEvent", "VmStartingSecondaryEvent"},
		},
	})
	if err != nil {
		// Who may not read events takes a base of his own.
		return false, nilUnlessOver(ctx, err)
	}
	return len(res.Returnval) == 0, nil
}

func nilUnlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fault.Wrap(err, "read events", "")
	}
	return nil
}

// baseOfTemplate takes a base of a template, which has to be a VM for that moment.
func (b *Backend) baseOfTemplate(ctx context.Context, m *machine, op string, spec backends.SnapshotSpec) (ref types.ManagedObjectReference, err error) {
	err = b.thawed(ctx, m, func() error {
		ref, err = b.takeSnapshot(ctx, m, op, spec)
		return err
	})
	return ref, err
}

// tidyOrigin removes the bases of a VM that no linked clone needs any more. That it cannot be done now is told and no error:
// the deletion of the next clone finds them.
func (b *Backend) tidyOrigin(ctx context.Context, id backends.ID) {
	if err := b.removeBases(ctx, id); err != nil && backends.CodeOf(err) != backends.NotFound {
		backends.Warn(ctx, backends.Warning{
			Summary: backends.VMObject(string(id)) + " keeps for now the snapshot that linked clones shared",
			Detail:  "It is removed with the next linked clone that is deleted. What kept it: " + err.Error(),
		})
	}
}

func (b *Backend) removeBases(ctx context.Context, id backends.ID) error {
	const op = "remove the snapshot that linked clones shared"
	if b.links.pinned(id) {
		return nil // who makes a clone has the lock, and may be who calls
	}
	unlock, err := b.links.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	if b.links.pinned(id) {
		return nil // who makes it tidies
	}
	m, err := b.machine(ctx, id, op)
	if err != nil || m.Config == nil || m.Config.Template {
		return err
	}
	for _, s := range m.snapshots() {
		if !s.base() {
			continue
		}
		err := b.unshared(ctx, m, s, false, time.Now().Add(-sharersAge))
		if err == nil { // what was remembered may be older than a clone of somebody else
			err = b.unshared(ctx, m, s, false, time.Now())
		}
		if backends.CodeOf(err) == backends.Precondition {
			continue
		}
		if err == nil {
			err = b.removeSnapshot(ctx, m, s.Snapshot, op, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
