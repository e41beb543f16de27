package vcsim

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// RelocateVMTask moves a machine: to another host, pool or folder, and its files.
func (vm *VirtualMachine) RelocateVMTask(ctx *simulator.Context, req *types.RelocateVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "RelocateVM_Task", cancelable, func(j *job) (types.AnyType, types.BaseMethodFault) {
		fault := j.relocate(vm.VirtualMachine, &req.Spec)
		if fault == nil {
			j.server.associateMove(vm.Self, &req.Spec)
		}
		return nil, fault
	})
}

// MigrateVMTask moves a machine to another host or pool.
func (vm *VirtualMachine) MigrateVMTask(ctx *simulator.Context, req *types.MigrateVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "MigrateVM_Task", cancelable, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if req.State != "" && req.State != vm.Runtime.PowerState {
			return nil, wrongState(vm.VirtualMachine, req.State)
		}
		return nil, j.relocate(vm.VirtualMachine, &types.VirtualMachineRelocateSpec{Host: req.Host, Pool: req.Pool})
	})
}

// relocate moves a machine whose lock is held.
func (j *job) relocate(vm *simulator.VirtualMachine, spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	e := vmEvent(j.Context, vm)
	if fault := j.moveFiles(vm, spec); fault != nil {
		return fault
	}
	j.moveCompute(vm, spec)
	if ref := spec.Folder; ref != nil && (vm.Parent == nil || *vm.Parent != *ref) {
		folder, ok := j.Map.Get(*ref).(*simulator.Folder)
		if !ok {
			return &types.ManagedObjectNotFound{Obj: *ref}
		}
		var fault types.BaseMethodFault
		j.WithLock(folder, func() {
			_, fault = j.step(folder.Self, func() soap.HasFault {
				return folder.MoveIntoFolderTask(j.Context, &types.MoveIntoFolder_Task{This: folder.Self, List: []types.ManagedObjectReference{vm.Self}})
			})
		})
		if fault != nil {
			return fault
		}
	}
	if len(spec.DeviceChange) > 0 {
		if fault := j.reconfigure(vm, &types.VirtualMachineConfigSpec{DeviceChange: spec.DeviceChange}); fault != nil {
			return fault
		}
	}
	j.refreshLayout(vm)
	post(j.Context, &types.VmMigratedEvent{
		VmEvent: vmEvent(j.Context, vm), SourceHost: *e.Host, SourceDatastore: e.Ds, SourceDatacenter: e.Datacenter,
	})
	return nil
}

// moveCompute changes the host and the pool of a machine.
func (j *job) moveCompute(vm *simulator.VirtualMachine, spec *types.VirtualMachineRelocateSpec) {
	host, pool := spec.Host, spec.Pool
	if host == nil && pool != nil {
		host = j.hostOf(vm, *pool)
	}
	if host != nil && *host != *vm.Runtime.Host {
		if old, ok := j.Map.Get(*vm.Runtime.Host).(*simulator.HostSystem); ok {
			j.Map.RemoveReference(j.Context, old, &old.Vm, vm.Self)
		}
		if h, ok := j.Map.Get(*host).(*simulator.HostSystem); ok {
			j.Map.AddReference(j.Context, h, &h.Vm, vm.Self)
		}
		if pool == nil {
			if root := rootPool(j.Context, *host); vm.ResourcePool != nil && root != nil && ownerOf(j.Context, *root) != ownerOf(j.Context, *vm.ResourcePool) {
				pool = root
			}
		}
		update(j.Context, vm, func() {
			vm.Runtime.Host = host
			vm.Summary.Runtime = vm.Runtime
		})
	}
	if pool != nil && vm.ResourcePool != nil && *pool != *vm.ResourcePool {
		if old, ok := j.Map.Get(*vm.ResourcePool).(*simulator.ResourcePool); ok {
			j.Map.RemoveReference(j.Context, old, &old.Vm, vm.Self)
		}
		if p, ok := j.Map.Get(*pool).(*simulator.ResourcePool); ok {
			j.Map.AddReference(j.Context, p, &p.Vm, vm.Self)
		}
		update(j.Context, vm, func() { vm.ResourcePool = pool })
	}
}

