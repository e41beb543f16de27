package vsphere

import (
	"context"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// snapshot is one node of a VM's tree of snapshots.
type snapshot struct {
	types.VirtualMachineSnapshotTree
	up *snapshot // its parent, nil for a root
}

func (s *snapshot) id() string { return s.Snapshot.Value }

// base reports whether linked clones were made of it by this driver. Their users do not see it.
func (s *snapshot) base() bool { return strings.HasPrefix(s.Name, baseName) }

// visible returns the snapshot, or else its nearest ancestor, that users see; nil where there is none.
func (s *snapshot) visible() *snapshot {
	for s != nil && s.base() {
		s = s.up
	}
	return s
}

// snapshots are the VM's snapshots, parents before children.
func (m *machine) snapshots() []*snapshot {
	if m.Snapshot == nil {
		return nil
	}
	var all []*snapshot
	var walk func(list []types.VirtualMachineSnapshotTree, up *snapshot)
	walk = func(list []types.VirtualMachineSnapshotTree, up *snapshot) {
		for _, tree := range list {
			s := &snapshot{VirtualMachineSnapshotTree: tree, up: up}
			all = append(all, s)
			walk(tree.ChildSnapshotList, s)
		}
	}
	walk(m.Snapshot.RootSnapshotList, nil)
	return all
}

// current is the snapshot that the VM's present state was made from, nil where there is none.
func (m *machine) current() *snapshot {
	if m.Snapshot == nil || m.Snapshot.CurrentSnapshot == nil {
		return nil
	}
	for _, s := range m.snapshots() {
		if s.Snapshot == *m.Snapshot.CurrentSnapshot {
			return s
		}
	}
	return nil
}

// findSnapshot finds one by id. None is a NotFound without an operation.
func (m *machine) findSnapshot(id string) (*snapshot, error) {
	for _, s := range m.snapshots() {
		if s.id() == id && !s.base() {
			return s, nil
		}
	}
	return nil, backends.Errorf(backends.NotFound, "", "", "the VM has no snapshot with the id %q", id)
}

// power is the state that a revert leaves a VM in. vSphere notes a state other than off where it kept the memory.
func (s *snapshot) power() backends.PowerState {
	switch s.State {
	case types.VirtualMachinePowerStatePoweredOn:
		return backends.Running
	case types.VirtualMachinePowerStateSuspended:
		return backends.Suspended
	case types.VirtualMachinePowerStatePoweredOff:
	}
	return backends.Stopped
}

func (s *snapshot) tell(current bool, size int64) backends.Snapshot {
	told := backends.Snapshot{
		ID: s.id(), Name: plain(s.Name), Description: s.Description, CreatedAt: s.CreateTime,
		Memory: s.power() != backends.Stopped, Quiesced: s.Quiesced, Current: current, SizeBytes: size, Power: s.power(),
	}
	if told.Description == noDescription {
		told.Description = ""
	}
	if parent := s.up.visible(); parent != nil {
		told.Parent = parent.id()
	}
	return told
}

// ListSnapshots returns a VM's snapshots, parents before children, in one call. A snapshot's size is that of its own
// files and of what was written since.
func (b *Backend) ListSnapshots(ctx context.Context, id backends.ID) ([]backends.Snapshot, error) {
	const op = "list snapshots"
	m, err := b.snapshotted(ctx, id, op)
	if err != nil {
		return nil, err
	}
	now := m.current()
	seen := now.visible()
	list := []backends.Snapshot{}
	for _, s := range m.snapshots() {
		if !s.base() {
			list = append(list, s.tell(seen != nil && s.Snapshot == seen.Snapshot, m.sizeOf(s, now)))
		}
	}
	return list, nil
}

// snapshotted reads what of a VM its snapshots are told from.
func (b *Backend) snapshotted(ctx context.Context, id backends.ID, op string) (*machine, error) {
	vms, gone, err := b.retrieve(ctx, []backends.ID{id}, []string{"name", "snapshot", "layoutEx"})
	switch {
	case err != nil:
		return nil, fault.Wrap(err, op, backends.VMObject(string(id)))
	case gone != "" || len(vms) == 0:
		return nil, backends.Wrap(missing(id).err, op, backends.VMObject(string(id)))
	}
	m := &machine{VirtualMachine: vms[0]}
	m.Name = plain(m.Name)
	return m, nil
}

// sizeOf is what a snapshot takes beside the VM, -1 where vSphere does not tell.
func (m *machine) sizeOf(s, now *snapshot) int64 {
	if m.LayoutEx == nil {
		return -1
	}
	var parent *types.ManagedObjectReference
	if s.up != nil {
		parent = &s.up.Snapshot
	}
	return int64(object.SnapshotSize(s.Snapshot, parent, m.LayoutEx, now != nil && s.Snapshot == now.Snapshot))
}
