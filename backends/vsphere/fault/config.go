package fault

import (
	"fmt"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// device judges what is about one device of a specification.
func device(f types.BaseMethodFault) (verdict, bool) {
	v := verdict{code: backends.Invalid}
	switch f := f.(type) {
	case *types.DeviceHotPlugNotSupported:
		v = verdict{code: backends.Precondition, text: deviceAt(f.DeviceIndex) + " cannot be added, changed or removed while the VM runs"}
	case *types.DeviceNotFound:
		v.text = deviceAt(f.DeviceIndex) + " is not there"
	case *types.DeviceUnsupportedForVmVersion:
		v = verdict{code: backends.Unsupported, text: fmt.Sprintf("%s needs hardware version %s, the VM has %s", deviceAt(f.DeviceIndex), f.ExpectedVersion, f.CurrentVersion), remedy: "Raise the VM's hardware version."}
	case *types.DeviceUnsupportedForVmPlatform:
		v = verdict{code: backends.Unsupported, text: deviceAt(f.DeviceIndex) + " is not supported on this host"}
	case *types.InvalidController:
		v.text = fmt.Sprintf("%s names a controller (key %d) that cannot take it", deviceAt(f.DeviceIndex), f.ControllerKey)
	case *types.MissingController:
		v.text = deviceAt(f.DeviceIndex) + " has no controller"
	case *types.InvalidDeviceBacking:
		v.text = deviceAt(f.DeviceIndex) + " has a backing (file, network or host device) that cannot be used"
	case *types.InvalidDeviceOperation:
		v.text = fmt.Sprintf("%s cannot be the object of %s", deviceAt(f.DeviceIndex), operation(f))
	case *types.DisallowedDiskModeChange:
		v = verdict{code: backends.Precondition, text: "the disk mode of " + deviceAt(f.DeviceIndex) + " cannot change now"}
	case types.BaseInvalidDeviceSpec:
		d := f.GetInvalidDeviceSpec()
		v.text = deviceAt(d.DeviceIndex) + " is refused" + inProperty(d.Property)
	case *types.CannotAccessNetwork:
		v = verdict{code: backends.Precondition, text: "the network" + quoted(f.Backing) + " of " + thing("the adapter", f.Device) + " cannot be reached from the host"}
	case *types.CannotAccessVmDevice:
		v = verdict{code: backends.Precondition, text: "what is behind " + thing("the device", f.Device) + " cannot be accessed" + quoted(f.Backing)}
	case *types.CannotAccessVmDisk, *types.CannotAccessVmConfig, types.BaseCannotAccessVmComponent:
		v = verdict{code: backends.Precondition, text: "a file of the VM cannot be accessed"}
	case *types.CannotUseNetwork:
		v = verdict{code: backends.Precondition, text: "the network" + quoted(f.Backing) + " cannot be used: " + spaced(f.Reason)}
	case types.BaseDeviceNotSupported:
		d := f.GetDeviceNotSupported()
		v = verdict{code: backends.Unsupported, text: thing("the device", d.Device) + " is not supported there"}
	default:
		return verdict{}, false
	}
	return v, true
}

func deviceAt(i int32) string { return fmt.Sprintf("device %d of the specification", i) }

func inProperty(p string) string {
	if p == "" {
		return ""
	}
	return " because of " + p
}

func operation(f *types.InvalidDeviceOperation) string {
	if f.BadFileOp != "" {
		return fmt.Sprintf("%q with the file operation %q", f.BadOp, f.BadFileOp)
	}
	return fmt.Sprintf("%q", f.BadOp)
}

// config judges what is about values of a specification.
func config(f types.BaseMethodFault) (verdict, bool) {
	v := verdict{code: backends.Invalid}
	switch f := f.(type) {
	case *types.CpuHotPlugNotSupported:
		return verdict{code: backends.Precondition, text: "the number of CPUs cannot change while the VM runs", remedy: "Set cpu.hot_add while the VM is stopped, or let the VM restart."}, true
	case *types.MemoryHotPlugNotSupported:
		return verdict{code: backends.Precondition, text: "memory cannot change so while the VM runs", remedy: "Set memory.hot_add while the VM is stopped, or let the VM restart."}, true
	case *types.UnsupportedGuest:
		v.text, v.remedy = "the guest operating system"+quoted(f.UnsupportedGuestOS)+" is not supported there", "Set guest_os to a family, or to an identifier that the host knows."
	case *types.MemorySizeNotSupported:
		v.text = fmt.Sprintf("%d MiB of memory are not possible; from %d to %d MiB are", f.MemorySizeMB, f.MinMemorySizeMB, f.MaxMemorySizeMB)
	case *types.NumVirtualCpusNotSupported:
		v.text = fmt.Sprintf("%d virtual CPUs are not possible; up to %d are", f.NumCpuVm, f.MaxSupportedVcpusDest)
	case *types.NumVirtualCoresPerSocketNotSupported:
		v.text = fmt.Sprintf("%d cores per socket are not possible; up to %d are", f.NumCoresPerSocketVm, f.MaxSupportedCoresPerSocketDest)
	case *types.VirtualHardwareVersionNotSupported:
		return verdict{code: backends.Unsupported, text: "the host" + quoted(f.HostName) + " does not support the VM's hardware version"}, true
	case *types.GenericVmConfigFault:
		v.text = f.Reason
	case *types.TooManyDevices:
		return verdict{code: backends.Exhausted, text: "the VM has as many devices of this kind as it may"}, true
	case types.BaseInvalidVmConfig:
		v.text = "the VM's configuration is refused" + inProperty(f.GetInvalidVmConfig().Property)
	case types.BaseVmConfigFault:
		v.text = "the VM cannot be configured so"
	case *types.InvalidName:
		v.text, v.remedy = fmt.Sprintf("the name %q is not valid", f.Name), "Names are 1 to 80 characters long."
	case *types.OutOfBounds:
		v.text = "a value is out of its bounds: " + f.ArgumentName
	case *types.InvalidType:
		return verdict{code: backends.Internal, text: "vSphere does not know the type" + quoted(f.Argument)}, true
	case types.BaseInvalidArgument:
		v.text = "a value is refused"
		if p := f.GetInvalidArgument().InvalidProperty; p != "" {
			v.text += ": " + p
		}
	case *types.InvalidProperty:
		return verdict{code: backends.Internal, text: "vSphere does not know the property" + quoted(f.Name)}, true
	case *types.InvalidFolder, *types.InvalidLocale, *types.UserNotFound, *types.InvalidAffinitySettingFault, *types.InvalidHostName:
	case types.BaseOvfFault:
		v.text = "the OVF package is refused"
	case types.BaseDvsFault:
		v.text = "the distributed switch refuses this"
	case types.BaseVAppConfigFault:
		v.text = "the vApp is refused"
	default:
		return verdict{}, false
	}
	return v, true
}
