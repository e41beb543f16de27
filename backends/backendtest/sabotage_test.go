package backendtest_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

// sabotage are drivers with one fault each, and the case that must notice it.
var sabotage = map[string]struct {
	noticed string
	wrap    func(*mock.Backend) backends.Backend
}{
	"none":                      {"", func(b *mock.Backend) backends.Backend { return b }},
	"claims what it lacks":      {"honesty", func(b *mock.Backend) backends.Backend { return boaster{b} }},
	"ignores what it lacks":     {"refuses/fault_tolerance", func(b *mock.Backend) backends.Backend { return deaf{b} }},
	"takes a shrink in silence": {"disks/never_shrink", func(b *mock.Backend) backends.Backend { return yes{b} }},
	"restarts without asking":   {"lifecycle/reconfigure_running", func(b *mock.Backend) backends.Backend { return restarter{b} }},
	"deletes what is not there": {"lifecycle/create_read_delete", func(b *mock.Backend) backends.Backend { return eager{b} }},
	"hides which error it was":  {"notfound/vm", func(b *mock.Backend) backends.Backend { return vague{b} }},
	"loses the id":              {"cancel/in_the_middle_of_a_creation", func(b *mock.Backend) backends.Backend { return amnesiac{b} }},
	"adopts a stranger":         {"conflicts/name", func(b *mock.Backend) backends.Backend { return adopter{b} }},
	"trusts a broken transfer":  {"images/damaged", func(b *mock.Backend) backends.Backend { return trusting{b} }},
	"always asks the agent":     {"guest/agent", func(b *mock.Backend) backends.Backend { return nosy{b} }},
	"reverts nothing":           {"snapshots/revert", func(b *mock.Backend) backends.Backend { return lazy{b} }},
	"mistakes the parent":       {"snapshots/tree", func(b *mock.Backend) backends.Backend { return flat{b} }},
	"shows its layers":          {"snapshots/stopped", func(b *mock.Backend) backends.Backend { return &layered{Backend: b} }},
	"takes a snapshot twice":    {"snapshots/names", func(b *mock.Backend) backends.Backend { return twice{b} }},
	"copies instead of linking": {"clones/linked", func(b *mock.Backend) backends.Backend { return copier{b} }},
	"grows what it shares":      {"clones/linked_overrides", func(b *mock.Backend) backends.Backend { return stretcher{b} }},
	"clones another VM":         {"clones/full", func(b *mock.Backend) backends.Backend { return mistaken{b} }},
	"clones the present":        {"clones/snapshot", func(b *mock.Backend) backends.Backend { return present{b} }},
	"keeps the MAC":             {"clones/full", func(b *mock.Backend) backends.Backend { return &twin{Backend: b} }},
	"forgets linked clones":     {"clones/protected_source", func(b *mock.Backend) backends.Backend { return forgetful{b} }},
	"loses the clone's id":      {"clones/cancelled", func(b *mock.Backend) backends.Backend { return distracted{b} }},
	"trusts a broken appliance": {"appliances/broken", func(b *mock.Backend) backends.Backend { return credulous{b} }},
	"starts templates":          {"templates/from_vm", func(b *mock.Backend) backends.Backend { return hasty{b} }},
	"opens a dead console":      {"console/open", func(b *mock.Backend) backends.Backend { return undead{b} }},
	"shares with everybody":     {"disks/shared", func(b *mock.Backend) backends.Backend { return generous{b} }},
	"puts disks anywhere":       {"disks/slots", func(b *mock.Backend) backends.Backend { return scatterer{b} }},
}

type boaster struct{ *mock.Backend }

func (s boaster) Info(ctx context.Context) (backends.Info, error) {
	info, err := s.Backend.Info(ctx)
	info.Catalogue = info.Catalogue.Narrow(backends.FeatureFaultTolerance, backends.Full, "")
	return info, err
}

type deaf struct{ *mock.Backend }

func (s deaf) CreateVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	c := *spec
	c.FaultTolerance = nil
	return s.Backend.CreateVM(ctx, &c)
}

type yes struct{ *mock.Backend }

func (s yes) Reconfigure(ctx context.Context, id backends.ID, r backends.Reconfiguration) error {
	r.Changes = slices.DeleteFunc(slices.Clone(r.Changes), func(c backends.Change) bool { return c.Action == backends.Shrink })
	return s.Backend.Reconfigure(ctx, id, r)
}

type restarter struct{ *mock.Backend }

