package cloudinit

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func p[T any](v T) *T { return &v }

const (
	key1 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f one@example.org"
	key2 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA two@example.org"
	hash = "$6$rounds=4096$saltsalt$abcdefghijklmnop"
)

// full uses each field that reaches the guest.
func full() Input {
	return Input{
		InstanceID: "2c2f9b60-5b39-4e8a-a7a7-0f2b2c1d9e11",
		NICs:       []NIC{{"lan", "52:54:00:12:34:56"}, {"Storage Net/10GbE", "52:54:00:12:34:57"}, {"guest", "52:54:00:AB:CD:EF"}},
		Spec: &backends.VMSpec{
			Name: "Web 01",
			Networks: map[string]backends.NIC{
				"lan": {
					MTU:  p(int64(1450)),
					IPv4: &backends.IPConfig{Address: "10.0.0.5/24", Gateway: "10.0.0.1", Extra: []string{"10.0.0.6/24"}, Routes: []backends.Route{{To: "10.8.0.0/16", Via: "10.0.0.254"}}},
					IPv6: &backends.IPConfig{Address: "2001:db8::5/64", Gateway: "fe80::1"},
				},
				"Storage Net/10GbE": {IPv4: &backends.IPConfig{Address: "192.168.9.5/32", Gateway: "192.168.8.1"}},
				"guest":             {},
			},
			DNS: &backends.DNS{Servers: []string{"10.0.0.53", "2001:db8::53"}, Search: []string{"example.org"}},
			CloudInit: &backends.CloudInit{
				UserData: p("#cloud-config\n# keep me\npackages: [nginx]\n"),
				MetaData: p("# rack\nrack: r12\nlocal-hostname: chosen\n"),
				Users: []backends.CloudUser{{
					Name: "ops", Groups: []string{"adm", "sudo"}, Shell: "/bin/bash",
					Sudo: "ALL=(ALL) NOPASSWD:ALL", PasswordHash: hash, SSHKeys: []string{key2},
				}},
				SSHKeys: []string{key1},
			},
		},
	}
}

func render(t *testing.T, in Input) Seed {
	t.Helper()
	s, err := Render(in)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRender_full(t *testing.T) {
	s := render(t, full())
	golden(t, "full.user-data.yaml", s.UserData)
	golden(t, "full.meta-data.yaml", s.MetaData)
	golden(t, "full.network-config.yaml", s.NetworkConfig)
	golden(t, "full.inputs.json", string(s.Inputs))
	// The gateway beyond a host prefix is meant.
	if problems := Validate(full().Spec); len(problems) != 1 || !problems[0].Warning {
		t.Errorf("Validate: %v", problems)
	}
}

func TestRender_empty(t *testing.T) {
	s := render(t, Input{InstanceID: "id-1"})
	want := Seed{UserData: "#cloud-config\n{}\n", MetaData: "instance-id: id-1\nlocal-hostname: vm\n", Inputs: []byte("{\n  \"version\": 1\n}\n")}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
}

func TestRender_metaData(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		id         *string
		want       string
	}{
		{"none", "", nil, "instance-id: uuid\nlocal-hostname: web\n"},
		{"user adds", "region: yes\n", nil, "instance-id: uuid\nlocal-hostname: web\nregion: yes\n"},
		{"user wins", "local-hostname: mine\ninstance-id: own\n", nil, "local-hostname: mine\ninstance-id: own\n"},
		{"attribute wins", "instance-id: own\nlocal-hostname: mine\n", p("uuid"), "instance-id: uuid\nlocal-hostname: mine\n"},
		{"a number stays text", "", p("123"), "instance-id: \"123\"\nlocal-hostname: web\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ci := &backends.CloudInit{MetaData: p(tt.text), InstanceID: tt.id}
			id := "uuid"
			if tt.id != nil {
				id = *tt.id
			}
			s := render(t, Input{InstanceID: id, Spec: &backends.VMSpec{Name: "web", CloudInit: ci}})
			if s.MetaData != tt.want {
				t.Errorf("got\n%s\nwant\n%s", s.MetaData, tt.want)
			}
		})
	}
	if _, err := Render(Input{Spec: &backends.VMSpec{CloudInit: &backends.CloudInit{MetaData: p("- a\n")}}}); err == nil {
		t.Error("a list was accepted as meta_data")
	}
}

