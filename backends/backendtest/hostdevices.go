package backendtest

import (
	"fmt"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var hostDeviceCases = []Case{
	{
		Name:   "host_devices/given",
		Proves: []backends.Feature{backends.FeatureHostDevices},
		Lacks: func(h *Harness) string {
			if len(h.Seed.HostDevices) == 0 {
				return "Seed.HostDevices"
			}
			return ""
		},
		Run: hostDevices,
	},
}

// hostDevices gives each device to a VM, with the memory that some hypervisors
// want reserved for it, and takes it away.
func hostDevices(t *testing.T, e *Env) {
	for i, d := range e.Seed.HostDevices {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			bare := e.Spec()
			if e.Catalogue.Supports(backends.FeatureReservations) && e.has("memory.reservation_mib") {
				bare.Memory.ReservationMiB = bare.Memory.SizeMiB
			}
			spec := *bare
			spec.HostDevices = map[string]backends.HostDevice{"device": d}
			id := e.Create(t, &spec)
			if got := e.Read(t, id, all).Config.HostDevices; len(got) != 1 || got["device"] != d {
				t.Errorf("the devices read back as %+v, want %+v as device", got, d)
			}
			e.Power(t, id, backends.PowerOn)
			e.Matches(t, id, &spec)
			none := *bare
			none.HostDevices = map[string]backends.HostDevice{}
			e.ApplyAsPlanned(t, id, &none)
			e.ApplyAsPlanned(t, id, &spec)
		})
	}
	nothing := backends.HostDevice{PCI: "0000:fe:1f.7"}
	if e.Seed.HostDevices[0].Mapping != "" { // that is how devices are named there
		nothing = backends.HostDevice{Mapping: "no-such-device"}
	}
	missing := e.With(func(s *backends.VMSpec) {
		s.HostDevices = map[string]backends.HostDevice{"device": nothing}
	})
	wantPath(t, e.refuseCreate(t, missing, backends.NotFound), `host_devices["device"]`)
}
