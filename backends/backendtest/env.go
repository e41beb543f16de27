package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// all reads everything of a VM but its guest.
const all = backends.AspectConfig | backends.AspectRuntime | backends.AspectSeed

// Env is what a case works with: one backend, and helpers that fail the test.
type Env struct {
	backends.Backend
	Harness
	Catalogue backends.Catalogue

	root     *testing.T // lives as long as what cases share
	serial   atomic.Int64
	shared   backends.ID // the running guest
	boot     string      // the boot image
	forgiven bool        // a boot hung and was tried again
}

func newEnv(t *testing.T, h Harness) *Env {
	t.Helper()
	if h.Seed.Prefix == "" {
		h.Seed.Prefix = "conformance"
	}
	if h.Seed.MissingVM == "" {
		h.Seed.MissingVM = "00000000-0000-4000-8000-000000000000"
	}
	if h.Seed.LimitedNetwork == "" {
		h.Seed.LimitedNetwork = h.Seed.Network
	}
	if h.Traits.HotMemory.StepMiB == 0 {
		h.Traits.HotMemory.StepMiB = 128
	}
	if h.Timeout == 0 {
		h.Timeout = time.Minute
	}
	e := &Env{Harness: h, root: t}
	e.Backend = h.New(t)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	info, err := e.Info(e.Ctx(t))
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	e.Catalogue = info.Catalogue
	return e
}

// Ctx returns a context that ends with the test, or after the harness's Timeout.
func (e *Env) Ctx(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), e.Timeout)
	t.Cleanup(cancel)
	return ctx
}

// cleanup returns a context for what is removed after a test has ended.
func (e *Env) cleanup() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), e.Timeout)
}

// Name makes a name that nothing has.
func (e *Env) Name() string { return fmt.Sprintf("%s-%d", e.Seed.Prefix, e.serial.Add(1)) }

// Spec is the least that a VM can be: one processor, 256 MiB, an empty root
// disk of 1 GiB, no network.
func (e *Env) Spec() *backends.VMSpec {
	root := backends.Disk{SizeGiB: new(int64(1))}
	if e.Seed.Storage != "" && e.Catalogue.Supports(backends.FeatureStoragePools) {
		root.Storage = new(e.Seed.Storage)
	}
	return &backends.VMSpec{
		Name:   e.Name(),
		CPU:    backends.CPU{Cores: new(int64(1))},
		Memory: backends.Memory{SizeMiB: new(int64(256))},
		Disks:  map[string]backends.Disk{"root": root},
	}
}

// With is Spec after changes to it.
func (e *Env) With(edit func(*backends.VMSpec)) *backends.VMSpec {
	s := e.Spec()
	edit(s)
	return s
}

// Create makes a VM that is deleted when the test ends, and checks that what
// was made is what was asked for.
func (e *Env) Create(t *testing.T, spec *backends.VMSpec) backends.ID {
	t.Helper()
	id, err := e.CreateVM(e.Ctx(t), spec)
	e.DeleteLater(t, id)
	if err != nil {
		t.Fatalf("CreateVM(%s): %v", spec.Name, err)
	}
	if id == "" {
		t.Fatalf("CreateVM(%s) returned no id and no error", spec.Name)
	}
	e.Matches(t, id, spec)
	return id
}

// DeleteLater deletes a VM when the test ends; one that is gone is fine.
func (e *Env) DeleteLater(t *testing.T, id backends.ID) {
	t.Helper()
	if id == "" {
		return
	}
	t.Cleanup(func() {
		ctx, cancel := e.cleanup()
		defer cancel()
		if err := e.DeleteVM(ctx, id, backends.DeleteOptions{}); err != nil && !errors.Is(err, backends.ErrNotFound) {
			t.Errorf("clean up: %v", err)
		}
	})
}

// Matches fails where a VM differs from what was asked for: the next plan would
// not be empty.
func (e *Env) Matches(t *testing.T, id backends.ID, want *backends.VMSpec) {
	t.Helper()
	vm := e.Read(t, id, all)
	for _, c := range backends.Diff(&vm.Config, want) {
		t.Errorf("VM %q is not what was asked for: the next plan would %s", want.Name, c)
	}
}

