package backends_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// catalogue claims everything but secure boot and migration.
func catalogue() backends.Catalogue {
	c := backends.Catalogue{
		Backend: "test", Support: map[backends.Feature]backends.Support{},
		Accepts: map[string][]string{"disks.bus": {"virtio", "scsi"}},
	}
	for _, f := range backends.Features() {
		c.Support[f.ID] = backends.Support{Level: backends.Full}
	}
	c.Support[backends.FeatureSecureBoot] = backends.Support{Level: backends.Unavailable, Note: "No firmware for it."}
	c.Support[backends.FeatureMigration] = backends.Support{Level: backends.NotApplicable, Note: "One host."}
	return c
}

// vm is what the checks change.
func vm() *backends.VMSpec {
	return &backends.VMSpec{
		Name: "web", Firmware: new("bios"),
		CPU:       backends.CPU{Cores: new(int64(2)), MaxCores: new(int64(4))},
		Memory:    backends.Memory{SizeMiB: new(int64(512)), MaxMiB: new(int64(1024))},
		Disks:     map[string]backends.Disk{"data": {SizeGiB: new(int64(20)), Bus: new("virtio"), Storage: new("one")}},
		Networks:  map[string]backends.NIC{"lan": {Model: new("virtio")}},
		Placement: backends.PlacementSpec{Host: new("h1")},
	}
}

func with(edit func(*backends.VMSpec)) *backends.VMSpec {
	s := vm()
	edit(s)
	return s
}

func disk(edit func(*backends.Disk)) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) {
		d := s.Disks["data"]
		edit(&d)
		s.Disks["data"] = d
	}
}

