package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var firmwareCases = []Case{
	{
		Name: "firmware/uefi", Proves: []backends.Feature{backends.FeatureUEFI},
		Run: func(t *testing.T, e *Env) {
			firmware(t, e, func(s *backends.VMSpec) { s.Firmware = new("uefi") })
		},
	},
	{
		Name: "firmware/secure_boot", Proves: []backends.Feature{backends.FeatureSecureBoot},
		Run: func(t *testing.T, e *Env) {
			firmware(t, e, func(s *backends.VMSpec) { s.Firmware, s.SecureBoot = new("uefi"), new(true) })
		},
	},
	{
		Name: "firmware/tpm", Proves: []backends.Feature{backends.FeatureTPM},
		Run: func(t *testing.T, e *Env) {
			firmware(t, e, func(s *backends.VMSpec) { s.Firmware, s.TPM = new("uefi"), new(true) })
		},
	},
	{Name: "firmware/libvirt_options", Proves: []backends.Feature{backends.FeatureLibvirtOptions}, Run: libvirtOptions},
}

// firmware makes, starts, changes and deletes a VM whose state outside its
// disks (variables, TPM) must come and go with it, twice under one name.
func firmware(t *testing.T, e *Env, edit func(*backends.VMSpec)) {
	spec := e.With(edit)
	for range 2 {
		id := e.Create(t, spec)
		e.Power(t, id, backends.PowerOn)
		e.Matches(t, id, spec)
		e.Power(t, id, backends.PowerOff)
		to := *spec
		to.Description = new("changed")
		to.Memory.SizeMiB = new(int64(320))
		e.Apply(t, id, &to, backends.Cold)
		e.Power(t, id, backends.PowerOn)
		if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
			t.Fatalf("DeleteVM: %v", err)
		}
		e.Gone(t, id)
	}
}

func libvirtOptions(t *testing.T, e *Env) {
	spec := e.With(func(s *backends.VMSpec) {
		s.Libvirt = &backends.LibvirtOptions{Machine: new("q35"), Autostart: new(true)}
	})
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	to := *spec
	to.Libvirt = &backends.LibvirtOptions{Machine: new("q35"), Autostart: new(false)}
	e.Apply(t, id, &to, backends.Live)
	e.Power(t, id, backends.PowerOff)
	to.Libvirt.Machine = new("pc")
	e.Apply(t, id, &to, backends.Cold)
	e.Power(t, id, backends.PowerOn)
}
