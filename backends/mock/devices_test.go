package mock_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

// TestPolicies: a policy chooses the storage, or must be satisfied by it.
func TestPolicies(t *testing.T) {
	b := open(t, mock.Options{})
	with := func(d backends.Disk) *backends.VMSpec {
		d.SizeGiB = new(int64(1))
		return spec("vm", func(s *backends.VMSpec) { s.Disks["root"] = d })
	}
	id := create(t, b, with(backends.Disk{Policy: new("gold")}))
	if got := *get(t, b, id).Config.Disks["root"].Storage; got != "fast" {
		t.Errorf("the disk is on %q", got)
	}
	policy := func(name string) error {
		return change(t, b, id, backends.Live, func(s *backends.VMSpec) {
			d := s.Disks["root"]
			d.Policy = &name
			s.Disks["root"] = d
		})
	}
	if err := policy("silver"); err != nil {
		t.Errorf("a policy that the storage satisfies: %v", err)
	}
	if got := *get(t, b, id).Config.Disks["root"].Policy; got != "silver" {
		t.Errorf("the policy is %q", got)
	}
	err := policy("bronze")
	wantCode(t, err, backends.Invalid, `"fast"`, "default")
	wantCode(t, policy("lead"), backends.NotFound, `"lead"`, "bronze, gold, silver")
	_, err = b.CreateVM(t.Context(), &backends.VMSpec{Name: "other", Disks: map[string]backends.Disk{"root": {Policy: new("gold"), Storage: new("default")}}})
	wantCode(t, err, backends.Invalid, `"default"`, `"gold"`)
	wantCode(t, b.Migrate(t.Context(), id, backends.PlacementSpec{Storage: new("default")}), backends.Invalid, "silver")
	v, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "d", Disk: backends.Disk{Policy: new("silver")}})
	if err != nil || *v.Disk.Storage != "datastore1" {
		t.Errorf("the disk is %+v (%v)", v, err)
	}
	_, err = b.CreateDisk(t.Context(), backends.DiskSpec{Name: "e", Disk: backends.Disk{Policy: new("gold"), Storage: new("small")}})
	wantCode(t, err, backends.Invalid, "small")
	_, err = open(t, mock.Options{Imitate: backends.Libvirt}).CreateDisk(t.Context(), backends.DiskSpec{Name: "e", Disk: backends.Disk{Policy: new("gold")}})
	wantCode(t, err, backends.Unsupported, "policies")
}

// TestConsole: an address for a while, with a ticket for once.
func TestConsole(t *testing.T) {
	clock := newQuick()
	b := open(t, mock.Options{Clock: clock})
	id := create(t, b, spec("vm"))
	_, err := b.Console(t.Context(), id)
	wantCode(t, err, backends.Precondition, "stopped", "Start")
	power(t, b, id, backends.PowerOn)
	one, err := b.Console(t.Context(), id)
	if err != nil || one.Type != "vnc" || !strings.HasPrefix(one.URL, "vnc://mock-0") || !one.Expires.After(clock.Now()) {
		t.Errorf("the console is %+v (%v)", one, err)
	}
	if two, err := b.Console(t.Context(), id); err != nil || two.URL == one.URL {
		t.Errorf("the second ticket is the first: %s (%v)", two.URL, err)
	}
	power(t, b, id, backends.PowerOff)
	if err := change(t, b, id, backends.Cold, func(s *backends.VMSpec) {
		s.Console = &backends.ConsoleSpec{Type: new("spice"), Port: new(int64(5999)), Password: new("s3cret"), PasswordVersion: new(int64(3))}
	}); err != nil {
		t.Fatal(err)
	}
	power(t, b, id, backends.PowerOn)
	c := get(t, b, id)
	if c.ConsoleType != "spice" || c.Config.Console.Password != nil || *c.Config.Console.PasswordVersion != 3 {
		t.Errorf("the VM has %q, %+v", c.ConsoleType, c.Config.Console)
	}
	if got, err := b.Console(t.Context(), id); err != nil || !strings.Contains(got.URL, ":5999/") || strings.Contains(got.URL, "s3cret") {
		t.Errorf("the console is %+v (%v)", got, err)
	}
	none := create(t, b, spec("blind", func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: new("none")} }))
	power(t, b, none, backends.PowerOn)
	_, err = b.Console(t.Context(), none)
	wantCode(t, err, backends.Precondition, "without a console")
}

