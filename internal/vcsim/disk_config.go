package vcsim

import (
	"reflect"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// CreateVMTask makes a machine.
func (f *Folder) CreateVMTask(ctx *simulator.Context, req *types.CreateVM_Task) soap.HasFault {
	return f.server.start(ctx, f.Self, "CreateVM_Task", shared, func(j *job) (types.AnyType, types.BaseMethodFault) {
		vm, fault := j.createVM(f.Folder, req)
		if fault != nil {
			return nil, fault
		}
		return vm.Self, nil
	})
}

// createVM makes a machine in a folder whose lock is held.
func (j *job) createVM(folder *simulator.Folder, req *types.CreateVM_Task) (*simulator.VirtualMachine, types.BaseMethodFault) {
	if other, taken := j.server.roster.child(folder.Self, req.Config.Name, folder.Self); taken {
		return nil, &types.DuplicateName{Name: req.Config.Name, Object: other} // made while the task waited
	}
	var disks []types.BaseVirtualDeviceConfigSpec
	for _, c := range req.Config.DeviceChange {
		if d, ok := c.GetVirtualDeviceConfigSpec().Device.(*types.VirtualDisk); ok {
			disks = append(disks, c)
			if f := j.server.fileNamed(fileName(d)); c.GetVirtualDeviceConfigSpec().FileOperation == "" && f != "" {
				d.CapacityInBytes, d.CapacityInKB = f.capacity(), f.capacity()/1024 // what exists has its size
			}
		}
	}
	j.server.macs.give(req.Config.DeviceChange)
	result, fault := j.step(folder.Self, func() soap.HasFault { return folder.CreateVMTask(j.Context, req) })
	if fault != nil {
		return nil, fault
	}
	ref, _ := result.(types.ManagedObjectReference)
	vm, ok := j.Map.Get(ref).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.SystemError{Reason: "the machine that was made is gone"}
	}
	j.WithLock(vm, func() {
		j.server.settle(j.Context, vm)
		if len(disks) > 0 {
			fault = j.overfull(vm)
		}
		j.quiet(vm)
	})
	if fault != nil {
		j.destroy(vm)
		return nil, fault
	}
	j.server.associate(vm.Self, req.Config.VmProfile, disks)
	return vm, nil
}

// fileNamed is the file that exists under a datastore path, "" where there is none.
func (s *Server) fileNamed(name string) diskFile {
	var p object.DatastorePath
	if !p.FromString(name) {
		return ""
	}
	for _, ref := range s.named(p.Datastore) {
		if ds, ok := s.Registry().Get(ref).(*simulator.Datastore); ok {
			if f := fileOn(ds, name); f.exists() {
				return f
			}
		}
	}
	return ""
}

// overfull returns a fault if the machine's disks do not fit on a datastore.
func (j *job) overfull(vm *simulator.VirtualMachine) types.BaseMethodFault {
	for _, d := range disksOf(vm.Config.Hardware.Device) {
		ds := j.server.datastoreOf(j.Context, vm, fileName(d))
		if ds != nil && j.server.storage.over(ds) {
			return &types.NoDiskSpace{FileFault: types.FileFault{File: fileName(d)}, Datastore: ds.Name}
		}
	}
	return nil
}

// ReconfigVMTask changes a machine.
func (vm *VirtualMachine) ReconfigVMTask(ctx *simulator.Context, req *types.ReconfigVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "ReconfigVM_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		return nil, j.reconfigure(vm.VirtualMachine, &req.Spec)
	})
}

// reconfigure changes a machine whose lock is held. What the spec leaves unset
// stays as it is.
func (j *job) reconfigure(vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	keepUnset(vm, spec)
	before := disksOf(vm.Config.Hardware.Device)
	for i, c := range spec.DeviceChange {
		if fault := j.prepare(vm, i, c.GetVirtualDeviceConfigSpec()); fault != nil {
			return fault
		}
	}
	removed := removedDisks(spec)
	j.server.macs.give(spec.DeviceChange)

	_, fault := j.step(vm.Self, func() soap.HasFault {
		return vm.ReconfigVMTask(j.Context, &types.ReconfigVM_Task{This: vm.Self, Spec: *spec})
	})
	if fault == nil {
		for _, d := range removed {
			j.deleteRemoved(vm, d)
		}
	}
	j.server.settle(j.Context, vm)
	if fault == nil && len(spec.DeviceChange) > 0 {
		if fault = j.overfull(vm); fault != nil {
			j.takeBack(vm, before)
		}
	}
	if fault == nil {
		j.server.associate(vm.Self, spec.VmProfile, spec.DeviceChange)
	}
	if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		j.server.refreshGuest(j.Context, vm)
	} else {
		j.quiet(vm)
	}
	return fault
}

// prepare makes the change of one device what the simulator understands, and
// refuses files that are missing or locked.
func (j *job) prepare(vm *simulator.VirtualMachine, index int, c *types.VirtualDeviceConfigSpec) types.BaseMethodFault {
	devices := object.VirtualDeviceList(vm.Config.Hardware.Device)
	old := devices.FindByKey(c.Device.GetVirtualDevice().Key)
	switch c.Operation {
	case types.VirtualDeviceConfigSpecOperationRemove:
		if old != nil {
			c.Device = cloneDevice(old) // a client may name the key alone
		}
	case types.VirtualDeviceConfigSpecOperationEdit:
		if old == nil || reflect.TypeOf(old) != reflect.TypeOf(c.Device) {
			return &types.InvalidDeviceSpec{DeviceIndex: int32(index)}
		}
		fillUnset(reflect.ValueOf(c.Device).Elem(), reflect.ValueOf(cloneDevice(old)).Elem())
		if b, ok := c.Device.GetVirtualDevice().Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
			info := b.GetVirtualDeviceFileBackingInfo()
			if ds := j.server.datastoreOf(j.Context, vm, info.FileName); ds != nil {
				info.Datastore = &ds.Self
			}
		}
	case types.VirtualDeviceConfigSpecOperationAdd:
		if d, ok := c.Device.(*types.VirtualDisk); ok {
			return j.prepareDisk(vm, index, c, d)
		}
	}
	return nil
}