func TestCheck(t *testing.T) {
	cores := func(n int64) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) { s.CPU.Cores = &n }
	}
	secureBoot := func(s *backends.VMSpec) { s.SecureBoot = new(true) }
	running := backends.CheckOptions{Running: true, Policy: backends.RestartWhenRequired}
	type want struct {
		path     backends.Path
		severity backends.Severity
		words    []string // all of which the finding says
	}
	for name, tt := range map[string]struct {
		create bool
		edit   func(*backends.VMSpec)
		opts   backends.CheckOptions
		narrow backends.Feature // to lack besides
		cat    func(*backends.Catalogue)
		want   *want // nil is no finding
	}{
		"unsupported at creation": {
			create: true, edit: secureBoot,
			want: &want{"secure_boot", backends.SeverityError, []string{"Secure Boot", "test", "secure_boot", "No firmware for it."}},
		},
		"unsupported as a change": {
			edit: secureBoot,
			want: &want{"secure_boot", backends.SeverityError, []string{"Secure Boot"}},
		},
		"a number that is not taken": {
			edit: func(s *backends.VMSpec) { s.CPU.Threads = new(int64(2)) },
			cat:  func(c *backends.Catalogue) { c.Accepts = map[string][]string{"cpu.threads": {"1"}} },
			want: &want{"cpu.threads", backends.SeverityError, []string{`"2"`, "takes 1"}},
		},
		"a number that is taken": {
			create: true, edit: func(s *backends.VMSpec) { s.CPU.Threads = new(int64(1)) },
			cat: func(c *backends.Catalogue) { c.Accepts = map[string][]string{"cpu.threads": {"1"}} },
		},
		"unsupported, but switched off": {edit: func(s *backends.VMSpec) { s.SecureBoot = new(false) }},
		"not applicable": {
			edit: func(s *backends.VMSpec) { s.Placement.Host = new("h2") },
			want: &want{"placement.host", backends.SeverityError, []string{"One host."}},
		},
		"unsupported in a new disk": {
			narrow: backends.FeatureStoragePolicies,
			edit:   func(s *backends.VMSpec) { s.Disks["log"] = backends.Disk{Policy: new("gold")} },
			want:   &want{`disks["log"].policy`, backends.SeverityError, []string{"Storage Policies"}},
		},
		"a value that is not taken": {
			edit: disk(func(d *backends.Disk) { d.Bus = new("ide") }),
			want: &want{`disks["data"].bus`, backends.SeverityError, []string{`"ide"`, "virtio, scsi"}},
		},
		"a value that is not taken, in a new disk": {
			edit: func(s *backends.VMSpec) { s.Disks["log"] = backends.Disk{Bus: new("ide")} },
			want: &want{`disks["log"].bus`, backends.SeverityError, []string{`"ide"`}},
		},
		"any value where there is no list": {edit: disk(func(d *backends.Disk) { d.Cache = new("none") })},
		"shrinking a stopped VM's disk": {
			edit: disk(func(d *backends.Disk) { d.SizeGiB = new(int64(10)) }),
			want: &want{`disks["data"].size_gib`, backends.SeverityError, []string{`"web"`, "shrink", "20"}},
		},
		"another storage": {
			edit: disk(func(d *backends.Disk) { d.Storage = new("two") }),
			want: &want{`disks["data"].storage`, backends.SeverityError, []string{"from its creation"}},
		},
		"growth up to the maximum": {edit: cores(4), opts: running},
		"growth beyond the maximum": {
			edit: cores(5), opts: running,
			want: &want{"cpu.cores", backends.SeverityWarning, []string{`VM "web"`, "cpu.cores from 2 to 5", "at most 4", "started again"}},
		},
		"growth beyond the maximum of a stopped VM": {edit: cores(5)},
		"fewer cores": {
			edit: cores(1), opts: running,
			want: &want{"cpu.cores", backends.SeverityWarning, []string{`VM "web"`, "cpu.cores from 2 to 1"}},
		},
		"restart forbidden": {
			edit: cores(5), opts: backends.CheckOptions{Running: true, Policy: backends.RestartNever},
			want: &want{"cpu.cores", backends.SeverityError, []string{`restart_policy is "never"`, "Stop the VM first"}},
		},
		"restart forbidden, none needed": {edit: cores(4), opts: backends.CheckOptions{Running: true, Policy: backends.RestartNever}},
		"restart deferred": {
			edit: cores(5), opts: backends.CheckOptions{Running: true, Policy: backends.RestartDefer},
			want: &want{"cpu.cores", backends.SeverityWarning, []string{"keeps running", "next"}},
		},
		"restart deferred where nothing can be": {
			narrow: backends.FeatureDeferredChange,
			edit:   cores(5), opts: backends.CheckOptions{Running: true, Policy: backends.RestartDefer},
			want: &want{"cpu.cores", backends.SeverityError, []string{"cannot keep it"}},
		},
		"a disk on a bus that plugs":   {edit: func(s *backends.VMSpec) { s.Disks["log"] = backends.Disk{Bus: new("scsi")} }, opts: running},
		"a description, while it runs": {edit: func(s *backends.VMSpec) { s.Description = new("x") }, opts: running},
		"a network card's other model": {edit: func(s *backends.VMSpec) { s.Networks["lan"] = backends.NIC{Model: new("e1000")} }, opts: running, want: &want{`networks["lan"].model`, backends.SeverityWarning, []string{`VM "web"`}}},
		"a network card's other cable": {edit: func(s *backends.VMSpec) { s.Networks["lan"] = backends.NIC{Network: new("dmz")} }, opts: running},
		"memory up to its maximum":     {edit: func(s *backends.VMSpec) { s.Memory.SizeMiB = new(int64(1024)) }, opts: running},
		"memory beyond its maximum":    {edit: func(s *backends.VMSpec) { s.Memory.SizeMiB = new(int64(2048)) }, opts: running, want: &want{"memory.size_mib", backends.SeverityWarning, []string{"at most 1024 MiB"}}},
		"firmware":                     {edit: func(s *backends.VMSpec) { s.Firmware = new("uefi") }, opts: running, want: &want{"firmware", backends.SeverityWarning, []string{`VM "web"`}}},
		"an attribute that cannot be had": {
			cat:  lacking,
			edit: func(s *backends.VMSpec) { s.CPU.ReservationMHz = new(int64(100)) },
			want: &want{"cpu.reservation_mhz", backends.SeverityError, []string{"test", "cpu.reservation_mhz", "Use cpu.shares."}},
		},
		"an attribute that cannot be had, at creation": {
			create: true, cat: lacking,
			edit: func(s *backends.VMSpec) { s.CPU.ReservationMHz = new(int64(100)) },
			want: &want{"cpu.reservation_mhz", backends.SeverityError, []string{"Use cpu.shares."}},
		},
		"an attribute that cannot be had, in a new disk": {
			cat:  lacking,
			edit: func(s *backends.VMSpec) { s.Disks["log"] = backends.Disk{IOPSLimit: new(int64(100))} },
			want: &want{`disks["log"].iops_limit`, backends.SeverityError, []string{`disks["log"].iops_limit`, "No counter."}},
		},
		"an attribute that cannot be had and is not wanted": {
			cat:  lacking,
			edit: func(s *backends.VMSpec) { s.Disks["log"] = backends.Disk{IOPSLimit: new(int64(0))} },
		},
		"the attribute beside one that cannot be had": {
			cat:  lacking,
			edit: func(s *backends.VMSpec) { s.CPU.Shares = new(int64(100)) },
		},
		"growth beside snapshots": {
			cat: freezing, edit: disk(func(d *backends.Disk) { d.SizeGiB = new(int64(30)) }),
			opts: backends.CheckOptions{Snapshots: []string{"before", "after"}},
			want: &want{`disks["data"].size_gib`, backends.SeverityError, []string{`"web"`, "before, after", "Delete them first", "every snapshot has its own size", "from 20 to 30"}},
		},
		"growth without snapshots": {cat: freezing, edit: disk(func(d *backends.Disk) { d.SizeGiB = new(int64(30)) })},
		"what snapshots are not in the way of": {
			cat: freezing, edit: cores(3), opts: backends.CheckOptions{Snapshots: []string{"before"}},
		},
		"a new disk beside snapshots": {
			cat: freezing, edit: func(s *backends.VMSpec) { s.Disks["log"] = backends.Disk{SizeGiB: new(int64(1))} },
			opts: backends.CheckOptions{Snapshots: []string{"before"}},
		},
		"snapshots in nobody's way": {
			edit: disk(func(d *backends.Disk) { d.SizeGiB = new(int64(30)) }), opts: backends.CheckOptions{Snapshots: []string{"before"}},
		},
		"a watchdog, while it runs":  {edit: func(s *backends.VMSpec) { s.Watchdog = new("reset") }, opts: running, want: &want{"watchdog", backends.SeverityWarning, []string{`VM "web"`}}},
		"random numbers":             {edit: func(s *backends.VMSpec) { s.RNG = new(true) }, opts: running, want: &want{"rng", backends.SeverityWarning, []string{`VM "web"`}}},
		"another console":            {edit: func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: new("vnc")} }, opts: running, want: &want{"console.type", backends.SeverityWarning, []string{`VM "web"`}}},
		"another console's password": {edit: func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{PasswordVersion: new(int64(2))} }, opts: running},
		"slower, while it runs": {
			edit: func(s *backends.VMSpec) {
				s.CPU.LimitMHz, s.Memory.Shares = new(int64(100)), new(int64(1))
				s.Disks["data"] = backends.Disk{IOPSLimit: new(int64(100))}
				s.Networks["lan"] = backends.NIC{BandwidthMbps: new(int64(100))}
			},
			opts: running,
		},
		"a seed that was read already": {
			edit: func(s *backends.VMSpec) {
				s.CloudInit = &backends.CloudInit{Hostname: new("shop")}
				s.DNS = &backends.DNS{Servers: []string{"192.0.2.1"}}
			},
			want: &want{"dns", backends.SeverityWarning, []string{`VM "web"`, "cloud_init.hostname", "dns", "first boot", "cloud_init.instance_id"}},
		},
		"an address that was set already": {
			edit: func(s *backends.VMSpec) {
				s.Networks["lan"] = backends.NIC{IPv4: &backends.IPConfig{Address: "192.0.2.5/24"}}
			},
			want: &want{`networks["lan"].ipv4`, backends.SeverityWarning, []string{"first boot"}},
		},
		"a seed for another instance": {edit: func(s *backends.VMSpec) {
			s.CloudInit = &backends.CloudInit{Hostname: new("shop"), InstanceID: new("two")}
		}},
		"a new interface with an address": {edit: func(s *backends.VMSpec) {
			s.Networks["dmz"] = backends.NIC{IPv4: &backends.IPConfig{Address: "192.0.2.5/24"}}
		}},
		"a seed at creation":            {create: true, edit: func(s *backends.VMSpec) { s.CloudInit = &backends.CloudInit{Hostname: new("shop")} }},
		"a creation is never a restart": {create: true, edit: cores(8), opts: running},
	} {
		t.Run(name, func(t *testing.T) {
			cat := catalogue()
			if tt.cat != nil {
				tt.cat(&cat)
			}
			if tt.narrow != "" {
				cat = cat.Narrow(tt.narrow, backends.Unavailable, "Narrowed.")
			}
			from, to := vm(), with(tt.edit)
			changes := backends.Diff(from, to)
			if tt.create {
				from, to = &backends.VMSpec{}, with(tt.edit)
				to.Placement = backends.PlacementSpec{}
				changes = backends.Requirements(to)
			}
			if len(changes) == 0 && tt.want != nil {
				t.Fatal("nothing changes")
			}
			got := backends.Check(cat, from, to, changes, tt.opts)
			if tt.want == nil {
				if len(got) > 0 {
					t.Fatalf("findings %+v, want none", got)
				}
				return
			}
			if len(got) != 1 || got[0].Path != tt.want.path || got[0].Severity != tt.want.severity {
				t.Fatalf("findings %+v, want one of severity %d at %s", got, tt.want.severity, tt.want.path)
			}
			for _, word := range tt.want.words {
				if !strings.Contains(got[0].Summary+" "+got[0].Detail, word) {
					t.Errorf("the finding does not say %q: %s: %s", word, got[0].Summary, got[0].Detail)
				}
			}

			// Vet refuses what Check calls an error, whatever the policy.
			err := backends.Vet(cat, from, to, changes, "change", `VM "web"`)
			isError := slices.ContainsFunc(backends.Check(cat, from, to, changes, backends.CheckOptions{}), func(f backends.Finding) bool {
				return f.Severity == backends.SeverityError
			})
			if (err != nil) != isError {
				t.Errorf("Vet answers %v, Check found an error: %t", err, isError)
			}
		})
	}
}

