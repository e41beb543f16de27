package machine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// reverting is a fake with one snapshot of disks and one with memory.
type reverting struct {
	*fake
	interrupt context.CancelFunc // called when a revert is done; nil is nothing
	halfway   error              // of a revert that has stopped the VM
}

func (r *reverting) ListSnapshots(context.Context, backends.ID) ([]backends.Snapshot, error) {
	if err := r.note("list"); err != nil {
		return nil, err
	}
	return []backends.Snapshot{
		{ID: "disk", Name: "a", Power: backends.Stopped},
		{ID: "memory", Name: "b", Power: backends.Running, Memory: true},
	}, nil
}

func (r *reverting) RevertSnapshot(_ context.Context, _ backends.ID, id string) error {
	if err := r.note("revert " + id); err != nil {
		return err
	}
	r.power = backends.Stopped
	if id == "memory" {
		r.power = backends.Running
	}
	if r.halfway != nil {
		r.power = backends.Stopped
	}
	if r.interrupt != nil {
		r.interrupt()
	}
	return r.halfway
}

func TestRevert(t *testing.T) {
	for _, tt := range []struct {
		name     string
		was      backends.PowerState
		snapshot string
		power    backends.PowerState
		calls    []string
		left     backends.PowerState
	}{
		{"a running VM goes on", backends.Running, "disk", "", []string{"list", "revert disk", "start"}, backends.Running},
		{"a stopped one stays so", backends.Stopped, "disk", "", []string{"list", "revert disk"}, backends.Stopped},
		{"a suspended one is put back", backends.Suspended, "disk", "", []string{"list", "revert disk", "start", "suspend"}, backends.Suspended},
		{"memory has its own state", backends.Stopped, "memory", "", []string{"list", "revert memory"}, backends.Running},
		{"a state that is asked for", backends.Running, "disk", backends.Stopped, []string{"revert disk"}, backends.Stopped},
		{"to run", backends.Stopped, "disk", backends.Running, []string{"revert disk", "start"}, backends.Running},
		{"memory, to stop", backends.Stopped, "memory", backends.Stopped, []string{"revert memory", "shutdown"}, backends.Stopped},
		{"memory, to suspend", backends.Running, "memory", backends.Suspended, []string{"revert memory", "suspend"}, backends.Suspended},
		{"a paused VM was not stopped by anybody", backends.Paused, "disk", "", []string{"list", "revert disk"}, backends.Stopped},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &reverting{fake: &fake{power: tt.was}}
			run(t, f.fake, func(ctx context.Context) {
				if err := Revert(ctx, f, "1", tt.snapshot, tt.power, DefaultShutdown); err != nil {
					t.Fatal(err)
				}
				wantCalls(t, f.fake, tt.calls...)
				if f.power != tt.left {
					t.Errorf("left %s, want %s", f.power, tt.left)
				}
			})
		})
	}
}

func TestRevertFails(t *testing.T) {
	missing := backends.Errorf(backends.NotFound, "", "", `there is no snapshot "disk"`)
	for call, want := range map[string][]string{
		"get":         nil,
		"list":        {"list"},
		"revert disk": {"list", "revert disk"},
		"start":       {"list", "revert disk", "start"},
	} {
		t.Run(call, func(t *testing.T) {
			f := &reverting{fake: &fake{power: backends.Running, fail: map[string]error{call: missing}}}
			run(t, f.fake, func(ctx context.Context) {
				err := Revert(ctx, f, "1", "disk", "", DefaultShutdown)
				if backends.CodeOf(err) != backends.NotFound || !strings.Contains(err.Error(), `there is no snapshot "disk"`) {
					t.Errorf("the cause is lost: %v", err)
				}
				if call != "get" && !strings.Contains(err.Error(), `VM "web"`) {
					t.Errorf("the VM is not named: %v", err)
				}
				wantCalls(t, f.fake, want...)
			})
		})
	}
}

// TestRevertStartsAgainAfterAnInterrupt cancels between the revert, which leaves the
// VM stopped, and the start.
func TestRevertStartsAgainAfterAnInterrupt(t *testing.T) {
	f := &reverting{fake: &fake{power: backends.Running}}
	run(t, f.fake, func(ctx context.Context) {
		ctx, f.interrupt = context.WithCancel(ctx)
		start := time.Now()
		err := Revert(ctx, f, "1", "disk", "", DefaultShutdown)
		if backends.CodeOf(err) != backends.Canceled {
			t.Errorf("got %v, want that it was interrupted", err)
		}
		wantCalls(t, f.fake, "list", "revert disk", "start")
		if f.power != backends.Running || time.Since(start) > interruptTime {
			t.Errorf("the VM was left %s after %s", f.power, time.Since(start))
		}
	})
}

// TestRevertFailsHalfway starts a VM again that a failed revert has stopped, also after an interrupt, and no other.
func TestRevertFailsHalfway(t *testing.T) {
	for _, tt := range []struct {
		name      string
		was       backends.PowerState
		power     backends.PowerState
		interrupt bool
		start     error
		calls     []string
		left      backends.PowerState
	}{
		{"it ran", backends.Running, "", false, nil, []string{"list", "revert memory", "start"}, backends.Running},
		{"it ran, and was to stop", backends.Running, backends.Stopped, false, nil, []string{"revert memory", "start"}, backends.Running},
		{"it ran, and the user interrupts", backends.Running, "", true, nil, []string{"list", "revert memory", "start"}, backends.Running},
		{"it ran, and does not start", backends.Running, "", false, errors.New("no memory left"), []string{"list", "revert memory", "start"}, backends.Stopped},
		{"it was stopped", backends.Stopped, "", false, nil, []string{"list", "revert memory"}, backends.Stopped},
		{"it was suspended", backends.Suspended, "", false, nil, []string{"list", "revert memory"}, backends.Stopped},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &reverting{fake: &fake{power: tt.was, fail: map[string]error{"start": tt.start}}, halfway: errors.New("the memory is damaged")}
			run(t, f.fake, func(ctx context.Context) {
				if tt.interrupt {
					ctx, f.interrupt = context.WithCancel(ctx)
				}
				err := Revert(ctx, f, "1", "memory", tt.power, DefaultShutdown)
				if err == nil || !strings.Contains(err.Error(), "the memory is damaged") {
					t.Errorf("the cause is lost: %v", err)
				}
				if tt.start != nil && !strings.Contains(err.Error(), tt.start.Error()) {
					t.Errorf("that it did not start is not told: %v", err)
				}
				wantCalls(t, f.fake, tt.calls...)
				if f.power != tt.left {
					t.Errorf("left %s, want %s", f.power, tt.left)
				}
			})
		})
	}
}
