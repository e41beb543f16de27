package libvirt

import (
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// firmware is what a VM starts with.
type firmware struct {
	uefi       bool
	secureBoot bool
	loader     string // path of an image, instead of libvirt's choice
	// nvram is where the VM's firmware variables are kept. Named by the VM's UUID
	// and said explicitly, because libvirt's own default is named by the VM:
	// after a rename the variables would be left behind.
	nvram string
}

func firmwareOf(spec *backends.VMSpec) firmware {
	f := firmware{uefi: deref(spec.Firmware) == "uefi" || isTrue(spec.SecureBoot), secureBoot: isTrue(spec.SecureBoot)}
	if spec.Libvirt != nil {
		f.loader = deref(spec.Libvirt.Loader)
	}
	return f
}

// nvramFolder is where the system-wide libvirtd keeps firmware variables. That of a
// user's session lies in a home folder that only the host knows.
const nvramFolder = "/var/lib/libvirt/qemu/nvram/"

func setFirmware(d *libvirtxml.Domain, f firmware) {
	os := d.OS
	os.Firmware, os.FirmwareInfo, os.Loader, os.NVRam = "", nil, nil, nil
	if d.Features == nil {
		d.Features = &libvirtxml.DomainFeatureList{}
	}
	d.Features.SMM = nil
	if f.secureBoot {
		d.Features.SMM = &libvirtxml.DomainFeatureSMM{State: "on"}
	}
	if !f.uefi {
		if f.loader != "" {
			os.Loader = &libvirtxml.DomainLoader{Path: f.loader, Type: "rom"}
		}
		return
	}
	if f.nvram != "" {
		os.NVRam = &libvirtxml.DomainNVRam{NVRam: f.nvram}
	}
	if f.loader != "" {
		os.Loader = &libvirtxml.DomainLoader{Path: f.loader, Readonly: "yes", Type: "pflash"}
		if f.secureBoot {
			os.Loader.Secure = "yes"
		}
		return
	}
	os.Firmware = "efi"
	enabled := "no"
	if f.secureBoot {
		enabled = "yes"
	}
	os.FirmwareInfo = &libvirtxml.DomainOSFirmwareInfo{Features: []libvirtxml.DomainOSFirmwareFeature{
		{Name: "enrolled-keys", Enabled: enabled},
		{Name: "secure-boot", Enabled: enabled},
	}}
}

// observeFirmware reads it back. Newer libvirts write the image that they chose
// beside the wish; the wish counts, where there is one.
func observeFirmware(d *libvirtxml.Domain) firmware {
	var f firmware
	if d.OS == nil {
		return f
	}
	if d.OS.NVRam != nil {
		f.nvram = strings.TrimSpace(d.OS.NVRam.NVRam)
	}
	if d.OS.Firmware == "efi" {
		f.uefi = true
		for _, feature := range featuresOf(d.OS) {
			if feature.Name == "secure-boot" && feature.Enabled == "yes" {
				f.secureBoot = true
			}
		}
		if d.OS.Loader != nil && d.OS.Loader.Secure == "yes" && len(featuresOf(d.OS)) == 0 {
			f.secureBoot = true
		}
		return f
	}
	if l := d.OS.Loader; l != nil {
		f.loader = strings.TrimSpace(l.Path)
		f.uefi = l.Type == "pflash"
		f.secureBoot = f.uefi && l.Secure == "yes"
	}
	return f
}

func featuresOf(os *libvirtxml.DomainOS) []libvirtxml.DomainOSFirmwareFeature {
	if os.FirmwareInfo == nil {
		return nil
	}
	return os.FirmwareInfo.Features
}

func (f firmware) String() string {
	if f.uefi {
		return "uefi"
	}
	return "bios"
}

// setTPM adds or removes an emulated TPM 2.0.
func setTPM(d *libvirtxml.Domain, want bool) {
	if want == hasTPM(d) {
		return
	}
	d.Devices.TPMs = nil
	if !want {
		return
	}
	// CRB is what UEFI guests expect; a BIOS only knows TIS.
	model := "tpm-tis"
	if observeFirmware(d).uefi {
		model = "tpm-crb"
	}
	d.Devices.TPMs = []libvirtxml.DomainTPM{{
		Model:   model,
		Backend: &libvirtxml.DomainTPMBackend{Emulator: &libvirtxml.DomainTPMBackendEmulator{Version: "2.0"}},
	}}
}

func hasTPM(d *libvirtxml.Domain) bool { return d.Devices != nil && len(d.Devices.TPMs) > 0 }

// machineFamily is the short name of a machine type: "q35" for "pc-q35-7.2",
// "pc" for "pc-i440fx-7.2"; another one is its own family.
func machineFamily(machine string) string {
	switch {
	case machine == "q35", strings.HasPrefix(machine, "pc-q35-"):
		return "q35"
	case machine == "pc", strings.HasPrefix(machine, "pc-i440fx-"):
		return "pc"
	}
	return machine
}

// observeMachine gives the family, or the exact type where that was asked for.
func observeMachine(d *libvirtxml.Domain, m *mark) *string {
	if d.OS == nil || d.OS.Type == nil || d.OS.Type.Machine == "" {
		return nil
	}
	machine := d.OS.Type.Machine
	if m != nil && m.Machine == machine {
		return ptr(machine)
	}
	return ptr(machineFamily(machine))
}
