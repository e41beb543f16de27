package backendtest

import (
	"context"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var powerCases = []Case{
	{Name: "power/on_and_off", Proves: []backends.Feature{backends.FeaturePower}, Run: onAndOff},
	{Name: "power/from_stopped", Proves: []backends.Feature{backends.FeaturePower}, Run: fromStopped},
	{
		Name:   "power/suspend",
		Proves: []backends.Feature{backends.FeatureSuspend},
		Run:    suspend,
	},
	{Name: "power/pause", Proves: []backends.Feature{backends.FeaturePause}, Run: pause},
	{Name: "power/reset", Proves: []backends.Feature{backends.FeatureReboot}, Run: reset},
	{Name: "power/wait", Proves: []backends.Feature{backends.FeaturePower}, Run: waitPower},
}

// step is one transition from the state that the last one led to.
type step struct {
	action backends.PowerAction
	want   backends.PowerState // or ""
	code   backends.Code       // where the action must fail
}

func (e *Env) steps(t *testing.T, id backends.ID, steps []step) {
	t.Helper()
	for i, s := range steps {
		before := e.Read(t, id, backends.AspectRuntime).Power
		err := e.SetPower(e.Ctx(t), id, s.action)
		switch {
		case s.code != "":
			WantCode(t, err, s.code)
			e.InState(t, id, before)
		case err != nil:
			t.Fatalf("step %d: %s of a %s VM: %v", i, s.action, before, err)
		default:
			e.InState(t, id, s.want)
		}
	}
}

func onAndOff(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	e.steps(t, id, []step{
		{action: backends.PowerOn, want: backends.Running},
		{action: backends.PowerOn, want: backends.Running}, // already there
		{action: backends.PowerOff, want: backends.Stopped},
		{action: backends.PowerOff, want: backends.Stopped},
		{action: backends.PowerOn, want: backends.Running},
	})
	if vm := e.Read(t, id, backends.AspectRuntime); vm.Host == "" || vm.Status == "" {
		t.Errorf("a running VM has host %q and status %q", vm.Host, vm.Status)
	}
}

func fromStopped(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	steps := []step{
		{action: backends.Shutdown, want: backends.Stopped}, // already there
		{action: backends.Reset, code: backends.Precondition},
	}
	if e.Catalogue.Supports(backends.FeatureReboot) {
		steps = append(steps, step{action: backends.Reboot, code: backends.Precondition})
	}
	if e.Catalogue.Supports(backends.FeatureSuspend) {
		steps = append(steps,
			step{action: backends.Suspend, code: backends.Precondition},
			step{action: backends.Resume, code: backends.Precondition},
		)
	}
	if e.Catalogue.Supports(backends.FeaturePause) {
		steps = append(steps, step{action: backends.Pause, code: backends.Precondition})
	}
	e.steps(t, id, steps)
}

func suspend(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	e.steps(t, id, []step{
		{action: backends.PowerOn, want: backends.Running},
		{action: backends.Suspend, want: backends.Suspended},
		{action: backends.Suspend, want: backends.Suspended},
		{action: backends.Reset, code: backends.Precondition},
		{action: backends.Resume, want: backends.Running},
		{action: backends.Resume, want: backends.Running},
		{action: backends.Suspend, want: backends.Suspended},
		{action: backends.PowerOn, want: backends.Running},
		{action: backends.Suspend, want: backends.Suspended},
		{action: backends.PowerOff, want: backends.Stopped}, // the saved memory is gone
		{action: backends.Resume, code: backends.Precondition},
		{action: backends.PowerOn, want: backends.Running},
		{action: backends.Suspend, want: backends.Suspended},
	})
	// A suspended VM is deleted with its saved memory.
	if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM of a suspended VM: %v", err)
	}
	e.Gone(t, id)
}

func pause(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	e.steps(t, id, []step{
		{action: backends.PowerOn, want: backends.Running},
		{action: backends.Pause, want: backends.Paused},
		{action: backends.Pause, want: backends.Paused},
		{action: backends.Resume, want: backends.Running},
		{action: backends.Pause, want: backends.Paused},
		{action: backends.PowerOn, want: backends.Running},
		{action: backends.Pause, want: backends.Paused},
		{action: backends.PowerOff, want: backends.Stopped},
	})
}

func reset(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	e.steps(t, id, []step{
		{action: backends.PowerOn, want: backends.Running},
		{action: backends.Reset, want: backends.Running},
	})
}

// waitPower waits for what another call brings about, and for what never comes.
func waitPower(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	if err := e.WaitPower(e.Ctx(t), id, backends.Stopped); err != nil {
		t.Fatalf("WaitPower for the state that the VM is in: %v", err)
	}
	waited := make(chan error, 1)
	ctx := e.Ctx(t)
	go func() { waited <- e.WaitPower(ctx, id, backends.Running) }()
	e.Power(t, id, backends.PowerOn)
	if err := <-waited; err != nil {
		t.Fatalf("WaitPower for running: %v", err)
	}

	short, cancel := context.WithTimeout(e.Ctx(t), 50*time.Millisecond)
	defer cancel()
	WantCode(t, e.WaitPower(short, id, backends.Stopped), backends.Timeout)
	gone, cancel := context.WithCancel(e.Ctx(t))
	cancel()
	WantCode(t, e.WaitPower(gone, id, backends.Stopped), backends.Canceled)
}
