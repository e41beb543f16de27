package vcsim

import (
	"path"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// CloneVMTask makes a machine of this one, or of a snapshot of it.
func (vm *VirtualMachine) CloneVMTask(ctx *simulator.Context, req *types.CloneVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "CloneVM_Task", transfer, func(j *job) (types.AnyType, types.BaseMethodFault) {
		c := &cloning{job: j, source: vm.VirtualMachine, req: req, config: vm.Config}
		return c.run()
	})
}

// cloning is a clone that is being made. The source's lock is held.
type cloning struct {
	*job

	source *simulator.VirtualMachine
	req    *types.CloneVM_Task
	config *types.VirtualMachineConfigInfo // what is cloned
	linked bool
}

func (c *cloning) run() (types.AnyType, types.BaseMethodFault) {
	spec := &c.req.Spec
	if spec.Snapshot != nil {
		snap, ok := c.Map.Get(*spec.Snapshot).(*simulator.VirtualMachineSnapshot)
		if !ok || snap.Vm != c.source.Self {
			return nil, &types.ManagedObjectNotFound{Obj: *spec.Snapshot}
		}
		c.config = &snap.Config
	}
	c.linked = spec.Location.DiskMoveType == string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)
	if c.linked && spec.Snapshot == nil {
		// Only a snapshot's disks are never written to again.
		return nil, &types.InvalidArgument{InvalidProperty: "spec.location.diskMoveType"}
	}
	folder, ok := c.Map.Get(c.req.Folder).(*simulator.Folder)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: c.req.Folder}
	}
	create, fault := c.createSpec()
	if fault != nil {
		return nil, fault
	}
	e := vmEvent(c.Context, c.source)
	post(c.Context, &types.VmBeingClonedEvent{
		VmCloneEvent: types.VmCloneEvent{VmEvent: e},
		DestName:     c.req.Name,
		DestFolder:   types.FolderEventArgument{EntityEventArgument: types.EntityEventArgument{Name: folder.Name}, Folder: folder.Self},
	})
	var clone *simulator.VirtualMachine
	c.WithLock(folder, func() { clone, fault = c.createVM(folder, create) })
	if fault != nil {
		return nil, fault
	}
	c.WithLock(clone, func() {
		if fault = c.complete(clone); fault != nil {
			_ = c.destroy(clone)
		}
	})
	if fault != nil {
		return nil, fault
	}
	c.server.associateMove(clone.Self, &spec.Location)
	post(c.Context, &types.VmClonedEvent{VmCloneEvent: types.VmCloneEvent{VmEvent: vmEvent(c.Context, clone)}, SourceVm: *e.Vm})
	return clone.Self, nil
}

// createSpec says how the clone is made: with all hardware and options of the
// source, and empty disks.
func (c *cloning) createSpec() (*types.CreateVM_Task, types.BaseMethodFault) {
	location := c.req.Spec.Location
	spec := copyConfig(c.config).ToConfigSpec()
	home := c.home()
	spec.Name, spec.Uuid, spec.InstanceUuid, spec.ChangeVersion, spec.CreateDate = c.req.Name, "", "", "", nil
	spec.Files = &types.VirtualMachineFileInfo{VmPathName: "[" + home + "]"}
	spec.Crypto, spec.VAppConfig = nil, nil
	if spec.Tools != nil {
		spec.Tools.PendingCustomization = ""
	}
	spec.DeviceChange = nil
	devices := cloneDevices(c.config.Hardware.Device)
	defaults := object.VirtualDeviceList(esx.VirtualDevice)
	for _, d := range devices {
		if defaults.Find(object.VirtualDeviceList(devices).Name(d)) != nil {
			continue
		}
		change := &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: d}
		switch d := d.(type) {
		case *types.VirtualDisk:
			change.FileOperation = types.VirtualDeviceConfigSpecFileOperationCreate
			if fault := c.emptyDisk(d, home); fault != nil {
				return nil, fault
			}
		case types.BaseVirtualEthernetCard:
			card := d.GetVirtualEthernetCard()
			card.MacAddress, card.AddressType = "", string(types.VirtualEthernetCardMacTypeAssigned)
		}
		spec.DeviceChange = append(spec.DeviceChange, change)
	}
	pool, host := location.Pool, location.Host
	if pool == nil {
		pool = c.source.ResourcePool
	}
	if pool == nil {
		pool = rootPool(c.Context, *c.source.Runtime.Host)
	}
	if pool == nil {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.location.pool"}
	}
	if root := rootPool(c.Context, *c.source.Runtime.Host); host == nil && root != nil && ownerOf(c.Context, *root) == ownerOf(c.Context, *pool) {
		host = c.source.Runtime.Host
	}
	return &types.CreateVM_Task{This: c.req.Folder, Config: spec, Pool: *pool, Host: host}, nil
}