func lacking(c *backends.Catalogue) {
	c.Lacks = map[string]string{"cpu.reservation_mhz": "Use cpu.shares.", "disks.iops_limit": "No counter."}
}

func freezing(c *backends.Catalogue) {
	c.Frozen = func(ch backends.Change) string {
		if ch.Path.Generic() == "disks.size_gib" {
			return "every snapshot has its own size"
		}
		return ""
	}
}

func TestFrozenBy(t *testing.T) {
	grow := backends.Change{Path: backends.Path("disks").Key("data").Attr("size_gib"), Action: backends.Grow, From: int64(1), To: int64(2)}
	cat := catalogue()
	if why := cat.FrozenBy(grow); why != "" {
		t.Errorf("a catalogue without a rule freezes: %s", why)
	}
	freezing(&cat)
	if cat.FrozenBy(grow) == "" {
		t.Error("the rule is not asked")
	}
	grow.Action = backends.Add // what a new disk asks for beside itself is no change of its own
	if why := cat.FrozenBy(grow); why != "" {
		t.Errorf("a part of an addition is frozen: %s", why)
	}
}

func TestVetCodes(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*backends.VMSpec)
		code backends.Code
		path backends.Path
	}{
		"feature": {func(s *backends.VMSpec) { s.SecureBoot = new(true) }, backends.Unsupported, "secure_boot"},
		"lacking": {func(s *backends.VMSpec) { s.CPU.ReservationMHz = new(int64(1)) }, backends.Unsupported, "cpu.reservation_mhz"},
		"value":   {disk(func(d *backends.Disk) { d.Bus = new("ide") }), backends.Invalid, `disks["data"].bus`},
		"shrink":  {disk(func(d *backends.Disk) { d.SizeGiB = new(int64(1)) }), backends.Invalid, `disks["data"].size_gib`},
	} {
		t.Run(name, func(t *testing.T) {
			to, cat := with(tt.edit), catalogue()
			lacking(&cat)
			err, ok := backends.Vet(cat, vm(), to, backends.Diff(vm(), to), "change", backends.VMObject("web")).(*backends.Error) //nolint:errorlint // its own type
			if !ok || err.Code != tt.code || err.Path != tt.path || !strings.HasPrefix(err.Error(), `Unable to change VM "web": `) {
				t.Errorf("Vet answers %v, want %s at %s", err, tt.code, tt.path)
			}
		})
	}
	if err := backends.Vet(catalogue(), vm(), vm(), nil, "change", ""); err != nil {
		t.Errorf("nothing to do is refused: %v", err)
	}
}