// Read reads one VM that must exist.
func (e *Env) Read(t *testing.T, id backends.ID, aspects backends.Aspects) *backends.VM {
	t.Helper()
	got, err := e.GetVMs(e.Ctx(t), []backends.ID{id}, aspects)
	if err != nil {
		t.Fatalf("GetVMs(%s): %v", id, err)
	}
	r, ok := got[id]
	if !ok {
		t.Fatalf("GetVMs(%s) answered without this id", id)
	}
	if r.Err != nil {
		t.Fatalf("GetVMs(%s): %v", id, r.Err)
	}
	return r.VM
}

// Gone fails where a VM can still be read, or where its absence is not NotFound.
func (e *Env) Gone(t *testing.T, id backends.ID) {
	t.Helper()
	got, err := e.GetVMs(e.Ctx(t), []backends.ID{id}, all)
	if err != nil {
		t.Fatalf("GetVMs(%s): %v", id, err)
	}
	WantCode(t, got[id].Err, backends.NotFound)
}

// Apply changes a VM into to and checks that it became that.
func (e *Env) Apply(t *testing.T, id backends.ID, to *backends.VMSpec, mode backends.ReconfigureMode) {
	t.Helper()
	if err := e.TryApply(t, id, to, mode); err != nil {
		t.Fatalf("Reconfigure(%s): %v", to.Name, err)
	}
	e.Matches(t, id, to)
}

// TryApply is Apply that returns the error and checks nothing.
func (e *Env) TryApply(t *testing.T, id backends.ID, to *backends.VMSpec, mode backends.ReconfigureMode) error {
	t.Helper()
	vm := e.Read(t, id, all)
	return e.Reconfigure(e.Ctx(t), id, backends.Reconfiguration{
		Desired: to, Changes: backends.Diff(&vm.Config, to), Mode: mode,
	})
}

// Power makes one transition that must succeed.
func (e *Env) Power(t *testing.T, id backends.ID, action backends.PowerAction) {
	t.Helper()
	if err := e.SetPower(e.Ctx(t), id, action); err != nil {
		t.Fatalf("SetPower(%s): %v", action, err)
	}
}

// InState fails where a VM is in another power state.
func (e *Env) InState(t *testing.T, id backends.ID, want backends.PowerState) {
	t.Helper()
	if got := e.Read(t, id, backends.AspectRuntime).Power; got != want {
		t.Fatalf("the VM is %s, want %s", got, want)
	}
}

// Named returns the ids of the VMs of a name.
func (e *Env) Named(t *testing.T, name string) []backends.ID {
	t.Helper()
	list, err := e.ListVMs(e.Ctx(t), backends.VMFilter{Names: []string{name}})
	if err != nil {
		t.Fatalf("ListVMs: %v", err)
	}
	ids := []backends.ID{}
	for _, vm := range list {
		ids = append(ids, vm.ID)
	}
	return ids
}

// Eventually reads until done answers "" or the harness's Timeout is over; what
// done answers says what is still missing.
func (e *Env) Eventually(t *testing.T, what string, done func() string) {
	t.Helper()
	if missing := until(e.Ctx(t), done); missing != "" {
		t.Fatalf("%s did not happen within %s: %s", what, e.Timeout, missing)
	}
}

// until calls done at growing intervals until it answers "" or ctx ends, and
// returns its last answer.
func until(ctx context.Context, done func() string) string {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		missing := done()
		if missing == "" {
			return ""
		}
		select {
		case <-ctx.Done():
			return missing
		case <-time.After(pause):
		}
	}
}

// WantCode fails unless err is an *Error of one of the codes that says what was
// being done.
func WantCode(t *testing.T, err error, codes ...backends.Code) *backends.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("the call succeeded, want an error of code %v", codes)
	}
	if !slices.Contains(codes, backends.CodeOf(err)) {
		t.Fatalf("code %s, want %v: %v", backends.CodeOf(err), codes, err)
	}
	var e *backends.Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is no *backends.Error: %v", err)
	}
	if e.Op == "" {
		t.Errorf("the error does not say what was being done: %v", err)
	}
	return e
}

// wantPath fails unless err blames the attribute at path.
func wantPath(t *testing.T, err *backends.Error, path backends.Path) {
	t.Helper()
	if err.Path != path {
		t.Errorf("the error blames %q, want %q: %v", err.Path, path, err)
	}
}

// wantNamed fails unless the message names what the user knows the object by.
func wantNamed(t *testing.T, err error, name string) {
	t.Helper()
	if !strings.Contains(err.Error(), name) {
		t.Errorf("the message does not name %q: %v", name, err)
	}
}
