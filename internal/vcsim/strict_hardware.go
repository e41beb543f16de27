package vcsim

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// Bounds of a machine of the newest hardware version.
const (
	maxMemoryMB = 24 << 20
	maxCPUs     = 768
	oldestVMX   = 4
	newestVMX   = 22
)

// values refuses what no machine can be, in a specification that creates one
// or changes the machine that it is given; info is nil for a new one.
func (c *checks) values(info *types.VirtualMachineConfigInfo, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	if f := guestID(spec.GuestId); f != nil {
		return f
	}

	if m := spec.MemoryMB; m != 0 && (m < 4 || m%4 != 0 || m > maxMemoryMB) {
		return argument("configSpec.memoryMB", "Memory of %d MB is not a multiple of 4 MB, or out of bounds.", m)
	}

	if n := spec.NumCPUs; n < 0 || n > maxCPUs {
		return argument("configSpec.numCPUs", "A machine cannot have %d virtual processors.", n)
	}

	if f := cores(info, spec); f != nil {
		return f
	}

	if f := hardwareVersion(info, spec.Version); f != nil {
		return f
	}

	if f := reservations(info, spec); f != nil {
		return f
	}

	spec.ExtraConfig = withoutConfigured(spec.ExtraConfig)

	return secureBoot(info, spec)
}

func guestID(id string) types.BaseMethodFault {
	if id == "" || slices.Contains(simulator.GuestID, types.VirtualMachineGuestOsIdentifier(id)) {
		return nil
	}

	return argument("configSpec.guestId", "'%s' is no guest operating system.", id)
}

// cores refuses sockets that are not whole.
func cores(info *types.VirtualMachineConfigInfo, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	cpus, per := spec.NumCPUs, int32(1)

	if info != nil {
		if cpus == 0 {
			cpus = info.Hardware.NumCPU
		}

		if p := info.Hardware.NumCoresPerSocket; p != nil {
			per = *p
		}
	}

	if p := spec.NumCoresPerSocket; p != nil {
		per = *p
	}

	if cpus == 0 {
		cpus = 1
	}

	// 0 lets vSphere choose.
	if per < 0 || per > 0 && cpus%per != 0 {
		return argument("configSpec.numCoresPerSocket", "%d processors are no multiple of %d cores per socket.", cpus, per)
	}

	return nil
}

// vmx returns the number of a hardware version, such as 19 of "vmx-19".
func vmx(version string) (int, bool) {
	digits, ok := strings.CutPrefix(version, "vmx-")
	if !ok {
		return 0, false
	}

	n, err := strconv.Atoi(digits)

	return n, err == nil
}

// hardwareVersion refuses versions that there are not, and older ones.
func hardwareVersion(info *types.VirtualMachineConfigInfo, version string) types.BaseMethodFault {
	if version == "" {
		return nil
	}

	n, ok := vmx(version)
	if !ok || n < oldestVMX || n > newestVMX {
		return argument("configSpec.version", "'%s' is no hardware version of this host.", version)
	}

	if info == nil {
		return nil
	}

	if before, ok := vmx(info.Version); ok && n < before {
		return argument("configSpec.version", "Hardware version %s cannot be lowered to %s.", info.Version, version)
	}

	return nil
}

// reservations refuses to reserve more memory than a machine has.
func reservations(info *types.VirtualMachineConfigInfo, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	memory := spec.MemoryMB
	if memory == 0 && info != nil {
		memory = int64(info.Hardware.MemoryMB)
	}

	if r := reservation(spec.MemoryAllocation); memory > 0 && r > memory {
		return argument("configSpec.memoryAllocation.reservation", "%d MB cannot be reserved of %d MB.", r, memory)
	}

	for name, a := range map[string]*types.ResourceAllocationInfo{
		"configSpec.cpuAllocation.limit": spec.CpuAllocation, "configSpec.memoryAllocation.limit": spec.MemoryAllocation,
	} {
		if a != nil && a.Limit != nil && *a.Limit >= 0 && *a.Limit < reservation(a) {
			return argument(name, "The limit of %d is below the reservation of %d.", *a.Limit, reservation(a))
		}
	}

	return nil
}

// configured are keys of the extra configuration that fields of the
// specification stand for. vSphere ignores them without a word.
var configured = []string{
	"numvcpus", "memsize", "displayname", "guestos", "firmware", "annotation",
	"uuid.bios", "vc.uuid", "virtualhw.version", "cpuid.corespersocket", "uefi.secureboot.enabled",
}

func withoutConfigured(options []types.BaseOptionValue) []types.BaseOptionValue {
	return slices.DeleteFunc(options, func(o types.BaseOptionValue) bool {
		return slices.Contains(configured, strings.ToLower(o.GetOptionValue().Key))
	})
}

const efi = string(types.GuestOsDescriptorFirmwareTypeEfi)

// firmware returns the firmware that a machine has with the specification.
func firmware(info *types.VirtualMachineConfigInfo, spec *types.VirtualMachineConfigSpec) string {
	switch {
	case spec.Firmware != "":
		return spec.Firmware
	case info != nil:
		return info.Firmware
	default:
		return string(types.GuestOsDescriptorFirmwareTypeBios)
	}
}

// secureBoot refuses secure boot and a virtual TPM without EFI.
func secureBoot(info *types.VirtualMachineConfigInfo, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	if firmware(info, spec) == efi {
		return nil
	}

	secure := false
	if info != nil && info.BootOptions != nil {
		secure = truth(info.BootOptions.EfiSecureBootEnabled)
	}

	if spec.BootOptions != nil && spec.BootOptions.EfiSecureBootEnabled != nil {
		secure = *spec.BootOptions.EfiSecureBootEnabled
	}

	if secure {
		return &types.InvalidVmConfig{Property: "msg.hostd.configSpec.efi"}
	}

	return nil
}

func truth(b *bool) bool { return b != nil && *b }