// ownerOf returns the compute resource of a pool.
func ownerOf(ctx *simulator.Context, pool types.ManagedObjectReference) types.ManagedObjectReference {
	switch p := ctx.Map.Get(pool).(type) {
	case *simulator.ResourcePool:
		return p.Owner
	case *simulator.VirtualApp:
		return p.Owner
	default:
		return types.ManagedObjectReference{}
	}
}

// home returns the name of the datastore of the clone's own files.
func (c *cloning) home() string {
	if ref := c.req.Spec.Location.Datastore; ref != nil {
		if ds, ok := c.Map.Get(*ref).(*simulator.Datastore); ok {
			return ds.Name
		}
	}
	var p object.DatastorePath
	p.FromString(c.source.Config.Files.VmPathName)
	return p.Datastore
}

// emptyDisk makes of a disk of the source one of the clone that is still to be filled.
func (c *cloning) emptyDisk(d *types.VirtualDisk, home string) types.BaseMethodFault {
	b, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok {
		return &types.NotSupported{}
	}
	file := c.server.diskFile(c.Context, c.source, b.FileName)
	for _, layer := range file.chain() {
		if !layer.exists() {
			return &types.FileNotFound{FileFault: types.FileFault{File: b.FileName}}
		}
	}
	base := file.chain()[len(file.chain())-1]
	thin, eager := base.ddb(ddbThin) != "", b.EagerlyScrub
	target := home
	if l := locator(c.req.Spec.Location.Disk, d.Key); l != nil {
		if ds, ok := c.Map.Get(l.Datastore).(*simulator.Datastore); ok {
			target = ds.Name
		}
		if want, ok := l.DiskBackingInfo.(*types.VirtualDiskFlatVer2BackingInfo); ok {
			thin, eager = want.ThinProvisioned != nil && *want.ThinProvisioned, want.EagerlyScrub
		}
	}
	if c.linked {
		thin = true
	}
	b.FileName, b.Parent, b.Uuid, b.Datastore, b.ContentId, b.ChangeId = "["+target+"]", nil, "", nil, "", ""
	if target == home {
		b.FileName = ""
	}
	b.ThinProvisioned, b.EagerlyScrub = types.NewBool(thin), eager
	d.DeviceInfo, d.VDiskId = nil, nil
	return nil
}

