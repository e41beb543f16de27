package vcsim

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// RevertToSnapshotTask takes the machine back to the snapshot.
func (s *Snapshot) RevertToSnapshotTask(ctx *simulator.Context, req *types.RevertToSnapshot_Task) soap.HasFault {
	vm, ok := ctx.Map.Get(s.Vm).(*simulator.VirtualMachine)
	if !ok {
		return refusal(&types.ManagedObjectNotFound{Obj: s.Vm})
	}
	// The machine's lock is left alone, as when a snapshot is removed.
	return s.server.start(ctx, s.Vm, "RevertToSnapshot_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		return nil, j.revert(vm, s.Self, req.SuppressPowerOn != nil && *req.SuppressPowerOn)
	})
}

// RevertToCurrentSnapshotTask takes the machine back to its current snapshot.
func (vm *VirtualMachine) RevertToCurrentSnapshotTask(ctx *simulator.Context, req *types.RevertToCurrentSnapshot_Task) soap.HasFault {
	if vm.Snapshot == nil || vm.Snapshot.CurrentSnapshot == nil {
		return refusal(&types.NotFound{})
	}
	current := *vm.Snapshot.CurrentSnapshot
	return vm.server.start(ctx, vm.Self, "RevertToCurrentSnapshot_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		return nil, j.revert(vm.VirtualMachine, current, req.SuppressPowerOn != nil && *req.SuppressPowerOn)
	})
}

// revert takes a machine whose lock is held back to a snapshot: its hardware,
// options, extra configuration and disks are those of then, and it runs if the
// snapshot has memory. Its name, identity and place stay.
func (j *job) revert(vm *simulator.VirtualMachine, ref types.ManagedObjectReference, suppressPowerOn bool) types.BaseMethodFault {
	snap, ok := j.Map.Get(ref).(*simulator.VirtualMachineSnapshot)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: ref}
	}
	for _, d := range disksOf(snap.Config.Hardware.Device) {
		if f := j.server.diskFile(j.Context, vm, fileName(d)); f == "" || !f.exists() {
			return &types.FileNotFound{FileFault: types.FileFault{File: fileName(d)}}
		}
	}
	before := disksOf(vm.Config.Hardware.Device)
	config := copyConfig(&snap.Config)
	now := vm.Config
	config.Name, config.Uuid, config.InstanceUuid, config.Files = now.Name, now.Uuid, now.InstanceUuid, now.Files
	config.Template, config.ChangeVersion, config.Modified = now.Template, now.ChangeVersion+"r", now.Modified
	keepIndependent(config, now)

	state := stateOf(vm.Snapshot.RootSnapshotList, ref)
	if vm.Runtime.PowerState != off {
		j.powerOff(vm)
	}
	update(j.Context, vm, func() {
		vm.Config = config
		info := *vm.Snapshot
		info.CurrentSnapshot = &snap.Self
		vm.Snapshot = &info
		summarize(j.Context, vm)
	})
	if fault := j.putDeltas(vm); fault != nil {
		return fault
	}
	held := j.server.held(j.Context, vm)
	for _, d := range before {
		if f := j.server.diskFile(j.Context, vm, fileName(d)); !independent(d) && f != "" && f.exists() {
			j.deleteLayers(vm.Self, f, held)
		}
	}
	j.refreshLayout(vm)
	if state == on && !suppressPowerOn {
		return j.powerOn(vm)
	}
	return nil
}

// keepIndependent gives a configuration the disks that snapshots leave alone.
func keepIndependent(config, now *types.VirtualMachineConfigInfo) {
	for i, d := range config.Hardware.Device {
		disk, ok := d.(*types.VirtualDisk)
		if !ok || !independent(disk) {
			continue
		}
		for _, n := range disksOf(now.Hardware.Device) {
			if n.Key == disk.Key && independent(n) {
				config.Hardware.Device[i] = cloneDevice(n)
			}
		}
	}
}

// summarize brings what the machine shows in brief up to date with its configuration.
func summarize(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	c := &vm.Summary.Config
	c.NumCpu, c.MemorySizeMB = vm.Config.Hardware.NumCPU, vm.Config.Hardware.MemoryMB
	c.GuestId, c.GuestFullName, c.Annotation = vm.Config.GuestId, vm.Config.GuestFullName, vm.Config.Annotation
	c.HwVersion, c.NumEthernetCards, c.NumVirtualDisks = vm.Config.Version, 0, 0
	var networks []types.ManagedObjectReference
	for _, d := range vm.Config.Hardware.Device {
		switch d := d.(type) {
		case *types.VirtualDisk:
			c.NumVirtualDisks++
		case types.BaseVirtualEthernetCard:
			c.NumEthernetCards++
			var net types.ManagedObjectReference
			switch b := d.GetVirtualEthernetCard().Backing.(type) {
			case *types.VirtualEthernetCardNetworkBackingInfo:
				if b.Network != nil {
					net = *b.Network
				}
			case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
				net = types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: b.Port.PortgroupKey}
			}
			if net.Value != "" && ctx.Map.Get(net) != nil && !slices.Contains(networks, net) {
				networks = append(networks, net)
			}
		}
	}
	vm.Network = networks
}
