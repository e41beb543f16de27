package backendtest

import (
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var guestInfoCases = []Case{
	{
		Name: "guest/monitoring", Proves: []backends.Feature{backends.FeatureGuestMonitoring},
		Lacks: lacksGuest, Run: monitoring,
	},
	{
		Name: "guest/customization", Proves: []backends.Feature{backends.FeatureGuestCustomization},
		Lacks: lacksGuest, Run: customization,
	},
}

// monitoring asks the shared guest for what costs its agent more.
func monitoring(t *testing.T, e *Env) {
	id := e.Guest(t)
	g, err := e.GuestInfo(e.Ctx(t), id)
	if err != nil {
		t.Fatalf("GuestInfo: %v", err)
	}
	if len(g.FileSystems) == 0 {
		t.Errorf("the agent tells of no file system: %+v", g)
	}
	measured := false
	for _, f := range g.FileSystems {
		if f.MountPoint == "" || f.Type == "" || f.TotalBytes >= 0 && f.UsedBytes > f.TotalBytes {
			t.Errorf("a file system: %+v", f)
		}
		measured = measured || f.TotalBytes > 0 && f.UsedBytes >= 0
	}
	if !measured {
		t.Errorf("of no file system the size and what is used of it are known: %+v", g.FileSystems)
	}
	if d := time.Since(g.Time); !g.Time.IsZero() && (d < -time.Hour || d > time.Hour) {
		t.Errorf("the guest's clock says %s", g.Time)
	}
	for _, u := range g.Users {
		if u.Name == "" {
			t.Errorf("somebody without a name is logged in: %+v", g.Users)
		}
	}
	// A refresh does not pay for it.
	if vm := e.Read(t, id, guestAspects); vm.Guest != nil && (vm.Guest.FileSystems != nil || !vm.Guest.Time.IsZero()) {
		t.Errorf("GetVMs asked the agent for more than it needs: %+v", vm.Guest)
	}
}

// customization gives a guest its name without cloud-init's inputs.
func customization(t *testing.T, e *Env) {
	spec := e.guestSpec(t)
	spec.CloudInit = nil
	if e.Seed.GuestOS != "" {
		spec.GuestOS = &e.Seed.GuestOS
	}
	spec.Customization = &backends.Customization{Hostname: "customized", Domain: "example.org", TimeZone: "Europe/Madrid"}
	id := e.Create(t, spec)
	e.bootGuest(t, id)
	e.Eventually(t, "the guest taking its name", func() string {
		if got := e.awaitAgent(t, id).Guest.Hostname; got != "customized" && !strings.HasPrefix(got, "customized.") {
			return "it calls itself " + got
		}
		return ""
	})
	e.Matches(t, id, spec)
}
