package backendtest

import (
	"maps"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var vsphereCases = []Case{
	{
		Name:   "vsphere/options",
		Proves: []backends.Feature{backends.FeatureVSphereOptions},
		Run:    vsphereOptions,
	},
	{
		Name:   "vsphere/maps",
		Proves: []backends.Feature{backends.FeatureVSphereOptions},
		Run:    vsphereMaps,
	},
	{
		Name:   "vsphere/hardware_version",
		Proves: []backends.Feature{backends.FeatureVSphereOptions},
		Run:    hardwareVersion,
	},
}

// withVSphere is spec with options of vSphere's own.
func withVSphere(spec *backends.VMSpec, o backends.VSphereOptions) *backends.VMSpec {
	c := *spec
	c.VSphere = &o
	return &c
}

func vsphereOptions(t *testing.T, e *Env) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1)), Bus: new("scsi")})
	first := withVSphere(spec, backends.VSphereOptions{
		BootOrder: []string{"data", "root"}, BootDelayMs: new(int64(2000)),
		LatencySensitivity: new("low"), SCSIType: new("pvscsi"),
	})
	id := e.Create(t, first)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, first)
	e.ApplyAsPlanned(t, id, withVSphere(spec, backends.VSphereOptions{BootOrder: []string{"root", "data"}, BootDelayMs: new(int64(0))}))
	second := withVSphere(spec, backends.VSphereOptions{LatencySensitivity: new("normal"), SCSIType: new("lsilogic_sas")})
	e.ApplyAsPlanned(t, id, second)
	if o := e.Read(t, id, all).Config.VSphere; o == nil || !slices.Equal(o.BootOrder, []string{"root", "data"}) || value(o.BootDelayMs) != 0 {
		t.Errorf("what nobody changed reads back as %+v", o)
	}
	err := e.refuseCreate(t, withVSphere(e.Spec(), backends.VSphereOptions{BootOrder: []string{"nowhere"}}), backends.Invalid)
	wantPath(t, err, "vsphere.boot_order")
	wantNamed(t, err, "nowhere")
}

// vsphereMaps: pairs come, change and go, and no others are shown.
func vsphereMaps(t *testing.T, e *Env) {
	for name, set := range map[string]func(*backends.VSphereOptions, map[string]string){
		"extra_config":      func(o *backends.VSphereOptions, m map[string]string) { o.ExtraConfig = m },
		"custom_attributes": func(o *backends.VSphereOptions, m map[string]string) { o.CustomAttributes = m },
	} {
		with := func(spec *backends.VMSpec, m map[string]string) *backends.VMSpec {
			o := backends.VSphereOptions{}
			set(&o, m)
			return withVSphere(spec, o)
		}
		t.Run(name, func(t *testing.T) {
			if !e.has("vsphere." + name) {
				t.Log("this one cannot be had here")
				return
			}
			spec := with(e.Spec(), map[string]string{"conformance.one": "1", "conformance.two": "2"})
			id := e.Create(t, spec)
			e.Power(t, id, backends.PowerOn)
			e.Matches(t, id, spec)
			for _, m := range []map[string]string{
				{"conformance.two": "zwei", "conformance.three": "3"},
				{"conformance.three": "3"},
				{},
				{"conformance.one": "again"},
			} {
				e.ApplyAsPlanned(t, id, with(spec, m))
				got := backends.VSphereOptions{}
				if o := e.Read(t, id, all).Config.VSphere; o != nil {
					got = *o
				}
				have := map[string]map[string]string{"extra_config": got.ExtraConfig, "custom_attributes": got.CustomAttributes}[name]
				if !maps.Equal(have, m) {
					t.Errorf("%s reads back as %v, want %v", name, have, m)
				}
			}
		})
	}
}

func hardwareVersion(t *testing.T, e *Env) {
	with := func(spec *backends.VMSpec, version int64) *backends.VMSpec {
		return withVSphere(spec, backends.VSphereOptions{HardwareVersion: &version})
	}
	spec := with(e.Spec(), 13)
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	e.ApplyAsPlanned(t, id, with(spec, 14))
	WantCode(t, e.TryApply(t, id, with(spec, 13), backends.Cold), backends.Invalid, backends.Precondition)
	e.Matches(t, id, with(spec, 14))
	err := e.refuseCreate(t, with(e.Spec(), 3), backends.Invalid)
	wantPath(t, err, "vsphere.hardware_version")
}