func (s restarter) Reconfigure(ctx context.Context, id backends.ID, r backends.Reconfiguration) error {
	err := s.Backend.Reconfigure(ctx, id, r)
	if backends.CodeOf(err) != backends.Precondition {
		return err
	}
	if err := s.SetPower(ctx, id, backends.PowerOff); err != nil {
		return err
	}
	if err := s.Backend.Reconfigure(ctx, id, r); err != nil {
		return err
	}
	return s.SetPower(ctx, id, backends.PowerOn)
}

type eager struct{ *mock.Backend }

func (s eager) DeleteVM(ctx context.Context, id backends.ID, o backends.DeleteOptions) error {
	err := s.Backend.DeleteVM(ctx, id, o)
	if backends.CodeOf(err) == backends.NotFound {
		return nil
	}
	return err
}

type vague struct{ *mock.Backend }

func (s vague) SetPower(ctx context.Context, id backends.ID, a backends.PowerAction) error {
	err := s.Backend.SetPower(ctx, id, a)
	if backends.CodeOf(err) == backends.NotFound {
		return backends.Errorf(backends.Internal, "switch", string(id), "%w", err)
	}
	return err
}

type amnesiac struct{ *mock.Backend }

func (s amnesiac) CreateVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	id, err := s.Backend.CreateVM(ctx, spec)
	if err != nil {
		return "", err
	}
	return id, nil
}

type adopter struct{ *mock.Backend }

func (s adopter) CreateVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	there, err := s.ListVMs(ctx, backends.VMFilter{Names: []string{spec.Name}})
	if err == nil && len(there) > 0 {
		return there[0].ID, nil
	}
	return s.Backend.CreateVM(ctx, spec)
}

type trusting struct{ *mock.Backend }

func (s trusting) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	open := source.Open
	source.Open = func(ctx context.Context) (*backends.Content, error) {
		c, err := open(ctx)
		if err == nil {
			c.Reader, c.Size = careless{c.Reader}, -1
		}
		return c, err
	}
	return s.Backend.ImportImage(ctx, spec, source)
}

type careless struct{ io.ReadCloser }

func (r careless) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

type nosy struct{ *mock.Backend }

func (s nosy) GetVMs(ctx context.Context, ids []backends.ID, a backends.Aspects) (map[backends.ID]backends.Result, error) {
	return s.Backend.GetVMs(ctx, ids, a|backends.AspectGuest)
}

const sabotageVariable = "BACKENDTEST_SABOTAGE"

// TestSabotaged is the suite on one of the drivers above, for TestNotices.
func TestSabotaged(t *testing.T) {
	name := os.Getenv(sabotageVariable)
	if name == "" {
		return // TestNotices runs it
	}
	backendtest.Run(t, backendtest.Harness{
		New: func(t *testing.T) backends.Backend {
			o := mock.Options{SampleData: true}
			if strings.HasPrefix(name, "loses the") { // shows only when a creation takes time
				o.Latency = 100 * time.Microsecond
			}
			b, err := mock.New(o)
			if err != nil {
				t.Fatal(err)
			}
			return sabotage[name].wrap(b)
		},
		Seed: backendtest.Seed{
			Network: "lan", SecondNetwork: "dmz", BridgeNetwork: "vmbr0", VLANNetwork: "vmbr0", DistributedNetwork: "dvs-prod",
			StaticIPv4: "10.20.0.55/16", StaticGateway: "10.20.0.1", Storage: "default", SecondStorage: "fast",
			Template: "debian-12-template", Host: "mock-01", SecondHost: "mock-02", ResourcePool: "production", Folder: "vm/web",
			StoragePolicy: "bronze", LibraryItem: "shared/debian-12", HostDevices: []backends.HostDevice{{Mapping: "gpu"}},
		},
		BootImage: func(*testing.T, backends.Backend) string { return "default/debian-12" },
	})
}

// TestNotices shows that the suite can fail: a driver with one fault does not
// pass, the case that is meant to notices, and one without passes.
func TestNotices(t *testing.T) {
	for name, s := range sabotage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := "^TestSabotaged$"
			if s.noticed != "" && s.noticed != "honesty" { // which judges all the others
				run += "/^" + strings.ReplaceAll(s.noticed, "/", "$/^") + "$"
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+run, "-test.v") //nolint:gosec // this very test
			cmd.Env = append(os.Environ(), sabotageVariable+"="+name)
			out, err := cmd.CombinedOutput()
			if s.noticed == "" {
				if err != nil {
					t.Errorf("a sound driver fails: %v\n%s", err, out)
				}
				return
			}
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestSabotaged/"+s.noticed) {
				t.Errorf("case %s did not notice (%v):\n%s", s.noticed, err, failures(string(out)))
			}
		})
	}
}

// failures are the lines of a test's output that say what failed.
func failures(out string) string {
	var kept []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "--- FAIL") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