func locator(list []types.VirtualMachineRelocateSpecDiskLocator, key int32) *types.VirtualMachineRelocateSpecDiskLocator {
	i := slices.IndexFunc(list, func(l types.VirtualMachineRelocateSpecDiskLocator) bool { return l.DiskId == key })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// complete fills the clone's disks, changes what was asked and starts it.
func (c *cloning) complete(clone *simulator.VirtualMachine) types.BaseMethodFault {
	spec := &c.req.Spec
	if fault := c.fill(clone); fault != nil {
		return fault
	}
	if len(spec.Location.DeviceChange) > 0 {
		if fault := c.reconfigure(clone, &types.VirtualMachineConfigSpec{DeviceChange: spec.Location.DeviceChange}); fault != nil {
			return fault
		}
	}
	if spec.Config != nil {
		change := *spec.Config
		change.Name, change.Files, change.ChangeVersion = "", nil, ""
		ownFiles(clone, change.DeviceChange)
		left := leftOut(clone, change.DeviceChange)
		if fault := c.reconfigure(clone, &change); fault != nil {
			return fault
		}
		for _, d := range left {
			c.deleteRemoved(clone, d)
		}
	}
	if c.canceled() {
		return &types.RequestCanceled{}
	}
	if spec.Customization != nil && !spec.Template {
		if fault := c.pend(clone, spec.Customization); fault != nil {
			return fault
		}
	}
	if spec.Template {
		update(c.Context, clone, func() { _ = clone.MarkAsTemplate(&types.MarkAsTemplate{This: clone.Self}) })
		return nil
	}
	if spec.PowerOn {
		return c.powerOn(clone)
	}
	return nil
}

// leftOut returns the clone's disks that changes take out, which vSphere does not copy in the first place.
func leftOut(clone *simulator.VirtualMachine, changes []types.BaseVirtualDeviceConfigSpec) (disks []*types.VirtualDisk) {
	for _, b := range changes {
		change := b.GetVirtualDeviceConfigSpec()
		if change.Device == nil || change.Operation != types.VirtualDeviceConfigSpecOperationRemove {
			continue
		}
		for _, d := range disksOf(clone.Config.Hardware.Device) {
			if d.Key == change.Device.GetVirtualDevice().Key {
				disks = append(disks, d)
			}
		}
	}
	return disks
}

// fill gives the clone's disks the content of the source's: a copy, or a child.
func (c *cloning) fill(clone *simulator.VirtualMachine) (fault types.BaseMethodFault) {
	update(c.Context, clone, func() {
		devices := cloneDevices(clone.Config.Hardware.Device)
		sources, targets := disksOf(c.config.Hardware.Device), disksOf(devices)
		for i, d := range targets {
			if i >= len(sources) {
				break
			}
			if fault = c.fillDisk(clone, sources[i], d); fault != nil {
				return
			}
		}
		clone.Config.Hardware.Device = devices
	})
	if fault != nil {
		return fault
	}
	c.refreshLayout(clone)
	return c.overfull(clone)
}

func (c *cloning) fillDisk(clone *simulator.VirtualMachine, source, target *types.VirtualDisk) types.BaseMethodFault {
	from := c.server.diskFile(c.Context, c.source, fileName(source))
	to := c.server.diskFile(c.Context, clone, fileName(target))
	if from == "" || to == "" {
		return &types.InaccessibleDatastore{}
	}
	linked := c.linked
	if l := locator(c.req.Spec.Location.Disk, source.Key); l != nil && l.DiskMoveType != "" {
		linked = l.DiskMoveType == string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)
	}
	if !linked {
		if err := to.copyFrom(from); err != nil {
			return &types.CannotAccessFile{FileFault: types.FileFault{File: fileName(source)}}
		}
		return nil
	}
	_ = to.remove()
	if err := to.createDelta(from); err != nil {
		return &types.CannotAccessFile{FileFault: types.FileFault{File: fileName(source)}}
	}
	c.server.describe(c.Context, target, to)
	return nil
}

// DestroyTask deletes a machine with its files.
func (vm *VirtualMachine) DestroyTask(ctx *simulator.Context, _ *types.Destroy_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "Destroy_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if vm.Runtime.PowerState != off {
			return nil, wrongState(vm.VirtualMachine, off)
		}
		return nil, j.destroy(vm.VirtualMachine)
	})
}

// destroy deletes a machine whose lock is held, with its own files: not disks
// that were detached, and nothing else that lies in its folder. It fails if
// disks of other machines are children of its own.
func (j *job) destroy(vm *simulator.VirtualMachine) types.BaseMethodFault {
	held := j.server.held(j.Context, vm)
	for f := range held {
		if len(j.server.users(f, vm.Self)) > 0 && !j.server.storage.direct(f, vm.Self) {
			name, _ := nameOf(j.Context, allDatastores(j.Context), f)
			return &types.FileLocked{FileFault: types.FileFault{File: name}}
		}
	}
	home := string(j.server.diskFile(j.Context, vm, vm.Config.Files.VmPathName))
	datastores := slices.Clone(vm.Datastore)
	for _, snap := range snapshotsOf(j.Context, vm) {
		j.Map.Remove(j.Context, snap.Self)
	}
	if body := vm.UnregisterVM(j.Context, &types.UnregisterVM{This: vm.Self}); body.Fault() != nil {
		if fault, ok := body.Fault().VimFault().(types.BaseMethodFault); ok {
			return fault
		}
		return &types.SystemError{Reason: body.Fault().String}
	}
	j.server.dropFiles(vm.Self)
	j.server.forget(vm.Self)
	for f := range held {
		if f.exists() {
			j.deleteLayers(vm.Self, f, nil)
		}
	}
	removeOwn(path.Dir(home))
	for _, ref := range datastores {
		j.server.free(j.Context, ref)
	}
	return nil
}
