package vcsim

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	on        = types.VirtualMachinePowerStatePoweredOn
	off       = types.VirtualMachinePowerStatePoweredOff
	suspended = types.VirtualMachinePowerStateSuspended
)

// wrongState is the fault of an operation that the power state forbids.
func wrongState(vm *simulator.VirtualMachine, want types.VirtualMachinePowerState) types.BaseMethodFault {
	return &types.InvalidPowerState{RequestedState: want, ExistingState: vm.Runtime.PowerState}
}

// PowerOnVMTask starts a machine, or resumes one that is suspended.
func (vm *VirtualMachine) PowerOnVMTask(ctx *simulator.Context, _ *types.PowerOnVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "PowerOnVM_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		return nil, j.powerOn(vm.VirtualMachine)
	})
}

// PowerOffVMTask takes a machine's power away.
func (vm *VirtualMachine) PowerOffVMTask(ctx *simulator.Context, _ *types.PowerOffVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "PowerOffVM_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if vm.Runtime.PowerState == off {
			return nil, wrongState(vm.VirtualMachine, off)
		}
		j.powerOff(vm.VirtualMachine)
		return nil, nil
	})
}

// SuspendVMTask suspends a machine that runs.
func (vm *VirtualMachine) SuspendVMTask(ctx *simulator.Context, _ *types.SuspendVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "SuspendVM_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		return nil, j.suspend(vm.VirtualMachine)
	})
}

// ResetVMTask resets a machine that runs.
func (vm *VirtualMachine) ResetVMTask(ctx *simulator.Context, _ *types.ResetVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "ResetVM_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if vm.Runtime.PowerState != on {
			return nil, wrongState(vm.VirtualMachine, on)
		}
		post(j.Context, &types.VmResettingEvent{VmEvent: vmEvent(j.Context, vm.VirtualMachine)})
		update(j.Context, vm.VirtualMachine, func() {
			vm.Summary.Runtime.BootTime = types.NewTime(time.Now())
			vm.Runtime.BootTime = vm.Summary.Runtime.BootTime
		})
		j.server.boot(j.Context, vm.VirtualMachine)
		return nil, nil
	})
}

// powerOn starts a machine whose lock is held.
func (j *job) powerOn(vm *simulator.VirtualMachine) types.BaseMethodFault {
	if vm.Config.Template {
		return &types.NotSupported{}
	}
	if vm.Runtime.PowerState == on {
		return wrongState(vm, on)
	}
	host, ok := j.Map.Get(*vm.Runtime.Host).(*simulator.HostSystem)
	if !ok || host.Runtime.InMaintenanceMode {
		return &types.InvalidState{}
	}
	for _, d := range disksOf(vm.Config.Hardware.Device) {
		file := j.server.diskFile(j.Context, vm, fileName(d))
		for _, layer := range file.chain() {
			if !layer.exists() {
				return &types.FileNotFound{FileFault: types.FileFault{File: fileName(d)}}
			}
		}
		if fault := j.locked(vm, d, file); fault != nil {
			return fault
		}
	}
	e := vmEvent(j.Context, vm)
	post(j.Context, &types.VmStartingEvent{VmEvent: e}, &types.VmPoweredOnEvent{VmEvent: e})
	j.setPower(vm, on)
	j.server.boot(j.Context, vm)
	return nil
}

// locked returns a fault if a disk's file is in use by another machine that runs.
func (j *job) locked(vm *simulator.VirtualMachine, d *types.VirtualDisk, file diskFile) types.BaseMethodFault {
	if j.server.storage.openElsewhere(file, vm.Self, multiWriter(d)) {
		return &types.FileLocked{FileFault: types.FileFault{File: fileName(d)}}
	}
	return nil
}

// powerOff takes the power away from a machine whose lock is held.
func (j *job) powerOff(vm *simulator.VirtualMachine) { j.server.powerOff(j.Context, vm) }

func (s *Server) powerOff(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	e := vmEvent(ctx, vm)
	post(ctx, &types.VmStoppingEvent{VmEvent: e}, &types.VmPoweredOffEvent{VmEvent: e})
	s.setPower(ctx, vm, off)
}

func (j *job) suspend(vm *simulator.VirtualMachine) types.BaseMethodFault {
	if vm.Runtime.PowerState != on {
		return wrongState(vm, on)
	}
	j.server.suspend(j.Context, vm)
	return nil
}

