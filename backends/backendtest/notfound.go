package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var notFoundCases = []Case{
	{Name: "notfound/vm", Run: missingVM},
	{Name: "notfound/image", Run: missingImage},
	{Name: "notfound/storage", Needs: []backends.Feature{backends.FeatureStoragePools}, Run: missingStorage},
	{Name: "notfound/network", Needs: []backends.Feature{backends.FeatureNetwork}, Run: missingNetwork},
	{Name: "notfound/iso", Needs: []backends.Feature{backends.FeatureCDROM}, Run: missingISO},
	{Name: "notfound/disk", Needs: []backends.Feature{backends.FeatureDiskVolume}, Run: missingDisk},
}

// missingVM calls everything that names a VM.
func missingVM(t *testing.T, e *Env) {
	id := e.Seed.MissingVM
	e.Gone(t, id)
	calls := map[string]func() error{
		"Reconfigure": func() error {
			to := &backends.VMSpec{Name: "x", Description: new("y")}
			return e.Reconfigure(e.Ctx(t), id, backends.Reconfiguration{
				Desired: to, Changes: backends.Diff(&backends.VMSpec{Name: "x"}, to),
			})
		},
		"DeleteVM":  func() error { return e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}) },
		"WaitPower": func() error { return e.WaitPower(e.Ctx(t), id, backends.Stopped) },
	}
	for _, action := range []backends.PowerAction{backends.PowerOn, backends.PowerOff, backends.Shutdown, backends.Reset} {
		calls["SetPower "+string(action)] = func() error { return e.SetPower(e.Ctx(t), id, action) }
	}
	if e.Catalogue.Supports(backends.FeatureGuestAgent) {
		calls["GuestInfo"] = func() error { _, err := e.GuestInfo(e.Ctx(t), id); return err }
	}
	if e.Catalogue.Supports(backends.FeatureMigration) {
		calls["Migrate"] = func() error {
			return e.Migrate(e.Ctx(t), id, backends.PlacementSpec{Host: new(e.Seed.SecondHost)})
		}
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			err := WantCode(t, call(), backends.NotFound)
			wantNamed(t, err, string(id))
		})
	}
}

func missingImage(t *testing.T, e *Env) {
	_, err := e.GetImage(e.Ctx(t), "no-such-image")
	WantCode(t, err, backends.NotFound)
	WantCode(t, e.DeleteImage(e.Ctx(t), "no-such-image"), backends.NotFound)

	spec := e.With(func(s *backends.VMSpec) { s.Image = "no-such-image" })
	wantPath(t, e.refuseCreate(t, spec, backends.NotFound), "image")
}

func missingStorage(t *testing.T, e *Env) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1)), Storage: new("no-such-storage")})
	err := e.refuseCreate(t, spec, backends.NotFound)
	wantPath(t, err, `disks["data"].storage`)
	wantNamed(t, err, "no-such-storage")
}

func missingNetwork(t *testing.T, e *Env) {
	spec := e.With(func(s *backends.VMSpec) {
		s.Networks = map[string]backends.NIC{"lan": {Network: new("no-such-network")}}
	})
	err := e.refuseCreate(t, spec, backends.NotFound)
	wantPath(t, err, `networks["lan"].network`)
	wantNamed(t, err, "no-such-network")
}

func missingISO(t *testing.T, e *Env) {
	spec := e.With(func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "no-such-iso"} })
	wantPath(t, e.refuseCreate(t, spec, backends.NotFound), "cdrom.iso")
}

func missingDisk(t *testing.T, e *Env) {
	_, err := e.GetDisk(e.Ctx(t), "no-such-disk")
	WantCode(t, err, backends.NotFound)
	WantCode(t, e.DeleteDisk(e.Ctx(t), "no-such-disk"), backends.NotFound)
	WantCode(t, e.ResizeDisk(e.Ctx(t), "no-such-disk", 2), backends.NotFound)
	spec := withDisk(e.Spec(), "data", backends.Disk{Volume: new("no-such-disk")})
	wantPath(t, e.refuseCreate(t, spec, backends.NotFound), `disks["data"].volume`)
}

// refuseCreate creates a VM, which must fail with one of codes, name the VM and
// leave nothing behind.
func (e *Env) refuseCreate(t *testing.T, spec *backends.VMSpec, codes ...backends.Code) *backends.Error {
	t.Helper()
	before := e.Named(t, spec.Name)
	id, err := e.CreateVM(e.Ctx(t), spec)
	e.DeleteLater(t, id)
	failed := WantCode(t, err, codes...)
	wantNamed(t, failed, spec.Name)
	if id == "" && len(e.Named(t, spec.Name)) != len(before) {
		t.Errorf("a VM %q was left behind and its id was not returned", spec.Name)
	}
	return failed
}