func TestRequire(t *testing.T) {
	err := catalogue().Require(backends.FeatureSecureBoot, "create", backends.VMObject("web"))
	if backends.CodeOf(err) != backends.Unsupported || !strings.Contains(err.Error(), "Secure Boot") {
		t.Errorf("Require of what is lacking: %v", err)
	}
	if e, ok := err.(*backends.Error); !ok || e.Remedy != "No firmware for it." { //nolint:errorlint // its own type
		t.Errorf("the error does not quote the note: %+v", err)
	}
	if err := catalogue().Require(backends.FeatureTPM, "create", ""); err != nil {
		t.Errorf("Require of what is there: %v", err)
	}
	var none backends.Catalogue
	if none.Supports(backends.FeaturePower) || none.Require("no_such_feature", "x", "") == nil {
		t.Error("what a catalogue does not mention counts as supported")
	}
}

func TestNarrowCopies(t *testing.T) {
	wide := catalogue()
	narrow := wide.Narrow(backends.FeatureTPM, backends.Unavailable, "No swtpm.")
	if narrow.Supports(backends.FeatureTPM) || !wide.Supports(backends.FeatureTPM) {
		t.Error("Narrow must change the copy and only the copy")
	}
}

func TestFeaturesAreUnique(t *testing.T) {
	seen := map[backends.Feature]bool{}
	for _, f := range backends.Features() {
		if seen[f.ID] || f.Name == "" || f.Group == "" {
			t.Errorf("%+v is there twice or has no name", f)
		}
		seen[f.ID] = true
	}
	mine := backends.Features()
	slices.Reverse(mine)
	if mine[0] == backends.Features()[0] {
		t.Error("Features hands out its own table")
	}
}
