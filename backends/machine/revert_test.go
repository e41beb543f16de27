package machine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// reverting is a fake with one snapshot of disks and one with memory.
type reverting struct {
	*fake
	interrupt context.CancelFunc // called when a revert is done; nil is nothing
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
	if r.interrupt != nil {
		r.interrupt()
	}
	return nil
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