func TestHostname(t *testing.T) {
	for in, want := range map[string]string{
		"web": "web", "Web_01": "web-01", "web.Example.org": "web.example.org", "--a--": "a",
		"": "vm", "ü": "vm", "a b  c": "a-b-c", "..a..b": "a.b",
		strings.Repeat("x", 70): strings.Repeat("x", 63),
	} {
		got := Hostname(in)
		if got != want {
			t.Errorf("Hostname(%q) = %q, want %q", in, got, want)
		}
		if why := badHostname(got); why != "" {
			t.Errorf("Hostname(%q) = %q: %s", in, got, why)
		}
	}
}

func TestDigest(t *testing.T) {
	base := render(t, full())
	if Digest(base) != Digest(render(t, full())) {
		t.Error("equal inputs, different digests")
	}
	seen := map[string]string{Digest(base): "unchanged"}
	for name, change := range map[string]func(*Seed){
		"user-data":      func(s *Seed) { s.UserData += "#" },
		"moved boundary": func(s *Seed) { s.MetaData, s.UserData = s.MetaData[1:], s.UserData+s.MetaData[:1] },
		"vendor-data":    func(s *Seed) { s.VendorData = "#cloud-config\n" },
		"network-config": func(s *Seed) { s.NetworkConfig, s.VendorData = "", s.NetworkConfig },
		"inputs":         func(s *Seed) { s.Inputs = nil },
	} {
		s := base
		change(&s)
		if other, ok := seen[Digest(s)]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[Digest(s)] = name
	}
}

func TestInputs_roundTrip(t *testing.T) {
	spec := full().Spec
	in, err := ParseInputs(render(t, full()).Inputs)
	if err != nil {
		t.Fatal(err)
	}
	observed := &backends.VMSpec{Name: spec.Name, Networks: map[string]backends.NIC{}}
	for key, nic := range spec.Networks {
		nic.IPv4, nic.IPv6 = nil, nil
		observed.Networks[key] = nic
	}
	in.Apply(observed)
	if diff := cmp.Diff(spec, observed); diff != "" {
		t.Error(diff)
	}
}

func TestInputs_emptyIsNotAbsent(t *testing.T) {
	spec := &backends.VMSpec{DNS: &backends.DNS{Servers: []string{}}, CloudInit: &backends.CloudInit{Hostname: p(""), SSHKeys: []string{}}}
	in, err := ParseInputs(render(t, Input{Spec: spec}).Inputs)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in.CloudInit, spec.CloudInit) || !reflect.DeepEqual(in.DNS, spec.DNS) {
		t.Errorf("got %+v and %+v", in.CloudInit, in.DNS)
	}
}

func TestInputs_writeOnlyUserData(t *testing.T) {
	spec := &backends.VMSpec{CloudInit: &backends.CloudInit{UserData: p("#!/bin/sh\n# hunter2\n"), UserDataVersion: p(int64(3))}}
	s := render(t, Input{Spec: spec})
	if strings.Contains(string(s.Inputs), "hunter2") {
		t.Error("write-only user data is told back")
	}
	if !strings.Contains(s.UserData, "hunter2") {
		t.Error("the guest does not get it")
	}
	if *spec.CloudInit.UserData == "" {
		t.Error("the specification was changed")
	}
	in, err := ParseInputs(s.Inputs)
	if err != nil || in.CloudInit.UserData != nil || *in.CloudInit.UserDataVersion != 3 {
		t.Errorf("got %+v, %v", in.CloudInit, err)
	}
}

func TestParseInputs_errors(t *testing.T) {
	for _, data := range []string{"{", "[]", `{"version":2}`, `{}`, `{"version":1,"dns":3}`} {
		if _, err := ParseInputs([]byte(data)); err == nil {
			t.Errorf("%s was accepted", data)
		}
	}
	if in, err := ParseInputs(nil); err != nil || !reflect.DeepEqual(in, Inputs{}) {
		t.Errorf("no data: %+v, %v", in, err)
	}
}
