package cloudinit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func TestCustomization(t *testing.T) {
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		spec   backends.VMSpec
		host   string // local-hostname
		vendor string
	}{
		"all": {
			backends.VMSpec{Name: "vm", Customization: &backends.Customization{Hostname: "web", Domain: "example.org", TimeZone: "Europe/Madrid"}},
			"web.example.org", "#cloud-config\ntimezone: Europe/Madrid\n",
		},
		"domain of the VM's name": {
			backends.VMSpec{Name: "My VM", Customization: &backends.Customization{Domain: "example.org"}},
			"my-vm.example.org", "",
		},
		"domain of cloud_init's host name": {
			backends.VMSpec{Name: "vm", CloudInit: &backends.CloudInit{Hostname: text("db")}, Customization: &backends.Customization{Domain: "example.org"}},
			"db.example.org", "",
		},
		"domain that is there": {
			backends.VMSpec{Name: "vm", Customization: &backends.Customization{Hostname: "web.example.org", Domain: "example.org"}},
			"web.example.org", "",
		},
		"vendor data": {
			backends.VMSpec{Name: "vm", CloudInit: &backends.CloudInit{VendorData: text("#cloud-config\npackages: [vim]\n")}, Customization: &backends.Customization{TimeZone: "UTC"}},
			"vm", "#cloud-config\npackages: [vim]\ntimezone: UTC\n",
		},
		"vendor data with a time zone": {
			backends.VMSpec{Name: "vm", CloudInit: &backends.CloudInit{VendorData: text("#cloud-config\ntimezone: Asia/Tokyo\n")}, Customization: &backends.Customization{TimeZone: "UTC"}},
			"vm", "#cloud-config\ntimezone: Asia/Tokyo\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if problems := Validate(&c.spec); len(problems) > 0 {
				t.Errorf("refused: %+v", problems)
			}
			seed, err := Render(Input{InstanceID: "i", Spec: &c.spec})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(seed.MetaData, "local-hostname: "+c.host+"\n") {
				t.Errorf("meta-data is %q, want the host %s", seed.MetaData, c.host)
			}
			if seed.VendorData != c.vendor {
				t.Errorf("vendor data is %q, want %q", seed.VendorData, c.vendor)
			}
			in, err := ParseInputs(seed.Inputs)
			if err != nil {
				t.Fatal(err)
			}
			back := backends.VMSpec{Name: c.spec.Name}
			in.Apply(&back)
			if diff := cmp.Diff(c.spec, back); diff != "" {
				t.Errorf("told back (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCustomizationRefused(t *testing.T) {
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		custom backends.Customization
		init   *backends.CloudInit
		path   backends.Path
	}{
		"host name":      {backends.Customization{Hostname: "no spaces"}, nil, "customization.hostname"},
		"domain":         {backends.Customization{Domain: ".org"}, nil, "customization.domain"},
		"time zone":      {backends.Customization{TimeZone: "half past"}, nil, "customization.time_zone"},
		"two host names": {backends.Customization{Hostname: "a"}, &backends.CloudInit{Hostname: text("b")}, "customization.hostname"},
		"meta-data":      {backends.Customization{Domain: "a.org"}, &backends.CloudInit{MetaData: text("local-hostname: b")}, "customization.hostname"},
	} {
		t.Run(name, func(t *testing.T) {
			problems := Validate(&backends.VMSpec{Name: "vm", Customization: &c.custom, CloudInit: c.init})
			if len(problems) != 1 || problems[0].Path != c.path || problems[0].Warning {
				t.Errorf("problems: %+v", problems)
			}
		})
	}
}

// What sysprep is told comes back from a seed, but no secret does.
func TestWindowsCustomizationWithoutSecrets(t *testing.T) {
	version := int64(2)
	spec := backends.VMSpec{Name: "dc", Customization: &backends.Customization{Windows: &backends.WindowsCustomization{
		FullName: "Ops", RunOnce: []string{"echo"}, PasswordVersion: &version,
		AdminPassword: "s3cret", DomainPassword: "s3cret", ProductKey: "s3cret",
	}}}
	seed, err := Render(Input{Spec: &spec})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(seed.Inputs), "s3cret") {
		t.Errorf("the inputs hold a secret: %s", seed.Inputs)
	}
	in, err := ParseInputs(seed.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	w := in.Customization.Windows
	if w == nil || w.FullName != "Ops" || len(w.RunOnce) != 1 || w.PasswordVersion == nil || *w.PasswordVersion != 2 {
		t.Errorf("what comes back is %+v", w)
	}
}
