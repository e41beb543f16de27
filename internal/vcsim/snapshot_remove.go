package vcsim

import (
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// RemoveSnapshotTask removes a snapshot, with those that follow it if asked.
func (s *Snapshot) RemoveSnapshotTask(ctx *simulator.Context, req *types.RemoveSnapshot_Task) soap.HasFault {
	vm, ok := ctx.Map.Get(s.Vm).(*simulator.VirtualMachine)
	if !ok {
		return refusal(&types.ManagedObjectNotFound{Obj: s.Vm})
	}
	// The machine's lock is left alone: a task that holds it may wait for the lock of this snapshot, which the call holds.
	return s.server.start(ctx, s.Vm, "RemoveSnapshot_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if _, ok := j.Map.Get(s.Self).(*simulator.VirtualMachineSnapshot); !ok {
			return nil, &types.ManagedObjectNotFound{Obj: s.Self}
		}
		gone := []types.ManagedObjectReference{s.Self}
		if req.RemoveChildren {
			gone = below(vm.Snapshot.RootSnapshotList, s.Self)
		}
		return nil, j.removeSnapshots(vm, gone, req.Consolidate == nil || *req.Consolidate)
	})
}

// RemoveAllSnapshotsTask removes the machine's snapshots.
func (vm *VirtualMachine) RemoveAllSnapshotsTask(ctx *simulator.Context, req *types.RemoveAllSnapshots_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "RemoveAllSnapshots_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		var gone []types.ManagedObjectReference
		for _, snap := range snapshotsOf(j.Context, vm.VirtualMachine) {
			gone = append(gone, snap.Self)
		}
		return nil, j.removeSnapshots(vm.VirtualMachine, gone, req.Consolidate == nil || *req.Consolidate)
	})
}

// ConsolidateVMDisksTask writes what snapshots left behind back to the disks.
func (vm *VirtualMachine) ConsolidateVMDisksTask(ctx *simulator.Context, _ *types.ConsolidateVMDisks_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "ConsolidateVMDisks_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		return nil, j.consolidate(vm.VirtualMachine)
	})
}

// below returns a snapshot and those that follow it.
func below(tree []types.VirtualMachineSnapshotTree, ref types.ManagedObjectReference) []types.ManagedObjectReference {
	var list []types.ManagedObjectReference
	var walk func([]types.VirtualMachineSnapshotTree, bool)
	walk = func(tree []types.VirtualMachineSnapshotTree, in bool) {
		for _, t := range tree {
			here := in || t.Snapshot == ref
			if here {
				list = append(list, t.Snapshot)
			}
			walk(t.ChildSnapshotList, here)
		}
	}
	walk(tree, false)
	return list
}

// removeSnapshots removes snapshots of a machine whose lock is held. It removes
// none if another machine's disks are children of one of them.
func (j *job) removeSnapshots(vm *simulator.VirtualMachine, gone []types.ManagedObjectReference, consolidate bool) types.BaseMethodFault {
	var freed []diskFile
	for _, ref := range gone {
		snap, ok := j.Map.Get(ref).(*simulator.VirtualMachineSnapshot)
		if !ok {
			continue
		}
		for _, d := range disksOf(snap.Config.Hardware.Device) {
			f := j.server.diskFile(j.Context, vm, fileName(d))
			if f == "" {
				continue
			}
			if consolidate && len(j.server.users(f, vm.Self)) > 0 {
				return &types.FileLocked{FileFault: types.FileFault{File: fileName(d)}}
			}
			freed = append(freed, f)
		}
	}
	update(j.Context, vm, func() { j.cutTree(vm, gone) })
	for _, ref := range gone {
		j.Map.Remove(j.Context, ref)
	}
	held := j.server.held(j.Context, vm)
	for _, f := range freed {
		if f.exists() {
			j.deleteLayers(vm.Self, f, held) // what no other snapshot and not the machine goes on from
		}
	}
	if consolidate {
		return j.consolidate(vm)
	}
	update(j.Context, vm, func() {
		vm.Runtime.ConsolidationNeeded = j.server.surplus(j.Context, vm) != ""
		vm.Summary.Runtime = vm.Runtime
	})
	j.refreshLayout(vm)
	return nil
}

