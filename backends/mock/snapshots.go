package mock

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// snapshot is one snapshot of a VM: its configuration and its own disks as they
// were. Disks attached by Volume are in Spec only.
type snapshot struct {
	ID, Name, Description, Parent string
	CreatedAt                     time.Time
	Memory, Quiesced              bool
	Power                         backends.PowerState // that a revert leaves the VM in
	Spec                          backends.VMSpec
	Active                        *backends.VMSpec
	Guest                         string
	Disks                         map[string]disk
}

// spend adds what a snapshot takes: a layer of each disk, and the memory on the
// storage of the first one.
func (s *snapshot) spend(used map[string]int64) {
	home := value(or(s.Spec.Placement.Storage, storages[0].Name))
	for i, key := range sortedKeys(s.Disks) {
		storage := value(s.Spec.Disks[key].Storage)
		used[storage] += layer(s.Disks[key].Bytes)
		if i == 0 {
			home = storage
		}
	}
	if s.Memory {
		used[home] += value(s.Spec.Memory.SizeMiB) * mib
	}
}

func (s *snapshot) size() (total int64) {
	used := map[string]int64{}
	s.spend(used)
	for _, n := range used {
		total += n
	}
	return total
}

func (s *snapshot) tell(current bool) backends.Snapshot {
	return backends.Snapshot{
		ID: s.ID, Name: s.Name, Description: s.Description, Parent: s.Parent, CreatedAt: s.CreatedAt,
		Memory: s.Memory, Quiesced: s.Quiesced, Current: current, SizeBytes: s.size(), Power: s.Power,
	}
}

// snapshot finds a snapshot by id.
func (m *machine) snapshot(id string) *snapshot {
	for i := range m.Snapshots {
		if m.Snapshots[i].ID == id {
			return &m.Snapshots[i]
		}
	}
	return nil
}

