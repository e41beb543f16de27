package vcsim

import (
	"github.com/vmware/govmomi/vim25/types"
)

// reconfigure returns why a change of a machine is refused.
func (c *checks) reconfigure(vm *VirtualMachine, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	if spec.ChangeVersion != "" && spec.ChangeVersion != vm.Config.ChangeVersion {
		return &types.ConcurrentAccess{}
	}

	if spec.Name != "" {
		if f := c.name(c.server.roster.parent(vm.Self), spec.Name, vm.Self); f != nil {
			return f
		}
	}

	if f := c.values(vm.Config, spec); f != nil {
		return f
	}

	if vm.Runtime.PowerState != stateOff {
		if f := hot(vm, spec); f != nil {
			return f
		}
	}

	return c.devices(&deviceCheck{
		checks:   c,
		machine:  vm,
		folder:   c.server.roster.parent(vm.Self),
		host:     vm.Runtime.Host,
		present:  vm.Config.Hardware.Device,
		firmware: firmware(vm.Config, spec),
		running:  vm.Runtime.PowerState != stateOff,
	}, spec.DeviceChange)
}

// hot returns why a change of a machine that runs or is suspended is refused.
func hot(vm *VirtualMachine, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	state := vm.Runtime.PowerState
	hardware := vm.Config.Hardware

	if m := spec.MemoryMB; m != 0 && m != int64(hardware.MemoryMB) {
		switch {
		case m < int64(hardware.MemoryMB) || state != stateOn:
			return wrongPower(state, stateOff)
		case !truth(vm.Config.MemoryHotAddEnabled):
			return &types.MemoryHotPlugNotSupported{}
		}
	}

	if n := spec.NumCPUs; n != 0 && n != hardware.NumCPU {
		allowed := vm.Config.CpuHotAddEnabled
		if n < hardware.NumCPU {
			allowed = vm.Config.CpuHotRemoveEnabled
		}

		switch {
		case state != stateOn:
			return wrongPower(state, stateOff)
		case !truth(allowed):
			return &types.CpuHotPlugNotSupported{}
		}
	}

	if cold(vm.Config, spec) {
		return wrongPower(state, stateOff)
	}

	return nil
}

// cold reports whether a specification changes what only a stopped machine
// can change.
func cold(info *types.VirtualMachineConfigInfo, spec *types.VirtualMachineConfigSpec) bool {
	for _, flag := range []struct{ want, have *bool }{
		{spec.MemoryHotAddEnabled, info.MemoryHotAddEnabled},
		{spec.CpuHotAddEnabled, info.CpuHotAddEnabled},
		{spec.CpuHotRemoveEnabled, info.CpuHotRemoveEnabled},
		{spec.NestedHVEnabled, info.NestedHVEnabled},
		{spec.VPMCEnabled, info.VPMCEnabled},
	} {
		if flag.want != nil && *flag.want != truth(flag.have) {
			return true
		}
	}

	for _, text := range []struct{ want, have string }{
		{spec.Firmware, info.Firmware},
		{spec.GuestId, info.GuestId},
		{spec.Version, info.Version},
		{spec.Uuid, info.Uuid},
	} {
		if text.want != "" && text.want != text.have {
			return true
		}
	}

	if p := spec.NumCoresPerSocket; p != nil && (info.Hardware.NumCoresPerSocket == nil || *p != *info.Hardware.NumCoresPerSocket) {
		return true
	}

	if f := spec.Flags; f != nil && f.VbsEnabled != nil && *f.VbsEnabled != truth(info.Flags.VbsEnabled) {
		return true
	}

	if b := spec.BootOptions; b != nil && b.EfiSecureBootEnabled != nil {
		had := info.BootOptions != nil && truth(info.BootOptions.EfiSecureBootEnabled)

		return *b.EfiSecureBootEnabled != had
	}

	return false
}
