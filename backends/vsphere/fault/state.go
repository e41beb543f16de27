package fault

import (
	"fmt"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// state judges what an object's state forbids.
func state(f types.BaseMethodFault) (verdict, bool) {
	v := verdict{code: backends.Precondition}
	switch f := f.(type) {
	case *types.InvalidPowerState:
		v.text = "it is " + power(f.ExistingState)
		if f.RequestedState != "" && f.RequestedState != f.ExistingState {
			v.text += ", and must be " + power(f.RequestedState) + " for this"
		}
	case *types.QuestionPending:
		v.text, v.remedy = "it waits for an answer to a question"+quoted(f.Text), "Answer the question in the vSphere Client."
	case *types.EncryptionKeyRequired:
		v.text, v.remedy = "a key that it is encrypted with is not available", "Check the connection of vCenter and hosts to the key provider."
	case *types.InvalidHostConnectionState, *types.NoActiveHostInCluster:
		v.text, v.remedy = "no host that could do this is connected", "Connect the host, or name another one."
	case *types.InvalidHostState:
		v.text, v.remedy = "the host's state forbids this", "Check whether the host is connected and not in maintenance mode."
	case *types.InvalidVmState:
		v.text = "the state of " + inWords(f.Vm, nil) + " forbids this"
	case *types.MethodDisabled:
		v.text = "vSphere has disabled this for now"
		if f.Source != "" {
			v.text = fmt.Sprintf("%q has disabled this for now", f.Source)
		}
		v.remedy = "A backup or another product that manages the object may hold it, or it is a template."
	case *types.MethodAlreadyDisabledFault, *types.DisallowedChangeByService, *types.RestrictedByAdministrator, *types.OperationDisallowedOnHost, *types.DisallowedOperationOnFailoverHost:
	case *types.ToolsUnavailable:
		v.text, v.remedy = "VMware Tools does not run in the guest", "Install open-vm-tools or VMware Tools in the guest, or wait until the guest has started."
	case types.BaseInvalidState:
		v.text = "its state forbids this"
	default:
		return verdict{}, false
	}
	return v, true
}

// guest judges what is about guests, their customization and their snapshots.
func guest(f types.BaseMethodFault) (verdict, bool) {
	v := verdict{code: backends.Precondition}
	switch f := f.(type) {
	case *types.NicSettingMismatch:
		return verdict{code: backends.Invalid, text: fmt.Sprintf("the customization has settings for %d network adapters, the VM has %d", f.NumberOfNicsInSpec, f.NumberOfNicsInVM)}, true
	case *types.UncustomizableGuest:
		return verdict{
			code: backends.Invalid, text: "the guest operating system" + quoted(f.UncustomizableGuestOS) + " cannot be customized",
			remedy: "Check that guest_os is what the template contains, or use cloud_init instead of customization.",
		}, true
	case *types.LinuxVolumeNotClean:
		v.text, v.remedy = "a file system of the template is not clean", "Shut the template's guest down cleanly before it becomes a template."
	case *types.CustomizationPending:
		v.text, v.remedy = "an earlier customization waits for the guest to start", "Start the VM once, or clear the pending customization."
	case *types.NoDisksToCustomize, *types.MissingLinuxCustResources, *types.MissingWindowsCustResources, *types.CannotDecryptPasswords:
	case *types.MountError:
		v.text = "no disk of the VM can be read for the customization"
	case types.BaseCustomizationFault:
		return verdict{code: backends.Invalid, text: "the guest cannot be customized so"}, true
	case *types.GuestOperationsUnavailable, *types.GuestComponentsOutOfDate:
		v.text, v.remedy = "the guest's VMware Tools cannot do this", "Install or update open-vm-tools or VMware Tools in the guest."
	case *types.OperationDisabledByGuest:
		v.text = "the guest's configuration disables this"
	case *types.OperationNotSupportedByGuest:
		return verdict{code: backends.Unsupported, text: "the guest operating system cannot do this"}, true
	case types.BaseGuestOperationsFault:
	case *types.ApplicationQuiesceFault, *types.FilesystemQuiesceFault:
		v.text, v.remedy = "the guest did not quiesce its file systems", "Check VMware Tools in the guest, or take the snapshot without quiesce."
	case *types.MemorySnapshotOnIndependentDisk:
		v.text = "a VM with an independent disk cannot have a snapshot with memory while it runs"
	case *types.TooManySnapshotLevels:
		return verdict{code: backends.Exhausted, text: "the chain of snapshots is as long as it may be", remedy: "Delete snapshots that are not needed any more."}, true
	case *types.SnapshotDisabled, *types.MultipleSnapshotsNotSupported:
		return verdict{code: backends.Unsupported}, true
	case types.BaseSnapshotFault:
	default:
		return verdict{}, false
	}
	return v, true
}

// migration judges what is about moving VMs.
func migration(f types.BaseMethodFault) (verdict, bool) {
	v := verdict{code: backends.Precondition}
	switch f := f.(type) {
	case *types.NoCompatibleHost, *types.NoCompatibleHostWithAccessToDevice:
		v.text, v.remedy = "no host can run it", "Check that a host of the cluster has its datastores and networks and enough resources."
	case *types.DatacenterMismatch:
		return verdict{code: backends.Invalid, text: "what is named belongs to different datacenters"}, true
	case *types.VMotionNotConfigured:
		v.text, v.remedy = "vMotion is not configured on host"+quoted(f.FailedHost), "Enable vMotion on a VMkernel adapter of the host."
	case *types.CpuIncompatible, *types.CpuIncompatible1ECX, *types.CpuIncompatible81EDX, *types.FeatureRequirementsNotMet:
		v.text, v.remedy = "the host's processor lacks features that the VM uses", "Move the VM while it is powered off, or use EVC in the cluster."
	case *types.DisallowedMigrationDeviceAttached:
		v.text, v.remedy = "a device is attached that cannot move with it", "Detach the device, such as a local ISO image."
	case types.BaseMigrationFeatureNotSupported, types.BaseSnapshotCopyNotSupported, *types.DiskMoveTypeNotSupported, *types.SuspendedRelocateNotSupported:
		return verdict{code: backends.Unsupported}, true
	case types.BaseMigrationFault, types.BaseHostPowerOpFailed, types.BaseEVCConfigFault:
	default:
		return verdict{}, false
	}
	return v, true
}