func (j *job) prepareDisk(vm *simulator.VirtualMachine, index int, c *types.VirtualDeviceConfigSpec, d *types.VirtualDisk) types.BaseMethodFault {
	file := j.server.diskFile(j.Context, vm, fileName(d))
	switch {
	case c.FileOperation == types.VirtualDeviceConfigSpecFileOperationReplace && file != "" && file.exists():
		_ = file.remove() // the simulator would write into the old files
		j.server.count(j.Context, file)
	case c.FileOperation == "" && file == "":
		return &types.InvalidDeviceBacking{InvalidDeviceSpec: types.InvalidDeviceSpec{DeviceIndex: int32(index)}}
	case c.FileOperation == "" && !file.exists():
		return &types.FileNotFound{FileFault: types.FileFault{File: fileName(d)}}
	case c.FileOperation == "":
		d.CapacityInBytes, d.CapacityInKB = file.capacity(), file.capacity()/1024
		j.describeBacking(d, file)
		if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
			return j.locked(vm, d, file)
		}
	}
	return nil
}

// describeBacking fills in of an attached disk what its file says.
func (j *job) describeBacking(d *types.VirtualDisk, file diskFile) {
	b, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok {
		return
	}
	b.ThinProvisioned = types.NewBool(file.ddb(ddbThin) != "")
	b.Parent = j.server.parentBacking(j.Context, file)
}

// parentBacking describes the parents of a disk's file.
func (s *Server) parentBacking(ctx *simulator.Context, file diskFile) *types.VirtualDiskFlatVer2BackingInfo {
	parent := file.parent()
	if parent == "" {
		return nil
	}
	name, ds := nameOf(ctx, allDatastores(ctx), parent)
	if ds == nil {
		return nil
	}
	ref := ds.Self
	return &types.VirtualDiskFlatVer2BackingInfo{
		VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: name, Datastore: &ref},
		DiskMode:                     string(types.VirtualDiskModePersistent),
		ThinProvisioned:              types.NewBool(parent.ddb(ddbThin) != ""),
		Parent:                       s.parentBacking(ctx, parent),
	}
}

// removedDisks returns the disks whose files go with them.
func removedDisks(spec *types.VirtualMachineConfigSpec) []*types.VirtualDisk {
	var disks []*types.VirtualDisk
	for _, c := range spec.DeviceChange {
		c := c.GetVirtualDeviceConfigSpec()
		d, ok := c.Device.(*types.VirtualDisk)
		if ok && c.Operation == types.VirtualDeviceConfigSpecOperationRemove && c.FileOperation == types.VirtualDeviceConfigSpecFileOperationDestroy {
			disks = append(disks, d)
			c.FileOperation = "" // the files are taken away here, and only those of this machine
		}
	}
	return disks
}

// deleteRemoved deletes the file of a disk that was removed, and its parents as
// far as nobody else has them.
func (j *job) deleteRemoved(vm *simulator.VirtualMachine, d *types.VirtualDisk) {
	file := j.server.diskFile(j.Context, vm, fileName(d))
	if file == "" {
		return
	}
	held := j.server.held(j.Context, vm)
	j.deleteLayers(vm.Self, file, held)
}

// held returns the files that the machine's hardware and snapshots name.
func (s *Server) held(ctx *simulator.Context, vm *simulator.VirtualMachine) map[diskFile]bool {
	files := map[diskFile]bool{}
	add := func(devices []types.BaseVirtualDevice) {
		for _, d := range disksOf(devices) {
			if f := s.diskFile(ctx, vm, fileName(d)); f != "" {
				files[f] = true
			}
		}
	}
	add(vm.Config.Hardware.Device)
	for _, snap := range snapshotsOf(ctx, vm) {
		add(snap.Config.Hardware.Device)
	}
	return files
}

// deleteLayers deletes a disk and its parents down to the first that is held
// or that another machine needs.
func (j *job) deleteLayers(vm types.ManagedObjectReference, file diskFile, held map[diskFile]bool) {
	for _, layer := range file.chain() {
		for h := range held {
			if slices.Contains(h.chain(), layer) {
				return
			}
		}
		if len(j.server.users(layer, vm)) > 0 {
			return
		}
		_ = layer.remove()
		j.server.count(j.Context, layer)
	}
}

// takeBack undoes that disks were added or grown which do not fit.
func (j *job) takeBack(vm *simulator.VirtualMachine, before []*types.VirtualDisk) {
	was := map[int32]*types.VirtualDisk{}
	for _, d := range before {
		was[d.Key] = d
	}
	var devices []types.BaseVirtualDevice
	for _, d := range vm.Config.Hardware.Device {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			devices = append(devices, d)
			continue
		}
		file := j.server.diskFile(j.Context, vm, fileName(disk))
		if old := was[disk.Key]; old != nil {
			_ = file.setCapacity(old.CapacityInBytes)
			devices = append(devices, old)
			continue
		}
		_ = file.remove()
	}
	update(j.Context, vm, func() { vm.Config.Hardware.Device = devices })
	j.server.settle(j.Context, vm)
}