// hostOf returns a host of the pool's compute resource, or nil if the machine's is one.
func (j *job) hostOf(vm *simulator.VirtualMachine, pool types.ManagedObjectReference) *types.ManagedObjectReference {
	owner := ownerOf(j.Context, pool)
	for _, e := range j.Map.All("HostSystem") {
		h, ok := e.(*simulator.HostSystem)
		if !ok || h.Parent == nil || *h.Parent != owner {
			continue
		}
		if h.Self == *vm.Runtime.Host {
			return nil
		}
	}
	var hosts []types.ManagedObjectReference
	for _, e := range j.Map.All("HostSystem") {
		if h, ok := e.(*simulator.HostSystem); ok && h.Parent != nil && *h.Parent == owner && slices.Contains(h.Datastore, vm.Datastore[0]) {
			hosts = append(hosts, h.Self)
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	slices.SortFunc(hosts, func(a, b types.ManagedObjectReference) int { return strings.Compare(a.Value, b.Value) })
	return &hosts[0]
}

// moveFiles moves the machine's own files and disks to other datastores.
func (j *job) moveFiles(vm *simulator.VirtualMachine, spec *types.VirtualMachineRelocateSpec) (fault types.BaseMethodFault) {
	moves := &moving{job: j, vm: vm, spec: spec, moved: map[diskFile]diskFile{}}
	if fault = moves.plan(); fault != nil || len(moves.files) == 0 && moves.home == nil {
		return fault
	}
	if fault = moves.room(); fault != nil {
		return fault
	}
	if j.canceled() {
		return &types.RequestCanceled{}
	}
	if fault = moves.run(); fault != nil {
		return fault
	}
	rename := func(devices []types.BaseVirtualDevice) []types.BaseVirtualDevice {
		devices = cloneDevices(devices)
		for _, d := range disksOf(devices) {
			f := j.server.diskFile(j.Context, vm, fileName(d))
			if to, ok := moves.moved[f]; ok {
				f = to
			}
			j.server.describe(j.Context, d, f)
		}
		return devices
	}
	for _, snap := range snapshotsOf(j.Context, vm) {
		update(j.Context, snap, func() { snap.Config.Hardware.Device = rename(snap.Config.Hardware.Device) })
	}
	update(j.Context, vm, func() {
		vm.Config.Hardware.Device = rename(vm.Config.Hardware.Device)
		if moves.home != nil {
			j.rehome(vm, moves.home)
		}
		vm.Datastore = j.datastoresIn(vm)
	})
	for from, to := range moves.moved {
		j.server.count(j.Context, from)
		j.server.count(j.Context, to)
	}
	return nil
}

// datastoresIn returns the datastores that the machine has files on, and lets
// them know it.
func (j *job) datastoresIn(vm *simulator.VirtualMachine) []types.ManagedObjectReference {
	names := []string{vm.Config.Files.VmPathName}
	for _, d := range disksOf(vm.Config.Hardware.Device) {
		names = append(names, fileName(d))
	}
	var refs []types.ManagedObjectReference
	for _, n := range names {
		if ds := j.server.datastoreOf(j.Context, vm, n); ds != nil && !slices.Contains(refs, ds.Self) {
			refs = append(refs, ds.Self)
			j.Map.AddReference(j.Context, ds, &ds.Vm, vm.Self)
		}
	}
	for _, old := range vm.Datastore {
		if ds, ok := j.Map.Get(old).(*simulator.Datastore); ok && !slices.Contains(refs, old) {
			j.Map.RemoveReference(j.Context, ds, &ds.Vm, vm.Self)
		}
	}
	return refs
}

// rehome moves the files that the machine has beside its disks.
func (j *job) rehome(vm *simulator.VirtualMachine, ds *simulator.Datastore) {
	var p object.DatastorePath
	p.FromString(vm.Config.Files.VmPathName)
	from := filepath.Dir(string(j.server.diskFile(j.Context, vm, vm.Config.Files.VmPathName)))
	to := filepath.Join(ds.Summary.Url, path.Dir(p.Path))
	moveOwn(from, to)
	p.Datastore = ds.Name
	dir := (&object.DatastorePath{Datastore: ds.Name, Path: path.Dir(p.Path)}).String()
	vm.Config.Files.VmPathName = p.String()
	vm.Config.Files.SnapshotDirectory, vm.Config.Files.SuspendDirectory, vm.Config.Files.LogDirectory = dir, dir, dir
	vm.Summary.Config.VmPathName = p.String()
}
