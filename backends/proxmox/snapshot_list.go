package proxmox

import (
	"context"
	"fmt"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// ListSnapshots returns a VM's snapshots, parents before children, in one call. What they take is not told by Proxmox VE.
func (b *Backend) ListSnapshots(ctx context.Context, id backends.ID) ([]backends.Snapshot, error) {
	const op = "list snapshots"
	var rows []snapshotRow
	var vmid int64
	err := b.on(ctx, id, func(node string, number int64) error {
		vmid = number
		return b.conn.Get(ctx, pve.Path("nodes", node, "qemu", vmid, "snapshot"), nil, &rows)
	})
	if err != nil {
		return nil, fault.Wrap(err, op, backends.VMObject(string(id)))
	}
	l := orderSnapshots(rows)
	list := []backends.Snapshot{}
	for i := range l.rows {
		list = append(list, l.rows[i].tell(vmid, l.current))
	}
	return list, nil
}

func (r *snapshotRow) tell(vmid int64, current string) backends.Snapshot {
	s := backends.Snapshot{
		ID: string(r.Name), Name: string(r.Name), Parent: string(r.Parent), CreatedAt: time.Unix(int64(r.Time), 0).UTC(),
		Memory: bool(r.VMState), Current: string(r.Name) == current, SizeBytes: -1, Power: backends.Stopped,
	}
	if s.Memory {
		s.Power = backends.Running
	}
	var m *mark
	// A comment that cannot be read is shown: it does no harm here.
	if m, s.Description, _ = readMark(string(r.Description), vmid); m != nil {
		s.Quiesced = m.Quiesced
	}
	return s
}

// onSnapshot reads a VM and finds a snapshot of it, for who has the turn with the VM until done is called. The operation
// that it returns names the snapshot.
func (b *Backend) onSnapshot(ctx context.Context, id backends.ID, name, verb string, f func(m *machine, l snapshotList, s *snapshotRow) error) error {
	op, object := fmt.Sprintf("%s snapshot %q", verb, name), backends.VMObject(string(id))
	vmid, err := vmidOf(id)
	if err != nil {
		return fault.Wrap(err, op, object)
	}
	done, err := b.turns.take(ctx, vmid)
	if err != nil {
		return fault.Wrap(err, op, object)
	}
	defer done()
	m, err := b.machine(ctx, id)
	if err != nil {
		return fault.Wrap(err, op, object)
	}
	l, err := b.snapshots(ctx, m)
	if err != nil {
		return fault.Wrap(err, op, m.object())
	}
	s := l.find(name)
	if s == nil {
		return fault.Wrap(noSnapshot(name), op, m.object())
	}
	err = f(m, l, s)
	if err != nil && backends.CodeOf(err) != backends.Canceled {
		// Somebody else may have removed it meanwhile.
		if now, listErr := b.snapshots(ctx, m); listErr == nil && now.find(name) == nil {
			err = noSnapshot(name)
		}
	}
	return fault.Wrap(b.nameHolder(ctx, id, err), op, m.object())
}

func noSnapshot(name string) error {
	return backends.Errorf(backends.NotFound, "", "", "the VM has no snapshot with the id %q", name)
}

// DescribeSnapshot changes a snapshot's description. The mark in it stays.
func (b *Backend) DescribeSnapshot(ctx context.Context, id backends.ID, snapshot, description string) error {
	return b.onSnapshot(ctx, id, snapshot, "describe", func(m *machine, _ snapshotList, s *snapshotRow) error {
		k, _, err := readMark(string(s.Description), m.hardware.VMID)
		if err != nil {
			return &backends.Error{Code: backends.Internal, Err: err}
		}
		text := description
		if k != nil {
			if text, err = k.trail(description); err != nil {
				return err
			}
		}
		return pve.WhileLocked(ctx, func() error {
			return b.conn.Put(ctx, m.snapshotPath(snapshot, "config"), map[string]any{"description": text}, nil)
		})
	})
}

// DeleteSnapshot removes one snapshot, with its descendants if children: Proxmox VE removes one at a time, so the youngest go first.
func (b *Backend) DeleteSnapshot(ctx context.Context, id backends.ID, snapshot string, children bool) error {
	return b.onSnapshot(ctx, id, snapshot, "delete", func(m *machine, l snapshotList, _ *snapshotRow) error {
		names := []string{snapshot}
		if children {
			names = l.below(snapshot)
		}
		return b.dropSnapshots(ctx, m, l, names)
	})
}

// below are a snapshot and its descendants, children before parents.
func (l snapshotList) below(name string) []string {
	in, names := map[pve.Text]bool{pve.Text(name): true}, []string{}
	for _, r := range l.rows {
		if in[r.Name] = in[r.Name] || in[r.Parent]; in[r.Name] {
			names = append([]string{string(r.Name)}, names...)
		}
	}
	return names
}

// dropSnapshots deletes snapshots of a list. What is left of one that was broken off, disks that have no part of it do not hold.
func (b *Backend) dropSnapshots(ctx context.Context, m *machine, l snapshotList, names []string) error {
	for _, name := range names {
		var form map[string]any
		if s := l.find(name); s != nil && s.State != "" {
			form = map[string]any{"force": true}
		}
		err := pve.WhileLocked(ctx, func() error {
			_, err := b.conn.Task(ctx, "delete a snapshot", m.object(), "DELETE", m.snapshotPath(name), form)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
