package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var describeCases = []Case{{
	Name:   "snapshots/description",
	Proves: []backends.Feature{backends.FeatureSnapshotCreate},
	Run:    describeSnapshot,
}}

// describeSnapshot: another description is all that changes, also of a snapshot
// that is not the current one.
func describeSnapshot(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	first := e.take(t, id, backends.SnapshotSpec{Name: "first", Description: "as it was"})
	second := e.take(t, id, backends.SnapshotSpec{Name: "second"})
	before := e.Read(t, id, all)
	for _, s := range []backends.Snapshot{first, second} {
		was := e.snapshots(t, id)
		for _, text := range []string{"what <it> is for & more", ""} {
			if err := e.DescribeSnapshot(e.Ctx(t), id, s.ID, text); err != nil {
				t.Fatalf("DescribeSnapshot: %v", err)
			}
			want := was[s.Name]
			want.Description = text
			now := e.snapshots(t, id)
			got := now[s.Name]
			got.SizeBytes = want.SizeBytes // may be measured anew
			if got != want || len(now) != len(was) {
				t.Errorf("after another description the snapshot is %+v, want %+v", got, want)
			}
		}
	}
	e.unchanged(t, id, before)
	const missing = "no-such-snapshot"
	wantNamed(t, WantCode(t, e.DescribeSnapshot(e.Ctx(t), id, missing, "x"), backends.NotFound), missing)
}