func (s *Server) suspend(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	e := vmEvent(ctx, vm)
	post(ctx, &types.VmSuspendingEvent{VmEvent: e}, &types.VmSuspendedEvent{VmEvent: e})
	s.setPower(ctx, vm, suspended)
}

func (j *job) setPower(vm *simulator.VirtualMachine, state types.VirtualMachinePowerState) {
	j.server.setPower(j.Context, vm, state)
}

// setPower sets the state of a machine whose lock is held, and what depends on
// it: what devices are connected, and that only what runs has a guest.
func (s *Server) setPower(ctx *simulator.Context, vm *simulator.VirtualMachine, state types.VirtualMachinePowerState) {
	update(ctx, vm, func() {
		vm.Runtime.PowerState = state
		vm.Runtime.BootTime = nil
		vm.Runtime.Question = nil
		if state == on {
			vm.Runtime.BootTime = types.NewTime(time.Now())
		} else {
			s.shut(vm)
		}
		vm.Summary.Runtime = vm.Runtime
		devices := cloneDevices(vm.Config.Hardware.Device)
		for _, d := range devices {
			if c := d.GetVirtualDevice().Connectable; c != nil {
				c.Connected = state == on && c.StartConnected
			}
		}
		vm.Config.Hardware.Device = devices
	})
	s.openFiles(ctx, vm)
}

// ShutdownGuest asks the guest to shut down, and returns before it has.
func (vm *VirtualMachine) ShutdownGuest(ctx *simulator.Context, _ *types.ShutdownGuest) soap.HasFault {
	if fault := vm.guestNeeded(); fault != nil {
		return refusal(fault)
	}
	post(ctx, &types.VmGuestShutdownEvent{VmEvent: vmEvent(ctx, vm.VirtualMachine)})
	vm.server.obey(vm.VirtualMachine, func(ctx *simulator.Context) { vm.server.powerOff(ctx, vm.VirtualMachine) })
	return &methods.ShutdownGuestBody{Res: new(types.ShutdownGuestResponse)}
}

// RebootGuest asks the guest to reboot, and returns before it has.
func (vm *VirtualMachine) RebootGuest(ctx *simulator.Context, _ *types.RebootGuest) soap.HasFault {
	if fault := vm.guestNeeded(); fault != nil {
		return refusal(fault)
	}
	post(ctx, &types.VmGuestRebootEvent{VmEvent: vmEvent(ctx, vm.VirtualMachine)})
	vm.server.obey(vm.VirtualMachine, func(ctx *simulator.Context) {
		update(ctx, vm.VirtualMachine, func() {
			vm.Runtime.BootTime = types.NewTime(time.Now())
			vm.Summary.Runtime.BootTime = vm.Runtime.BootTime
		})
		vm.server.boot(ctx, vm.VirtualMachine)
	})
	return &methods.RebootGuestBody{Res: new(types.RebootGuestResponse)}
}

// StandbyGuest asks the guest to suspend, and returns before it has.
func (vm *VirtualMachine) StandbyGuest(ctx *simulator.Context, _ *types.StandbyGuest) soap.HasFault {
	if fault := vm.guestNeeded(); fault != nil {
		return refusal(fault)
	}
	post(ctx, &types.VmGuestStandbyEvent{VmEvent: vmEvent(ctx, vm.VirtualMachine)})
	vm.server.obey(vm.VirtualMachine, func(ctx *simulator.Context) { vm.server.suspend(ctx, vm.VirtualMachine) })
	return &methods.StandbyGuestBody{Res: new(types.StandbyGuestResponse)}
}

// guestNeeded returns a fault unless the machine's tools run.
func (vm *VirtualMachine) guestNeeded() types.BaseMethodFault {
	if vm.Runtime.PowerState != on {
		return wrongState(vm.VirtualMachine, on)
	}
	if vm.Guest == nil || vm.Guest.ToolsRunningStatus != string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		return &types.ToolsUnavailable{}
	}
	return nil
}

// rootPool returns the root resource pool of a host's compute resource.
func rootPool(ctx *simulator.Context, host types.ManagedObjectReference) *types.ManagedObjectReference {
	h, ok := ctx.Map.Get(host).(*simulator.HostSystem)
	if !ok || h.Parent == nil {
		return nil
	}
	switch c := ctx.Map.Get(*h.Parent).(type) {
	case *simulator.ClusterComputeResource:
		return c.ResourcePool
	case *mo.ComputeResource:
		return c.ResourcePool
	default:
		return nil
	}
}
