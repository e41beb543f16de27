package backendtest

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var cloudInitCases = []Case{
	{
		Name: "cloudinit/inputs", Proves: []backends.Feature{backends.FeatureCloudInit},
		Run: cloudInitInputs,
	},
	{
		Name: "cloudinit/write_only_user_data", Proves: []backends.Feature{backends.FeatureCloudInit},
		Run: writeOnlyUserData,
	},
	{
		Name: "cloudinit/static_ip", Proves: []backends.Feature{backends.FeatureStaticIP},
		Lacks: either(lacksGuest, lacks("StaticIPv4", func(s *Seed) string { return s.StaticIPv4 })),
		Run:   staticIP,
	},
}

// cloudInitInputs reads back and changes every input.
func cloudInitInputs(t *testing.T, e *Env) {
	spec := e.With(func(s *backends.VMSpec) {
		s.CloudInit = &backends.CloudInit{
			Hostname:   new("one"),
			UserData:   new("#cloud-config\npackages: [htop]\n"),
			VendorData: new("#cloud-config\n{}\n"),
			MetaData:   new("custom: value\n"),
			InstanceID: new("i-1"),
			SSHKeys:    []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuxoeK4HJ0jh7wCcAfwacXbCKagpVDtldXKwDU9eAKq test"},
			Users:      []backends.CloudUser{{Name: "ada", Groups: []string{"sudo"}, Shell: "/bin/bash", PasswordHash: "$6$x$y"}},
		}
		s.DNS = &backends.DNS{Servers: []string{"192.0.2.53"}, Search: []string{"example.org"}}
	})
	id := e.Create(t, spec)
	if vm := e.Read(t, id, backends.AspectConfig|backends.AspectRuntime); vm.Config.CloudInit != nil {
		t.Error("the seed was read although AspectSeed was not asked for")
	}
	to := *spec
	changed := *spec.CloudInit
	changed.Hostname, changed.UserData = new("two"), new("#cloud-config\npackages: [tmux]\n")
	to.CloudInit = &changed
	to.DNS = &backends.DNS{Servers: []string{"192.0.2.54"}, Search: []string{}}
	e.Apply(t, id, &to, backends.Cold)

	// A running VM takes them without a restart: they matter at its next one.
	e.Power(t, id, backends.PowerOn)
	changed.Hostname = new("three")
	e.Apply(t, id, &to, backends.Live)
	e.InState(t, id, backends.Running)
}

func writeOnlyUserData(t *testing.T, e *Env) {
	const secret = "hunter2-conformance"
	spec := e.With(func(s *backends.VMSpec) {
		s.CloudInit = &backends.CloudInit{UserData: new("#cloud-config\npassword: " + secret + "\n"), UserDataVersion: new(int64(1))}
	})
	id := e.Create(t, spec)
	got := e.Read(t, id, all).Config.CloudInit
	if got == nil || got.UserDataVersion == nil || *got.UserDataVersion != 1 {
		t.Fatalf("the version does not read back: %+v", got)
	}
	if got.UserData != nil {
		t.Error("user data that stands behind a version was told back")
	}
	to := *spec
	to.CloudInit = &backends.CloudInit{UserData: new("#cloud-config\n{}\n"), UserDataVersion: new(int64(2))}
	e.Apply(t, id, &to, backends.Cold)
}

func staticIP(t *testing.T, e *Env) {
	spec := e.guestSpec(t)
	spec.Networks = map[string]backends.NIC{"lan": {
		Network: new(e.Seed.Network),
		IPv4:    &backends.IPConfig{Address: e.Seed.StaticIPv4, Gateway: e.Seed.StaticGateway},
	}}
	want, err := netip.ParsePrefix(e.Seed.StaticIPv4)
	if err != nil {
		t.Fatalf("Seed.StaticIPv4: %v", err)
	}
	id := e.Create(t, spec)
	if vm := e.Read(t, id, backends.AspectConfig); vm.Config.Networks["lan"].IPv4 != nil {
		t.Error("the static address was read although AspectSeed was not asked for")
	}
	e.Power(t, id, backends.PowerOn)
	e.Eventually(t, "the guest having the static address", func() string {
		got := e.Read(t, id, guestAspects).Networks["lan"].Addresses
		if !slices.Contains(got, want.Addr().String()) {
			return fmt.Sprintf("its addresses are %v", got)
		}
		return ""
	})
}