func (m *machine) snapshotNames() string {
	names := make([]string, len(m.Snapshots))
	for i, s := range m.Snapshots {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}

func noSnapshot(m *machine, id string) error {
	return backends.Errorf(backends.NotFound, "", "", "VM %q has no snapshot with the id %q", m.Spec.Name, id)
}

// CreateSnapshot takes a snapshot.
func (b *Backend) CreateSnapshot(ctx context.Context, id backends.ID, spec backends.SnapshotSpec) (string, error) {
	op := fmt.Sprintf("create snapshot %q", spec.Name)
	c, err := b.onVM(id, "CreateSnapshot", "", op)
	if err != nil {
		return "", err
	}
	needs := []backends.Feature{backends.FeatureSnapshotCreate}
	if spec.Memory {
		needs = append(needs, backends.FeatureSnapshotMemory)
	}
	if spec.Quiesce {
		needs = append(needs, backends.FeatureSnapshotQuiesce)
	}
	for _, f := range needs {
		if err := b.catalogue.Require(f, op, c.object); err != nil {
			return "", err
		}
	}
	var made string
	err = b.write(ctx, c, func(w *world) error {
		m, err := w.edit(id)
		if err != nil {
			return err
		}
		if err := b.canSnapshot(m, spec); err != nil {
			return err
		}
		m.Taken++
		s := m.freeze(spec)
		s.CreatedAt = stamp(b.clock.Now())
		m.Snapshots = append(m.Snapshots, s)
		m.Current = s.ID
		if err := w.room(m); err != nil {
			return err
		}
		w.put(m)
		made = s.ID
		return nil
	})
	if err != nil {
		return "", err
	}
	return made, nil
}

// canSnapshot checks what a snapshot asks for against the state of the VM.
func (b *Backend) canSnapshot(m *machine, spec backends.SnapshotSpec) error {
	not := func(path backends.Path, format string, args ...any) *backends.Error {
		return refusal(backends.Precondition, path, format, args...)
	}
	running := m.Power == backends.Running
	switch {
	case spec.Name == "":
		return refusal(backends.Invalid, "name", "a snapshot needs a name")
	case slices.ContainsFunc(m.Snapshots, func(s snapshot) bool { return s.Name == spec.Name }):
		return refusal(backends.Conflict, "name", "the VM has a snapshot of this name").Advise("Choose another name, or delete that snapshot.")
	case spec.Memory && spec.Quiesce:
		return refusal(backends.Invalid, "quiesce", "with the memory there is nothing to quiesce: the guest goes on where it was")
	case m.Partial:
		return not("", "its creation did not end").Advise("Delete the VM and create it again.")
	case m.Template:
		return not("", "it is a template, which never changes")
	case m.Power == backends.Suspended:
		return not("", "the VM is suspended").Advise("Resume or stop the VM first.")
	case spec.Memory && !running:
		return not("memory", "the VM is %s, so its memory cannot be kept", m.Power).
			Advise("Start the VM, or take the snapshot without memory.")
	case spec.Quiesce && !running:
		return not("quiesce", "the VM is %s, so no agent can quiesce its file systems", m.Power).
			Advise("Start the VM, or take the snapshot without quiesce.")
	case spec.Quiesce && !b.answers(m):
		return not("quiesce", "the guest agent, which has to quiesce the file systems, does not answer").
			Advise("Take the snapshot without quiesce, or start the agent in the guest.")
	}
	if !spec.Memory {
		return nil
	}
	for _, key := range sortedKeys(m.Disks) {
		if !m.Disks[key].Owned {
			return not("memory", "disk %q is attached by volume, and a snapshot leaves such disks out: its content would not fit the memory", key).
				Advise("Take the snapshot without memory, or detach that disk.")
		}
	}
	return nil
}

// freeze makes a snapshot of what a VM is now.
func (m *machine) freeze(spec backends.SnapshotSpec) snapshot {
	s := snapshot{
		ID: fmt.Sprintf("snapshot-%d", m.Taken), Name: spec.Name, Description: spec.Description, Parent: m.Current,
		Memory: spec.Memory, Quiesced: spec.Quiesce, Power: backends.Stopped,
		Spec: clone(m.Spec), Guest: m.Guest, Disks: map[string]disk{},
	}
	for key, d := range m.Disks {
		if d.Owned {
			s.Disks[key] = clone(d)
		}
	}
	if spec.Memory {
		s.Power, s.Active = m.Power, clone(m.Active)
	}
	return s
}

// ListSnapshots returns a VM's snapshots, parents before children.
func (b *Backend) ListSnapshots(ctx context.Context, id backends.ID) ([]backends.Snapshot, error) {
	const op = "list snapshots"
	c, err := b.onVM(id, "ListSnapshots", "", op)
	if err != nil {
		return nil, err
	}
	if err := b.catalogue.Require(backends.FeatureSnapshotCreate, op, c.object); err != nil {
		return nil, err
	}
	if err := b.read(ctx, "ListSnapshots", op, c.object, c.names...); err != nil {
		return nil, err
	}
	all := []backends.Snapshot{}
	err = b.store.view(func(w *world) error {
		m := w.Machines[id]
		if m == nil {
			return noVM(id)
		}
		for i := range m.Snapshots {
			s := &m.Snapshots[i]
			all = append(all, s.tell(s.ID == m.Current))
		}
		return nil
	})
	if err != nil {
		return nil, backends.Wrap(err, op, c.object)
	}
	return all, nil
}

// RevertSnapshot returns a VM to a snapshot: its configuration except for its
// name, place and settings, the content of its disks, and its power state.
// Disks that came since then go, except for those to be kept; what is gone of what
// it had then but did not own (disks attached by Volume, an ISO) stays away.
func (b *Backend) RevertSnapshot(ctx context.Context, id backends.ID, snapshotID string) error {
	c, err := b.onSnapshot(id, snapshotID, "RevertSnapshot", "revert to", backends.FeatureSnapshotRevert)
	if err != nil {
		return err
	}
	return b.write(ctx, c, func(w *world) error {
		before := w.Machines[id]
		m, err := w.edit(id)
		if err != nil {
			return err
		}
		s := m.snapshot(snapshotID)
		if s == nil {
			return noSnapshot(m, snapshotID)
		}
		if err := w.restore(m, clone(*s)); err != nil {
			return err
		}
		if err := b.complete(w, m, &backends.VMSpec{}, nil); err != nil {
			return err
		}
		if m.Power != backends.Stopped {
			if err := w.checkHost(m, m.Host); err != nil {
				return err
			}
			b.lease(w, m)
			m.Started = stamp(b.clock.Now())
		}
		for key, d := range before.Disks {
			if _, stays := s.Disks[key]; !stays && d.Owned && value(before.Spec.Disks[key].KeepOnDestroy) {
				w.release(before, key)
			}
		}
		b.attach(w, before, m)
		w.put(m)
		return nil
	})
}

// restore gives a machine what a snapshot holds.
func (w *world) restore(m *machine, s snapshot) error {
	s.Spec.Name, s.Spec.Settings, s.Spec.Placement = m.Spec.Name, m.Spec.Settings, m.Spec.Placement
	if cd := s.Spec.CDROM; cd != nil && cd.ISO != "" && w.findImage(cd.ISO) == nil { // it is no more
		s.Spec.CDROM = &backends.CDROM{}
	}
	for key, spec := range s.Spec.Disks {
		d, own := s.Disks[key]
		if own {
			if w.Volumes[d.Volume] != nil { // it was kept and has a life of its own now
				d.Volume = w.newVolumeID(value(spec.Storage), string(m.ID)+"-"+key)
				d.Path = "/mock/" + d.Volume + "." + value(spec.Format)
				s.Disks[key] = d
			}
			continue
		}
		v := w.Volumes[value(spec.Volume)]
		if v == nil { // it is no more
			delete(s.Spec.Disks, key)
			continue
		}
		if other := w.rival(v, m.ID, value(spec.Shared)); other != nil {
			return refusal(backends.Precondition, backends.Path("disks").Key(key).Attr("volume"),
				"disk %q, which the VM had then, is attached to VM %q now", v.Name, other.Spec.Name).
				Advise("Detach it from that VM first.")
		}
		spec.SizeGiB = nil // as it is now
		s.Spec.Disks[key] = spec
	}
	m.Spec, m.Active, m.Disks, m.Guest = s.Spec, s.Active, s.Disks, s.Guest
	m.Power, m.Current = s.Power, s.ID
	if m.Disks == nil {
		m.Disks = map[string]disk{}
	}
	return nil
}

// DescribeSnapshot changes a snapshot's description.
func (b *Backend) DescribeSnapshot(ctx context.Context, id backends.ID, snapshotID, description string) error {
	c, err := b.onSnapshot(id, snapshotID, "DescribeSnapshot", "describe", backends.FeatureSnapshotCreate)
	if err != nil {
		return err
	}
	return b.write(ctx, c, func(w *world) error {
		m, err := w.edit(id)
		if err != nil {
			return err
		}
		s := m.snapshot(snapshotID)
		if s == nil {
			return noSnapshot(m, snapshotID)
		}
		s.Description = description
		w.put(m)
		return nil
	})
}

// DeleteSnapshot removes a snapshot. Its children become its parent's.
func (b *Backend) DeleteSnapshot(ctx context.Context, id backends.ID, snapshotID string, children bool) error {
	c, err := b.onSnapshot(id, snapshotID, "DeleteSnapshot", "delete", backends.FeatureSnapshotDelete)
	if err != nil {
		return err
	}
	return b.write(ctx, c, func(w *world) error {
		m, err := w.edit(id)
		if err != nil {
			return err
		}
		s := m.snapshot(snapshotID)
		if s == nil {
			return noSnapshot(m, snapshotID)
		}
		parent := s.Parent
		gone := map[string]bool{snapshotID: true}
		for i := range m.Snapshots { // parents come before children
			child := &m.Snapshots[i]
			switch {
			case !gone[child.Parent]:
			case children:
				gone[child.ID] = true
			default:
				child.Parent = parent
			}
		}
		if gone[m.Current] {
			m.Current = parent
		}
		m.Snapshots = slices.DeleteFunc(m.Snapshots, func(s snapshot) bool { return gone[s.ID] })
		w.put(m)
		return nil
	})
}

// onSnapshot makes the call of a method on one snapshot, which it names.
func (b *Backend) onSnapshot(id backends.ID, snapshotID, method, verb string, f backends.Feature) (call, error) {
	c, err := b.onVM(id, method, "", verb+" a snapshot")
	if err != nil {
		return c, err
	}
	if err := b.catalogue.Require(f, c.op, c.object); err != nil {
		return c, err
	}
	err = b.store.view(func(w *world) error {
		m := w.Machines[id]
		if m == nil {
			return noVM(id)
		}
		s := m.snapshot(snapshotID)
		if s == nil {
			return noSnapshot(m, snapshotID)
		}
		c.op = fmt.Sprintf("%s snapshot %q", verb, s.Name)
		return nil
	})
	return c, backends.Wrap(err, c.op, c.object)
}
