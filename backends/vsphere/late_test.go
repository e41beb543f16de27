package vsphere

import (
	"context"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// interrupted is a context that is cancelled once a task runs.
func (r *rig) interrupted() context.Context {
	ctx, cancel := context.WithCancel(r.ctx)
	go func() {
		defer cancel()
		for len(r.sim.RunningTasks()) == 0 && r.ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	return ctx
}

// TestSnapshotInterruptedTooLate: a snapshot that was taken all the same is known by its id.
func TestSnapshotInterruptedTooLate(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	r.sim.SetTaskTime(300 * time.Millisecond)
	r.sim.Fail("CancelTask", "", &types.NotSupported{}, 1)
	snap, err := r.CreateSnapshot(r.interrupted(), id, backends.SnapshotSpec{Name: "then"})
	wantCode(t, err, backends.Canceled)
	list, err := r.ListSnapshots(r.ctx, id)
	if err != nil || len(list) != 1 || list[0].ID != snap {
		t.Errorf("the id %q came next to the error, and the VM has %+v (%v)", snap, list, err)
	}
}

// TestRevertInterruptedTooLate: a VM that was reverted all the same keeps its name.
func TestRevertInterruptedTooLate(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Settings = new("first")
	id := r.create(spec)
	snap := r.take(id, "then")
	now := *spec
	now.Settings = new("second")
	r.apply(id, &now)
	r.sim.SetTaskTime(300 * time.Millisecond)
	r.sim.Fail("CancelTask", "", &types.NotSupported{}, 1)
	wantCode(t, r.RevertSnapshot(r.interrupted(), id, snap), backends.Canceled)
	r.matches(id, &now)
}

// TestLinkedCloneTriedAgain: the second try of a linked clone that was locked at its end removes what the first one left,
// and does not wait for itself.
func TestLinkedCloneTriedAgain(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src := r.create(r.spec("web"))
	for _, linked := range []bool{false, true} {
		r.sim.FailTask("ReconfigVM_Task", "clone", &types.TaskInProgress{}, 1)
		spec := &backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: "clone", CreateToken: "token"}}
		id, err := middleware.Retry(r.Backend, middleware.DefaultRetry).CloneVM(r.ctx, spec)
		if err != nil {
			t.Fatalf("linked %t: %v", linked, err)
		}
		if n := r.bases(src); n != asInt(linked) {
			t.Errorf("linked %t: the source has %d bases", linked, n)
		}
		r.delete(id)
		if n := r.bases(src); n != 0 {
			t.Errorf("linked %t: %d bases are left", linked, n)
		}
	}
}

// TestCreationThatGoesOn: a VM that vCenter still makes when the caller's time is over is known by its id, unless the name was
// somebody else's.
func TestCreationThatGoesOn(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	id := r.create(spec)
	r.untold(id)
	place, err := r.inv.Place(r.ctx, backends.PlacementSpec{})
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[backends.Code]backends.ID{backends.Canceled: id, backends.Timeout: id, backends.Conflict: "", backends.Exhausted: ""} {
		got, err := r.afterwards(r.ctx, spec, &build{place: place}, backends.Errorf(code, "create", "", "it ended"))
		wantCode(t, err, code)
		if got != want {
			t.Errorf("after %s the id is %q, want %q", code, got, want)
		}
	}
}
