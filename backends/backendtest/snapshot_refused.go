package backendtest

import (
	"context"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func quiesceWithoutAgent(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	refused := func() {
		t.Helper()
		_, err := e.CreateSnapshot(e.Ctx(t), id, backends.SnapshotSpec{Name: "quiesced", Quiesce: true})
		WantCode(t, err, backends.Precondition)
		if left := e.snapshots(t, id); len(left) > 0 {
			t.Errorf("the refused snapshot left %v", left)
		}
	}
	refused()
	if e.Traits.RealGuest { // a pretended agent answers in every VM that runs
		e.Power(t, id, backends.PowerOn)
		refused()
		e.InState(t, id, backends.Running)
	}
}

func snapshotNames(t *testing.T, e *Env) {
	id, other := e.Create(t, e.Spec()), e.Create(t, e.Spec())
	e.take(t, id, backends.SnapshotSpec{Name: "before", Description: "the first"})
	_, err := e.CreateSnapshot(e.Ctx(t), id, backends.SnapshotSpec{Name: "before"})
	wantNamed(t, WantCode(t, err, backends.Conflict), "before")
	if s := e.snapshots(t, id)["before"]; s.Description != "the first" {
		t.Errorf("the snapshot that was there became %+v", s)
	}
	e.take(t, other, backends.SnapshotSpec{Name: "before"}) // a name is taken within one VM
	const words = "A name, with <spaces> & ümlauts/slashes"
	if e.Traits.PlainSnapshotNames {
		for _, name := range []string{words, "-first", strings.Repeat("long", 20)} {
			_, err = e.CreateSnapshot(e.Ctx(t), id, backends.SnapshotSpec{Name: name})
			wantPath(t, WantCode(t, err, backends.Invalid), "name")
			wantNamed(t, err, name)
		}
	} else {
		e.take(t, id, backends.SnapshotSpec{Name: words})
	}
	_, err = e.CreateSnapshot(e.Ctx(t), id, backends.SnapshotSpec{})
	WantCode(t, err, backends.Invalid)
}

func missingSnapshot(t *testing.T, e *Env) {
	const missing = "no-such-snapshot"
	id := e.Create(t, e.Spec())
	e.take(t, id, backends.SnapshotSpec{Name: "one"})
	before := e.Read(t, id, all)
	calls := map[string]func(id backends.ID) error{
		"DeleteSnapshot":               func(id backends.ID) error { return e.DeleteSnapshot(e.Ctx(t), id, missing, false) },
		"DeleteSnapshot with children": func(id backends.ID) error { return e.DeleteSnapshot(e.Ctx(t), id, missing, true) },
	}
	if e.Catalogue.Supports(backends.FeatureSnapshotRevert) {
		calls["RevertSnapshot"] = func(id backends.ID) error { return e.RevertSnapshot(e.Ctx(t), id, missing) }
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			wantNamed(t, WantCode(t, call(id), backends.NotFound), missing)
			wantNamed(t, WantCode(t, call(e.Seed.MissingVM), backends.NotFound), string(e.Seed.MissingVM))
		})
	}
	e.unchanged(t, id, before)
	if left := e.snapshots(t, id); len(left) != 1 {
		t.Errorf("the refusals left %v", left)
	}
	_, err := e.CreateSnapshot(e.Ctx(t), e.Seed.MissingVM, backends.SnapshotSpec{Name: "one"})
	wantNamed(t, WantCode(t, err, backends.NotFound), string(e.Seed.MissingVM))
	_, err = e.ListSnapshots(e.Ctx(t), e.Seed.MissingVM)
	wantNamed(t, WantCode(t, err, backends.NotFound), string(e.Seed.MissingVM))
}

// snapshotCancelled: a call whose context is over does nothing; one that is
// cancelled on its way leaves a whole snapshot or none.
func snapshotCancelled(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	over, cancel := context.WithCancel(e.Ctx(t))
	cancel()
	_, err := e.CreateSnapshot(over, id, backends.SnapshotSpec{Name: "never"})
	WantCode(t, err, backends.Canceled)
	if left := e.snapshots(t, id); len(left) > 0 {
		t.Errorf("a call that was cancelled before it began left %v", left)
	}
	ctx, cancel := context.WithCancel(e.Ctx(t))
	defer cancel()
	before := e.Read(t, id, all)
	_, err = e.CreateSnapshot(backends.WithProgress(ctx, func(backends.Progress) { cancel() }), id, backends.SnapshotSpec{Name: "perhaps"})
	if err != nil {
		WantCode(t, err, backends.Canceled)
	}
	e.unchanged(t, id, before)
	left := e.snapshots(t, id)
	if len(left) > 1 || err == nil && len(left) != 1 {
		t.Errorf("the cancelled call answered %v and left %v", err, left)
	}
	e.take(t, id, backends.SnapshotSpec{Name: "afterwards"})
	e.Power(t, id, backends.PowerOn)
}