// TestDevices: values that make no sense blame their attribute.
func TestDevices(t *testing.T) {
	b := open(t, mock.Options{})
	for path, edit := range map[backends.Path]func(*backends.VMSpec){
		"watchdog":     func(s *backends.VMSpec) { s.Watchdog = new("bark") },
		"console.type": func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: new("teletype")} },
		"console.port": func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Port: new(int64(70000))} },
		`disks["root"].iops_limit`: func(s *backends.VMSpec) {
			s.Disks["root"] = backends.Disk{IOPSLimit: new(int64(-1))}
		},
		`disks["root"].throughput_mib`: func(s *backends.VMSpec) {
			s.Disks["root"] = backends.Disk{ThroughputMiB: new(int64(-1))}
		},
		`networks["lan"].bandwidth_mbps`: func(s *backends.VMSpec) {
			s.Networks = map[string]backends.NIC{"lan": {BandwidthMbps: new(int64(-1))}}
		},
	} {
		_, err := b.CreateVM(t.Context(), spec("vm", edit))
		wantCode(t, err, backends.Invalid)
		if e := new(backends.Error); !errors.As(err, &e) || e.Path != path {
			t.Errorf("the error blames %q, want %q", e.Path, path)
		}
	}
	id := create(t, b, spec("vm", func(s *backends.VMSpec) { s.Watchdog, s.RNG = new("pause"), new(true) }))
	power(t, b, id, backends.PowerOn)
	wantCode(t, change(t, b, id, backends.Live, func(s *backends.VMSpec) { s.Watchdog = new("") }), backends.Precondition, "watchdog")
}

// TestGuestMonitoring: what an agent tells is consistent with the VM.
func TestGuestMonitoring(t *testing.T) {
	clock := newQuick()
	b := open(t, mock.Options{Clock: clock, SampleData: true})
	id := create(t, b, &backends.VMSpec{
		Name: "vm", Image: "default/debian-12",
		Disks:         map[string]backends.Disk{"root": {SizeGiB: new(int64(20))}, "data": {SizeGiB: new(int64(5))}},
		Customization: &backends.Customization{Hostname: "told", TimeZone: "Europe/Madrid"},
		CloudInit:     &backends.CloudInit{Users: []backends.CloudUser{{Name: "ada"}}},
	})
	power(t, b, id, backends.PowerOn)
	started := clock.Now()
	<-clock.After(time.Hour)
	g, err := b.GuestInfo(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if g.Hostname != "told" || g.TimeZone != "Europe/Madrid" || !g.Time.Equal(clock.Now()) {
		t.Errorf("the guest says %+v", g)
	}
	if len(g.Users) != 1 || g.Users[0].Name != "ada" || started.Sub(g.Users[0].Since).Abs() > time.Second {
		t.Errorf("the guest's users are %+v", g.Users)
	}
	if len(g.FileSystems) != 2 {
		t.Fatalf("the guest's file systems are %+v", g.FileSystems)
	}
	for _, fs := range g.FileSystems {
		size := map[string]int64{"/": 20 << 30, "/mnt/data": 5 << 30}[fs.MountPoint]
		if fs.TotalBytes <= size*9/10 || fs.TotalBytes >= size || fs.UsedBytes <= 0 || fs.UsedBytes > fs.TotalBytes || fs.Type != "ext4" {
			t.Errorf("the file system %+v is on %d bytes", fs, size)
		}
	}
}

// TestWindowsCustomization: what sysprep gets is taken, changed and told as one.
func TestWindowsCustomization(t *testing.T) {
	b := open(t, mock.Options{})
	with := func(organization string) *backends.VMSpec {
		return spec("vm", func(s *backends.VMSpec) {
			s.Customization = &backends.Customization{Hostname: "win", Windows: &backends.WindowsCustomization{Organization: organization}}
		})
	}
	id := create(t, b, with("one"))
	vm := get(t, b, id)
	to := with("two")
	to.Customization.Windows.AdminPassword, to.Customization.Windows.PasswordVersion = "s3cret", new(int64(1))
	r := backends.Reconfiguration{Desired: to, Changes: backends.Diff(&vm.Config, to), Mode: backends.Cold}
	if err := b.Reconfigure(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	noDiff(t, get(t, b, id), to)
	if w := get(t, b, id).Config.Customization.Windows; w.AdminPassword != "" || *w.PasswordVersion != 1 {
		t.Errorf("the password is told back: %+v", w)
	}
	plain := create(t, b, spec("plain"))
	vm = get(t, b, plain)
	to = with("three")
	to.Name = "plain"
	r = backends.Reconfiguration{Desired: to, Changes: backends.Diff(&vm.Config, to), Mode: backends.Cold}
	if err := b.Reconfigure(t.Context(), plain, r); err != nil {
		t.Fatal(err)
	}
	noDiff(t, get(t, b, plain), to)
}
