package vcsim

import (
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// CreateSnapshotTask takes a snapshot of a machine.
func (vm *VirtualMachine) CreateSnapshotTask(ctx *simulator.Context, req *types.CreateSnapshot_Task) soap.HasFault {
	ex := types.CreateSnapshotEx_Task{This: req.This, Name: req.Name, Description: req.Description, Memory: req.Memory}
	if req.Quiesce {
		ex.QuiesceSpec = &types.VirtualMachineGuestQuiesceSpec{}
	}
	return vm.server.start(ctx, vm.Self, "CreateSnapshot_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		return j.snapshot(vm.VirtualMachine, &ex)
	})
}

// CreateSnapshotExTask takes a snapshot of a machine.
func (vm *VirtualMachine) CreateSnapshotExTask(ctx *simulator.Context, req *types.CreateSnapshotEx_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "CreateSnapshotEx_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		return j.snapshot(vm.VirtualMachine, req)
	})
}

// snapshot takes a snapshot of a machine whose lock is held: the machine goes on
// with delta disks, and the snapshot keeps those that it had.
func (j *job) snapshot(vm *simulator.VirtualMachine, req *types.CreateSnapshotEx_Task) (types.AnyType, types.BaseMethodFault) {
	if vm.Config.Template {
		return nil, &types.NotSupported{}
	}
	running := vm.Runtime.PowerState == on
	for _, d := range disksOf(vm.Config.Hardware.Device) {
		if running && req.Memory && independent(d) {
			return nil, &types.MemorySnapshotOnIndependentDisk{}
		}
		if multiWriter(d) && !independent(d) {
			why := &types.DeviceNotSupported{Device: deviceLabel(d), Reason: "The disk is shared by several writers."}
			return nil, &types.SnapshotIncompatibleDeviceInVm{Fault: types.LocalizedMethodFault{Fault: why, LocalizedMessage: why.Reason}}
		}
	}
	// Without tools that run the API ignores that quiescing was asked for.
	quiesced := req.QuiesceSpec != nil && running && !req.Memory &&
		vm.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)

	ex := *req
	ex.Memory = req.Memory && vm.Runtime.PowerState != off
	ex.QuiesceSpec = nil
	if quiesced {
		ex.QuiesceSpec = req.QuiesceSpec
	}
	result, fault := j.step(vm.Self, func() soap.HasFault { return vm.CreateSnapshotExTask(j.Context, &ex) })
	if fault != nil {
		return nil, fault
	}
	ref, _ := result.(types.ManagedObjectReference)
	if snap, ok := j.Map.Get(ref).(*simulator.VirtualMachineSnapshot); ok {
		snap.Config = *copyConfig(vm.Config) // the simulator's copy shares pointers
	}
	if fault := j.putDeltas(vm); fault != nil {
		return nil, fault
	}
	j.refreshLayout(vm)
	return ref, nil
}

func deviceLabel(d *types.VirtualDisk) string {
	if d.DeviceInfo == nil {
		return ""
	}
	return d.DeviceInfo.GetDescription().Label
}

func independent(d *types.VirtualDisk) bool {
	b, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	return ok && strings.HasPrefix(b.DiskMode, "independent")
}

// putDeltas puts a delta disk on each disk of the machine that takes part in snapshots.
func (j *job) putDeltas(vm *simulator.VirtualMachine) (fault types.BaseMethodFault) {
	update(j.Context, vm, func() {
		devices := cloneDevices(vm.Config.Hardware.Device)
		for _, d := range disksOf(devices) {
			if independent(d) {
				continue
			}
			if fault = j.putDelta(vm, d, ""); fault != nil {
				return
			}
		}
		vm.Config.Hardware.Device = devices
	})
	return fault
}

// putDelta makes the disk a child of the file that it has, in a new file beside
// it, or in dir, a datastore path.
func (j *job) putDelta(vm *simulator.VirtualMachine, d *types.VirtualDisk, dir string) types.BaseMethodFault {
	b, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok {
		return &types.NotSupported{}
	}
	parent := j.server.diskFile(j.Context, vm, b.FileName)
	if dir == "" {
		dir = b.FileName
	}
	name := j.deltaName(vm, dir, b.FileName)
	file := j.server.diskFile(j.Context, vm, name)
	if file == "" {
		return &types.InvalidDatastorePath{DatastorePath: name}
	}
	if err := file.createDelta(parent); err != nil {
		return &types.FileNotFound{FileFault: types.FileFault{File: b.FileName}}
	}
	child := *b
	child.FileName = name
	if ds := j.server.datastoreOf(j.Context, vm, name); ds != nil {
		child.Datastore = &ds.Self
	}
	child.ThinProvisioned = types.NewBool(true)
	child.EagerlyScrub = nil
	child.Parent = b
	d.Backing = &child
	return nil
}

