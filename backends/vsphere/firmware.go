package vsphere

import (
	"context"

	"github.com/vmware/govmomi/crypto"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// firmware sets BIOS or EFI, secure boot and the TPM.
func (e *edit) firmware(ctx context.Context) error {
	from, to := e.from, e.to
	uefi := value(to.Firmware) == "uefi"
	switch {
	case to.Firmware != nil && !uefi && *to.Firmware != "bios":
		return backends.Errorf(backends.Invalid, "", "", `%q is neither "bios" nor "uefi"`, *to.Firmware).At("firmware")
	case value(to.SecureBoot) && !uefi:
		return backends.Errorf(backends.Invalid, "", "", `secure boot needs firmware = "uefi"`).At("secure_boot")
	case value(to.TPM) && !uefi:
		return backends.Errorf(backends.Invalid, "", "", `a TPM needs firmware = "uefi"`).At("tpm")
	case value(to.TPM) && !value(from.TPM) && !e.conn.VCenter():
		return backends.Errorf(backends.Precondition, "", "", "a virtual TPM is encrypted with a key of a vCenter's key provider, and a stand-alone ESXi has none").At("tpm")
	}
	if changed(from.Firmware, to.Firmware) {
		e.spec.Firmware = string(types.GuestOsDescriptorFirmwareTypeBios)
		if uefi {
			e.spec.Firmware = string(types.GuestOsDescriptorFirmwareTypeEfi)
		}
	}
	if changed(from.SecureBoot, to.SecureBoot) && (from.SecureBoot != nil || *to.SecureBoot) {
		e.bootOptions().EfiSecureBootEnabled = to.SecureBoot
	}
	if changed(from.TPM, to.TPM) {
		if *to.TPM && !e.hasKeyProvider(ctx) {
			return backends.Errorf(backends.Precondition, "", "", "a virtual TPM is encrypted, and vCenter has no key provider").
				At("tpm").Advise("Add a key provider to vCenter and make it the default, such as the native one (Configure, Security, Key Providers).")
		}
		e.tpm(*to.TPM)
	}
	return nil
}

// hasKeyProvider reports whether vCenter has any. Where the account may not know, the answer to what needs one tells.
func (e *edit) hasKeyProvider(ctx context.Context) bool {
	manager, err := crypto.GetManagerKmip(e.conn.VIM())
	if err != nil {
		return true
	}
	all, err := manager.ListKmipServers(ctx, nil)
	return err != nil || len(all) > 0
}

func (e *edit) tpm(wanted bool) {
	if wanted {
		e.add(&types.VirtualTPM{VirtualDevice: types.VirtualDevice{Key: e.layout.newKey()}}, "tpm")
		return
	}
	for _, d := range e.m.devices().SelectByType((*types.VirtualTPM)(nil)) {
		e.remove(d, "tpm")
	}
}

// bootOptions are those to send: all that there are, of which some change.
func (e *edit) bootOptions() *types.VirtualMachineBootOptions {
	if e.spec.BootOptions == nil {
		e.spec.BootOptions = &types.VirtualMachineBootOptions{}
		if e.m != nil && !e.creating && e.m.Config.BootOptions != nil {
			*e.spec.BootOptions = *e.m.Config.BootOptions
		}
	}
	return e.spec.BootOptions
}

func (m *machine) observeFirmware(spec *backends.VMSpec) {
	spec.Firmware = new("bios")
	if m.Config.Firmware == string(types.GuestOsDescriptorFirmwareTypeEfi) {
		spec.Firmware = new("uefi")
	}
	spec.SecureBoot = new(m.Config.BootOptions != nil && value(m.Config.BootOptions.EfiSecureBootEnabled))
	spec.TPM = new(len(m.devices().SelectByType((*types.VirtualTPM)(nil))) > 0)
}
