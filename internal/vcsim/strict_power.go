package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	stateOn        = types.VirtualMachinePowerStatePoweredOn
	stateOff       = types.VirtualMachinePowerStatePoweredOff
	stateSuspended = types.VirtualMachinePowerStateSuspended
)

// wrongPower refuses what needs another power state.
func wrongPower(existing, requested types.VirtualMachinePowerState) types.BaseMethodFault {
	f := &types.InvalidPowerState{ExistingState: existing, RequestedState: requested}
	f.FaultCause = because("The attempted operation cannot be performed in the current state (%s).", powerWords[existing])

	return f
}

var powerWords = map[types.VirtualMachinePowerState]string{stateOn: "Powered on", stateOff: "Powered off", stateSuspended: "Suspended"}

// needsPower refuses what a machine in another state cannot do.
func (c *checks) needsPower(vm *VirtualMachine, state types.VirtualMachinePowerState) types.BaseMethodFault {
	if vm.Runtime.PowerState != state {
		return wrongPower(vm.Runtime.PowerState, state)
	}

	return nil
}

// needsNoPower refuses what a machine that runs or is suspended cannot do.
func (c *checks) needsNoPower(vm *VirtualMachine) types.BaseMethodFault {
	if vm.Runtime.PowerState == stateOn {
		return wrongPower(stateOn, stateOff)
	}

	return nil
}

func (c *checks) powerOff(vm *VirtualMachine) types.BaseMethodFault {
	if vm.Runtime.PowerState == stateOff {
		return wrongPower(stateOff, stateOn)
	}

	return nil
}

// guestPower refuses what only a guest with running tools does.
func (c *checks) guestPower(vm *VirtualMachine) types.BaseMethodFault {
	if f := c.needsPower(vm, stateOn); f != nil {
		return f
	}

	if vm.Guest == nil || vm.Guest.ToolsRunningStatus != string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		return &types.ToolsUnavailable{}
	}

	return nil
}

// template refuses what a template does not do.
func (c *checks) template(vm *VirtualMachine, method string) types.BaseMethodFault {
	if vm.Config == nil || !vm.Config.Template {
		return nil
	}

	switch method {
	case "PowerOnVM_Task", "PowerOffVM_Task", "SuspendVM_Task", "ResetVM_Task",
		"CreateSnapshot_Task", "CreateSnapshotEx_Task", "MarkAsTemplate":
		f := &types.NotSupported{}
		f.FaultCause = because("The operation is not supported on a template.")

		return f
	default:
		return nil
	}
}

// powerOn refuses to start a machine that runs, or that the host cannot run.
func (c *checks) powerOn(vm *VirtualMachine, q *types.PowerOnVM_Task) types.BaseMethodFault {
	if vm.Runtime.PowerState == stateOn {
		return wrongPower(stateOn, stateOff)
	}

	if f := reservedAddress(vm.Config.Hardware.Device); f != nil {
		return f
	}

	if f := lockedMemory(vm.Config); f != nil {
		return f
	}

	ref := vm.Runtime.Host
	if q.Host != nil {
		ref = q.Host
	}

	if ref == nil {
		return nil
	}

	host, ok := c.Map.Get(*ref).(*simulator.HostSystem)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: *ref}
	}

	var f types.BaseMethodFault

	c.WithLock(host, func() { f = admission(vm, host) })

	return f
}

// admission refuses what the host has not got.
func admission(vm *VirtualMachine, host *simulator.HostSystem) types.BaseMethodFault {
	if host.Runtime.InMaintenanceMode {
		f := &types.InvalidState{}
		f.FaultCause = because("The host is in maintenance mode.")

		return f
	}

	hardware := host.Summary.Hardware

	if n := vm.Config.Hardware.NumCPU; n > int32(hardware.NumCpuThreads) {
		return &types.NumVirtualCpusNotSupported{MaxSupportedVcpusDest: int32(hardware.NumCpuThreads), NumCpuVm: n}
	}

	mhz := int64(hardware.CpuMhz) * int64(hardware.NumCpuCores)
	if r := reservation(vm.Config.CpuAllocation); r > mhz {
		return &types.InsufficientCpuResourcesFault{Unreserved: mhz, Requested: r}
	}

	bytes := reservation(vm.Config.MemoryAllocation) << 20
	if vm.Config.MemoryReservationLockedToMax != nil && *vm.Config.MemoryReservationLockedToMax {
		bytes = int64(vm.Config.Hardware.MemoryMB) << 20
	}

	if bytes > hardware.MemorySize {
		return &types.InsufficientMemoryResourcesFault{Unreserved: hardware.MemorySize, Requested: bytes}
	}

	return nil
}

// lockedMemory refuses to start a machine with a device of the host, or a part
// of one, whose memory is not all reserved.
func lockedMemory(c *types.VirtualMachineConfigInfo) types.BaseMethodFault {
	if truth(c.MemoryReservationLockedToMax) || reservation(c.MemoryAllocation) == int64(c.Hardware.MemoryMB) {
		return nil
	}

	for _, d := range c.Hardware.Device {
		if _, ok := d.(*types.VirtualPCIPassthrough); ok {
			f := &types.GenericVmConfigFault{
				Reason: "Invalid memory setting: memory reservation (sched.mem.min) should be equal to memsize.",
			}
			f.FaultCause = because("%s", f.Reason)

			return f
		}
	}

	return nil
}

func reservation(a *types.ResourceAllocationInfo) int64 {
	if a == nil || a.Reservation == nil {
		return 0
	}

	return *a.Reservation
}
