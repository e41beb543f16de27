package backendtest

import (
	"net/url"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var consoleCases = []Case{
	{
		Name:   "console/open",
		Proves: []backends.Feature{backends.FeatureConsoleURL, backends.FeatureConsoleGeneration},
		Run:    openConsoleOf,
	},
	{
		Name:   "console/options",
		Proves: []backends.Feature{backends.FeatureConsoleOptions},
		Needs:  []backends.Feature{backends.FeatureConsoleURL},
		Run:    consoleOptions,
	},
	{
		Name:   "console/password",
		Proves: []backends.Feature{backends.FeatureConsoleOptions},
		Needs:  []backends.Feature{backends.FeatureConsoleURL},
		Run:    consolePassword,
	},
}

// console opens a VM's console, which must be of a type and have an address.
func (e *Env) console(t *testing.T, id backends.ID, kind string) backends.Console {
	t.Helper()
	c, err := e.Console(e.Ctx(t), id)
	if err != nil {
		t.Fatalf("Console: %v", err)
	}
	if u, err := url.Parse(c.URL); err != nil || u.Scheme == "" || u.Host == "" && u.Path == "" && u.Opaque == "" {
		t.Errorf("the console's address %q is none (%v)", c.URL, err)
	}
	if c.Type != kind {
		t.Errorf("the console is of type %q, want %q", c.Type, kind)
	}
	if got := e.Read(t, id, all).ConsoleType; got != kind {
		t.Errorf("the VM says that its console is of type %q, want %q", got, kind)
	}
	return c
}

func openConsoleOf(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	_, err := e.Console(e.Ctx(t), id)
	WantCode(t, err, backends.Precondition)
	e.Power(t, id, backends.PowerOn)
	kind := e.Read(t, id, all).ConsoleType
	if kind == "" {
		t.Fatal("a running VM has no type of console")
	}
	first := e.console(t, id, kind)
	other := e.Create(t, e.Spec())
	e.Power(t, other, backends.PowerOn)
	if second := e.console(t, other, kind); second.URL == first.URL {
		t.Errorf("two VMs have one console, %s", first.URL)
	}
	e.Power(t, id, backends.PowerOff)
	_, err = e.Console(e.Ctx(t), id)
	WantCode(t, err, backends.Precondition)
	_, err = e.Console(e.Ctx(t), e.Seed.MissingVM)
	wantNamed(t, WantCode(t, err, backends.NotFound), string(e.Seed.MissingVM))
}

// consoleTypes are those that the hypervisor takes.
func (e *Env) consoleTypes() []string {
	if all := e.Catalogue.Accepts["console.type"]; len(all) > 0 {
		return all
	}
	return []string{"vnc", "spice", "serial", "none"}
}

// consoleOptions changes a VM's console from each type to the next.
func consoleOptions(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	for _, kind := range e.consoleTypes() {
		to := *spec
		to.Console = &backends.ConsoleSpec{Type: &kind}
		if screen(kind) && e.has("console.address") {
			to.Console.Address, to.Console.Port = new("127.0.0.1"), new(int64(0))
		}
		e.Apply(t, id, &to, backends.Cold)
		e.Power(t, id, backends.PowerOn)
		e.Matches(t, id, &to)
		if kind == "none" {
			_, err := e.Console(e.Ctx(t), id)
			WantCode(t, err, backends.Precondition)
		} else {
			e.console(t, id, kind)
		}
		e.Power(t, id, backends.PowerOff)
		e.Create(t, e.With(func(s *backends.VMSpec) { s.Console = to.Console }))
	}
	err := e.refuseCreate(t, e.With(func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Type: new("teletype")} }), backends.Invalid)
	wantPath(t, err, "console.type")
}

func screen(kind string) bool { return kind == "vnc" || kind == "spice" }

// consolePassword sets and changes a password, which only its version tells of.
func consolePassword(t *testing.T, e *Env) {
	i := slices.IndexFunc(e.consoleTypes(), screen)
	if i < 0 || !e.has("console.password_wo_version") {
		t.Log("no type of console takes a password")
		return
	}
	kind := e.consoleTypes()[i]
	with := func(password string, version int64) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) {
			s.Console = &backends.ConsoleSpec{Type: &kind, Password: &password, PasswordVersion: &version}
		}
	}
	spec := e.With(with("first-1", 1))
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	to := *spec
	with("secnd-2", 2)(&to)
	from := e.Read(t, id, all)
	if changes := backends.Diff(&from.Config, &to); len(changes) == 1 && e.live(from, &to) {
		e.Apply(t, id, &to, backends.Live)
	} else {
		e.Power(t, id, backends.PowerOff)
		e.Apply(t, id, &to, backends.Cold)
		e.Power(t, id, backends.PowerOn)
	}
	if c := e.Read(t, id, all).Config.Console; c == nil || c.Password != nil || c.PasswordVersion == nil || *c.PasswordVersion != 2 {
		t.Errorf("the console reads back as %+v, want version 2 and no password", c)
	}
	e.console(t, id, kind)
}

// has reports whether an attribute can be had where its feature can.
func (e *Env) has(path string) bool { return e.Catalogue.Lacks[path] == "" }

// live reports whether the plan says that a running VM can become to without a restart.
func (e *Env) live(from *backends.VM, to *backends.VMSpec) bool {
	for _, c := range backends.Diff(&from.Config, to) {
		if e.Catalogue.ImpactOf(&from.Config, to, c).Effect != backends.EffectLive {
			return false
		}
	}
	return true
}

// ApplyAsPlanned changes a running VM the way the plan says it is done: live, or
// with a stop and a start around it. It is left running.
func (e *Env) ApplyAsPlanned(t *testing.T, id backends.ID, to *backends.VMSpec) {
	t.Helper()
	if e.live(e.Read(t, id, all), to) {
		e.Apply(t, id, to, backends.Live)
		e.InState(t, id, backends.Running)
		return
	}
	e.Power(t, id, backends.PowerOff)
	e.Apply(t, id, to, backends.Cold)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, to)
}