// cutTree takes snapshots out of the tree that the machine shows.
func (j *job) cutTree(vm *simulator.VirtualMachine, gone []types.ManagedObjectReference) {
	if vm.Snapshot == nil {
		return
	}
	info := *vm.Snapshot
	for info.CurrentSnapshot != nil && slices.Contains(gone, *info.CurrentSnapshot) {
		info.CurrentSnapshot, _ = parentOf(vm.Snapshot.RootSnapshotList, *info.CurrentSnapshot, nil)
	}
	info.RootSnapshotList = mapTree(info.RootSnapshotList, func(t *types.VirtualMachineSnapshotTree) bool {
		return !slices.Contains(gone, t.Snapshot)
	})
	vm.RootSnapshot = nil
	for _, t := range info.RootSnapshotList {
		vm.RootSnapshot = append(vm.RootSnapshot, t.Snapshot)
	}
	if vm.Snapshot = &info; len(info.RootSnapshotList) == 0 {
		vm.Snapshot = nil
	}
	layout, ex := *vm.Layout, *vm.LayoutEx
	layout.Snapshot = slices.DeleteFunc(slices.Clone(layout.Snapshot), func(l types.VirtualMachineFileLayoutSnapshotLayout) bool {
		if !slices.Contains(gone, l.Key) {
			return false
		}
		removeFile(string(j.server.diskFile(j.Context, vm, stateFile(l))))
		return true
	})
	ex.Snapshot = slices.DeleteFunc(slices.Clone(ex.Snapshot), func(l types.VirtualMachineFileLayoutExSnapshotLayout) bool {
		return slices.Contains(gone, l.Key)
	})
	vm.Layout, vm.LayoutEx = &layout, &ex
}

// stateFile returns the file that holds a snapshot's state.
func stateFile(l types.VirtualMachineFileLayoutSnapshotLayout) string {
	for _, name := range l.SnapshotFile {
		if strings.HasSuffix(name, ".vmsn") {
			return name
		}
	}
	return ""
}

// surplus returns a layer of the machine's disks that neither the machine nor a
// snapshot names, and whose child can be written to it; or "".
func (s *Server) surplus(ctx *simulator.Context, vm *simulator.VirtualMachine) (child diskFile) {
	held := s.held(ctx, vm)
	children := map[diskFile][]diskFile{}
	for f := range held {
		for _, layer := range f.chain() {
			if p := layer.parent(); p != "" && !slices.Contains(children[p], layer) {
				children[p] = append(children[p], layer)
			}
		}
	}
	for p, list := range children {
		if !held[p] && len(list) == 1 && len(s.users(p, vm.Self)) == 0 {
			return list[0]
		}
	}
	return ""
}

// consolidate merges layers that nothing names any more, and lets the machine
// and the snapshots that had the child go on from the merged file.
func (j *job) consolidate(vm *simulator.VirtualMachine) types.BaseMethodFault {
	for {
		child := j.server.surplus(j.Context, vm)
		if child == "" {
			break
		}
		parent := child.parent()
		if err := child.mergeDown(); err != nil {
			return &types.CannotAccessFile{FileFault: types.FileFault{File: string(child)}}
		}
		j.server.reparent(j.Context, vm, child, parent)
		j.server.count(j.Context, child)
		j.server.count(j.Context, parent)
	}
	update(j.Context, vm, func() {
		vm.Runtime.ConsolidationNeeded = false
		vm.Summary.Runtime = vm.Runtime
	})
	j.refreshLayout(vm)
	return nil
}

// reparent lets what named a file name another, and its children too.
func (s *Server) reparent(ctx *simulator.Context, vm *simulator.VirtualMachine, old, now diskFile) {
	for _, f := range append(snapshotFiles(s.held(ctx, vm)), old) {
		for _, layer := range f.chain() {
			if layer.parent() == old {
				_ = layer.setParent(now)
			}
		}
	}
	rename := func(devices []types.BaseVirtualDevice) {
		for _, d := range disksOf(devices) {
			f := s.diskFile(ctx, vm, fileName(d))
			if f == old {
				f = now
			}
			s.describe(ctx, d, f)
		}
	}
	update(ctx, vm, func() {
		devices := cloneDevices(vm.Config.Hardware.Device)
		rename(devices)
		vm.Config.Hardware.Device = devices
	})
	for _, snap := range snapshotsOf(ctx, vm) {
		update(ctx, snap, func() {
			devices := cloneDevices(snap.Config.Hardware.Device)
			rename(devices)
			snap.Config.Hardware.Device = devices
		})
	}
}

func snapshotFiles(held map[diskFile]bool) []diskFile {
	files := make([]diskFile, 0, len(held))
	for f := range held {
		files = append(files, f)
	}
	return files
}

// describe sets the backing of a disk to a file and its parents.
func (s *Server) describe(ctx *simulator.Context, d *types.VirtualDisk, f diskFile) {
	b, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	name, ds := nameOf(ctx, allDatastores(ctx), f)
	if !ok || ds == nil {
		return
	}
	ref := ds.Self
	b.FileName, b.Datastore, b.Parent = name, &ref, s.parentBacking(ctx, f)
	if b.Parent == nil {
		b.ThinProvisioned = types.NewBool(f.ddb(ddbThin) != "")
	}
}
