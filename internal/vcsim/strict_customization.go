package vcsim

import (
	"regexp"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// customize returns why a machine is not customised.
func (c *checks) customize(vm *VirtualMachine, spec *types.CustomizationSpec) types.BaseMethodFault {
	if vm.Runtime.PowerState != stateOff {
		return wrongPower(vm.Runtime.PowerState, stateOff)
	}

	return customizable(vm, spec, nil)
}

// customizable refuses a specification that does not fit the guest or the
// number of network cards, as they are after the changes.
func customizable(vm *VirtualMachine, spec *types.CustomizationSpec, changes []types.BaseVirtualDeviceConfigSpec) types.BaseMethodFault {
	guest := vm.Config.GuestId
	refused := &types.UncustomizableGuest{UncustomizableGuestOS: guest}
	refused.FaultCause = because("Customization of the guest operating system '%s' is not supported in this configuration.", guest)

	switch spec.Identity.(type) {
	case *types.CustomizationLinuxPrep:
		if family(guest) != "linux" {
			return refused
		}
	case *types.CustomizationSysprep, *types.CustomizationSysprepText:
		if family(guest) != "windows" {
			return refused
		}
	case *types.CustomizationCloudinitPrep:
		return nil // The network is in the guest's own configuration.
	}

	cards := int32(0)

	for _, d := range vm.Config.Hardware.Device {
		if _, ok := d.(types.BaseVirtualEthernetCard); ok {
			cards++
		}
	}

	for _, b := range changes {
		s := b.GetVirtualDeviceConfigSpec()
		if _, ok := s.Device.(types.BaseVirtualEthernetCard); !ok {
			continue
		}

		switch s.Operation {
		case types.VirtualDeviceConfigSpecOperationAdd:
			cards++
		case types.VirtualDeviceConfigSpecOperationRemove:
			cards--
		case types.VirtualDeviceConfigSpecOperationEdit:
		}
	}

	if n := int32(len(spec.NicSettingMap)); n != cards { //nolint:gosec // A machine has ten at most.
		return &types.NicSettingMismatch{NumberOfNicsInSpec: n, NumberOfNicsInVM: cards}
	}

	return nil
}

var linux = regexp.MustCompile(`(?i)linux|debian|ubuntu|rhel|redhat|centos|fedora|sles|suse|oracle|photon|rocky|alma|asianux|coreos|amazon`)

// family returns the family of a guest id as far as it can be customised.
func family(guest string) string {
	switch {
	case strings.HasPrefix(guest, "win"):
		return "windows"
	case linux.MatchString(guest):
		return "linux"
	default:
		return ""
	}
}