// deltaName returns the next free name of a delta of the disk, in the directory
// of the path beside.
func (j *job) deltaName(vm *simulator.VirtualMachine, beside, disk string) string {
	base := strings.TrimSuffix(path.Base(disk), ".vmdk")
	if i := len(base) - len("-000001"); i > 0 && base[i] == '-' && strings.Trim(base[i+1:], "0123456789") == "" {
		base = base[:i]
	}
	dir := path.Dir(beside)
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s/%s-%06d.vmdk", dir, base, n)
		if f := j.server.diskFile(j.Context, vm, name); f == "" || !f.exists() {
			return name
		}
	}
}

// refreshLayout brings what the machine shows of its files up to date.
func (j *job) refreshLayout(vm *simulator.VirtualMachine) {
	j.server.settle(j.Context, vm)
	update(j.Context, vm, func() {
		vm.Layout = deepCopy(reflect.ValueOf(vm.Layout)).Interface().(*types.VirtualMachineFileLayout)       //nolint:forcetypeassert // A copy.
		vm.LayoutEx = deepCopy(reflect.ValueOf(vm.LayoutEx)).Interface().(*types.VirtualMachineFileLayoutEx) //nolint:forcetypeassert // A copy.
		vm.RefreshStorageInfo(j.Context, nil)
		numberStates(vm)
	})
}

// numberStates lets the snapshots' layout name the files by their numbers, which change.
func numberStates(vm *simulator.VirtualMachine) {
	keys := map[string]int32{}
	for _, f := range vm.LayoutEx.File {
		keys[f.Name] = f.Key
	}
	for _, l := range vm.Layout.Snapshot {
		for i := range vm.LayoutEx.Snapshot {
			if key, ok := keys[stateFile(l)]; ok && vm.LayoutEx.Snapshot[i].Key == l.Key {
				vm.LayoutEx.Snapshot[i].DataKey = key
			}
		}
	}
}

// RenameSnapshot changes the name or the description of a snapshot.
func (s *Snapshot) RenameSnapshot(ctx *simulator.Context, req *types.RenameSnapshot) soap.HasFault {
	vm, ok := ctx.Map.Get(s.Vm).(*simulator.VirtualMachine)
	if !ok {
		return refusal(&types.ManagedObjectNotFound{Obj: s.Vm})
	}
	update(ctx, vm, func() {
		info := *vm.Snapshot
		info.RootSnapshotList = mapTree(info.RootSnapshotList, func(t *types.VirtualMachineSnapshotTree) bool {
			if t.Snapshot == s.Self {
				if req.Name != "" {
					t.Name = req.Name
				}
				if req.Description != "" {
					t.Description = req.Description
				}
			}
			return true
		})
		vm.Snapshot = &info
	})
	return &methods.RenameSnapshotBody{Res: new(types.RenameSnapshotResponse)}
}

// mapTree returns a copy of a tree that change was called for. Where it returns
// false, the children take the place of their parent.
func mapTree(tree []types.VirtualMachineSnapshotTree, change func(*types.VirtualMachineSnapshotTree) bool) []types.VirtualMachineSnapshotTree {
	var out []types.VirtualMachineSnapshotTree
	for _, t := range tree {
		keep := change(&t)
		t.ChildSnapshotList = mapTree(t.ChildSnapshotList, change)
		if keep {
			out = append(out, t)
		} else {
			out = append(out, t.ChildSnapshotList...)
		}
	}
	return out
}

// parentOf returns the snapshot that the one given follows, or nil.
func parentOf(tree []types.VirtualMachineSnapshotTree, ref types.ManagedObjectReference, parent *types.ManagedObjectReference) (*types.ManagedObjectReference, bool) {
	for _, t := range tree {
		if t.Snapshot == ref {
			return parent, true
		}
		if p, ok := parentOf(t.ChildSnapshotList, ref, &t.Snapshot); ok {
			return p, true
		}
	}
	return nil, false
}

// stateOf returns the power state that a snapshot keeps.
func stateOf(tree []types.VirtualMachineSnapshotTree, ref types.ManagedObjectReference) types.VirtualMachinePowerState {
	state := off
	mapTree(tree, func(t *types.VirtualMachineSnapshotTree) bool {
		if t.Snapshot == ref {
			state = t.State
		}
		return true
	})
	return state
}
