package vsphere

import (
	"context"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// CreateSnapshot takes a snapshot and returns its managed object id, also next to an error that came too late.
//
// vSphere would take a name twice, quiesce nothing where no tools run and leave the memory out where it cannot be had,
// without a word: all of that is refused here.
func (b *Backend) CreateSnapshot(ctx context.Context, id backends.ID, spec backends.SnapshotSpec) (string, error) {
	op := fmt.Sprintf("create snapshot %q", spec.Name)
	m, err := b.machine(ctx, id, op)
	if err != nil {
		return "", err
	}
	if err := m.canSnapshot(spec); err != nil {
		return "", backends.Wrap(err, op, m.object())
	}
	ref, err := b.takeSnapshot(ctx, m, op, spec)
	return ref.Value, err
}

// takeSnapshot takes a snapshot of what m says can have one. It comes also next to an error where it was taken all the same.
func (b *Backend) takeSnapshot(ctx context.Context, m *machine, op string, spec backends.SnapshotSpec) (types.ManagedObjectReference, error) {
	info, err := b.conn.Await(ctx, op, m.object(), func(ctx context.Context) (*object.Task, error) {
		return b.vm(m.id()).CreateSnapshot(ctx, escaped(spec.Name), spec.Description, spec.Memory, spec.Quiesce)
	})
	var ref types.ManagedObjectReference
	if info != nil {
		ref, _ = info.Result.(types.ManagedObjectReference)
	}
	if err == nil && ref.Value == "" {
		return ref, backends.Errorf(backends.Internal, op, m.object(), "vSphere answered %T in place of a snapshot", info.Result)
	}
	return ref, err
}

// canSnapshot says why a snapshot cannot be taken.
func (m *machine) canSnapshot(spec backends.SnapshotSpec) error {
	not := func(path backends.Path, format string, args ...any) *backends.Error {
		return backends.Errorf(backends.Precondition, "", "", format, args...).At(path)
	}
	switch {
	case spec.Name == "":
		return backends.Errorf(backends.Invalid, "", "", "a snapshot needs a name").At("name")
	case strings.HasPrefix(escaped(spec.Name), baseName):
		return backends.Errorf(backends.Invalid, "", "", "names that begin with %q are those of what linked clones share", baseName).At("name").
			Advise("Choose another name.")
	case m.snapshotNamed(spec.Name):
		return backends.Errorf(backends.Conflict, "", "", "the VM has a snapshot of this name").At("name").
			Advise("Choose another name, or delete that snapshot.")
	case spec.Memory && spec.Quiesce:
		return backends.Errorf(backends.Invalid, "", "", "with the memory there is nothing to quiesce: the guest goes on where it was").At("quiesce")
	}
	if err := m.whole(); err != nil {
		return err
	}
	running := m.power() == backends.Running
	switch {
	case m.Config.Template:
		return not("", "it is a template, which never changes")
	case m.power() == backends.Suspended:
		return not("", "the VM is suspended").Advise("Resume or stop the VM first.")
	case spec.Memory && !running:
		return not("memory", "the VM is %s, so its memory cannot be kept", m.power()).
			Advise("Start the VM, or take the snapshot without memory.")
	case spec.Quiesce && !running:
		return not("quiesce", "the VM is %s, so nobody can quiesce its file systems", m.power()).
			Advise("Start the VM, or take the snapshot without quiesce.")
	case spec.Quiesce && !m.toolsRun():
		return not("quiesce", "VMware Tools, which have to quiesce the file systems, do not run in the guest").
			Advise("Take the snapshot without quiesce, or install and start open-vm-tools in the guest.")
	case spec.Memory:
		return m.canKeepMemory()
	}
	return nil
}

// canKeepMemory refuses what a snapshot would leave out of, so that its memory would not fit the disks.
func (m *machine) canKeepMemory() error {
	for key, d := range m.diskDevices() {
		if independent(d) {
			return backends.Errorf(backends.Precondition, "", "",
				"disk %q is attached by volume, and a snapshot leaves such disks out: its content would not fit the memory", key).
				At("memory").Advise("Take the snapshot without memory, or detach that disk.")
		}
	}
	return nil
}

// independent reports whether snapshots leave a disk out.
func independent(d *types.VirtualDisk) bool {
	mode := ""
	switch b := d.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		mode = b.DiskMode
	case *types.VirtualDiskSeSparseBackingInfo:
		mode = b.DiskMode
	case *types.VirtualDiskSparseVer2BackingInfo:
		mode = b.DiskMode
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		mode = b.DiskMode
	}
	return strings.HasPrefix(mode, "independent")
}

func (m *machine) snapshotNamed(name string) bool {
	for _, s := range m.snapshots() {
		if plain(s.Name) == name {
			return true
		}
	}
	return false
}

// told refuses a VM of which vSphere knows nothing now: neither its disks nor its mark.
func (m *machine) told() error {
	if m.Config != nil {
		return nil
	}
	return backends.Errorf(backends.Precondition, "", "", "vSphere does not tell the VM's configuration now: it is %s", m.Runtime.ConnectionState).
		Advise("See that the VM's host answers and its datastore can be reached. A VM that is still being made is told in a while.")
}

// whole refuses a VM that is half-made or of which vSphere knows nothing now.
func (m *machine) whole() error {
	if err := m.told(); err != nil {
		return err
	}
	if m.mark != nil && m.mark.Partial {
		return backends.Errorf(backends.Precondition, "", "", "the VM is still being made, or its creation failed half-way").
			Advise("Delete the VM and create it again.")
	}
	return nil
}

// toolsRun reports whether VMware Tools answer in the guest.
func (m *machine) toolsRun() bool {
	return m.Guest != nil && m.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
}
