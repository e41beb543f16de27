package snapshot_test

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// faulty is the header of a mock that fails by rule.
func faulty(rule string) string {
	return strings.Replace(header, `"mock.json"`, `"mock.json", faults = [{ `+rule+` }]`, 1)
}

// A snapshot of which no more than its id could be read is in state, tainted, and
// the next apply replaces it: none is forgotten.
func TestAccSnapshot_createdAndNotRead(t *testing.T) {
	w := tfrun.New(t)
	w.Write("main.tf", header+web())
	w.Apply()
	w.Write("main.tf", faulty(`operation = "ListSnapshots", code = "internal", message = "the list is torn"`)+web()+snap("a"))
	w.Fails([]string{"Unable to list snapshots", "The list is torn"}, "apply", "-auto-approve")
	left := w.Attributes(address)
	if left["id"] == nil || left["snapshot_id"] == nil {
		t.Fatalf("the state has %v", left)
	}
	w.Write("main.tf", header+web()+snap("a"))
	if out := w.Must("plan"); !strings.Contains(out, "is tainted, so must be replaced") {
		t.Errorf("the snapshot is not tainted:\n%s", out)
	}
	w.Apply()
	w.EmptyPlan()
	if now := w.Attributes(address); now["id"] == left["id"] || now["parent_id"] != nil {
		t.Errorf("the snapshot is %v, and the first one was %v", now, left["id"])
	}
	w.Destroy()
}

// A list that cannot be read takes nothing out of state.
func TestAccSnapshot_unreadable(t *testing.T) {
	w := tfrun.New(t)
	w.Write("main.tf", header+web()+snap("a"))
	w.Apply()
	w.Write("main.tf", faulty(`operation = "ListSnapshots", code = "auth", message = "not allowed"`)+web()+snap("a"))
	w.Fails([]string{"Unable to list snapshots", "Not allowed"}, "plan")
	w.Write("main.tf", header+web()+snap("a"))
	w.EmptyPlan()
	w.Destroy()
}
