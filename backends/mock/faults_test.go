package mock_test

import (
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

func TestFaults(t *testing.T) {
	// failures says which of ten starts of VM "web" fail.
	failures := func(t *testing.T, seed int64, f mock.Fault) (failed []int) {
		t.Helper()
		b := open(t, mock.Options{Seed: seed, Faults: []mock.Fault{f}})
		id := create(t, b, spec("web"))
		for i := range 10 {
			if err := b.SetPower(t.Context(), id, backends.PowerOn); err != nil {
				failed = append(failed, i)
			}
		}
		return failed
	}
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for name, tt := range map[string]struct {
		fault mock.Fault
		want  []int
	}{
		"every call":     {mock.Fault{Operation: "SetPower"}, all},
		"by action":      {mock.Fault{Operation: "SetPower.start"}, all},
		"another action": {mock.Fault{Operation: "SetPower.stop"}, nil},
		"by pattern":     {mock.Fault{Operation: "Set*", Name: "w?b"}, all},
		"another VM":     {mock.Fault{Operation: "SetPower", Name: "db*"}, nil},
		"the first two":  {mock.Fault{Operation: "SetPower", Count: 2}, []int{0, 1}},
		"two after five": {mock.Fault{Operation: "SetPower", Skip: 5, Count: 2}, []int{5, 6}},
		"another method": {mock.Fault{Operation: "DeleteVM"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := failures(t, 1, tt.fault); !slices.Equal(got, tt.want) {
				t.Errorf("calls %v fail, want %v", got, tt.want)
			}
		})
	}
	t.Run("by chance", func(t *testing.T) {
		half := mock.Fault{Operation: "SetPower", Probability: 0.5}
		first := failures(t, 1, half)
		if len(first) == 0 || len(first) == 10 {
			t.Errorf("with probability 0.5 calls %v of 10 fail", first)
		}
		if again := failures(t, 1, half); !slices.Equal(first, again) {
			t.Errorf("the same seed fails %v, then %v", first, again)
		}
	})
}

// TestFaultsOfBulkReads: a rule with a name takes one VM out, one without the call.
func TestFaultsOfBulkReads(t *testing.T) {
	b := open(t, mock.Options{Faults: []mock.Fault{{Operation: "GetVMs", Skip: 1, Count: 1}, {Operation: "GetVMs", Name: "bad", Count: 2}}})
	good, bad := create(t, b, spec("good")), create(t, b, spec("bad"))
	var seen []string
	for range 4 {
		got, err := b.GetVMs(t.Context(), []backends.ID{good, bad}, everything)
		switch {
		case err != nil:
			seen = append(seen, "call")
		case got[good].Err != nil:
			seen = append(seen, "good")
		case got[bad].Err != nil:
			seen = append(seen, "bad")
		default:
			seen = append(seen, "none")
		}
	}
	if want := []string{"bad", "call", "bad", "none"}; !slices.Equal(seen, want) {
		t.Errorf("what failed: %q, want %q", seen, want)
	}
}

func TestFaultMessage(t *testing.T) {
	b := open(t, mock.Options{Faults: []mock.Fault{
		{Operation: "CreateVM", Name: "full", Code: backends.Exhausted, Message: "no licence is left"},
		{Operation: "CreateVM.finish", Name: "half", Code: backends.Internal},
		{Operation: "ListVMs"},
	}})
	id, err := b.CreateVM(t.Context(), spec("full"))
	wantCode(t, err, backends.Exhausted, `create VM "full"`, "no licence is left")
	if id != "" {
		t.Errorf("a creation that failed at once answered %q", id)
	}
	id, err = b.CreateVM(t.Context(), spec("half"))
	wantCode(t, err, backends.Internal, `VM "half"`)
	if id == "" || get(t, b, id).Status != "creating" {
		t.Errorf("a creation that failed at its end answered %q", id)
	}
	_, err = b.ListVMs(t.Context(), backends.VMFilter{})
	wantCode(t, err, backends.Transient)
}

func TestFaultsAreChecked(t *testing.T) {
	for name, f := range map[string]mock.Fault{
		"code":        {Operation: "CreateVM", Code: "oops"},
		"pattern":     {Operation: "Create[VM"},
		"name":        {Name: "[" + "x"},
		"probability": {Probability: 1.5},
		"count":       {Count: -1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mock.New(mock.Options{Faults: []mock.Fault{f}})
			wantCode(t, err, backends.Invalid, "fault 0")
		})
	}
}

// TestFaultsOfSnapshotsAndClones: each method fails by its name, says so in the
// history, and changes nothing.
func TestFaultsOfSnapshotsAndClones(t *testing.T) {
	b := open(t, mock.Options{})
	id := create(t, b, spec("vm"))
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s"})
	power(t, b, id, backends.PowerOn)
	for method, call := range map[string]func() error{
		"CreateSnapshot": func() error {
			_, err := b.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "t"})
			return err
		},
		"RevertSnapshot": func() error { return b.RevertSnapshot(t.Context(), id, s) },
		"DeleteSnapshot": func() error { return b.DeleteSnapshot(t.Context(), id, s, true) },
		"ListSnapshots":  func() error { _, err := b.ListSnapshots(t.Context(), id); return err },
		"Console":        func() error { _, err := b.Console(t.Context(), id); return err },
		"GuestInfo":      func() error { _, err := b.GuestInfo(t.Context(), id); return err },
		"CloneVM": func() error {
			_, err := b.CloneVM(t.Context(), &backends.CloneSpec{Source: id, Linked: true, Spec: backends.VMSpec{Name: "vm-clone"}})
			return err
		},
		"ImportImage": func() error {
			_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "vm-image", Kind: "template"}, backends.ImageSource{VM: id})
			return err
		},
	} {
		if err := b.Inject(mock.Fault{Operation: method, Name: "vm*", Code: backends.Locked, Message: "for " + method, Count: 1}); err != nil {
			t.Fatal(err)
		}
		wantCode(t, call(), backends.Locked, "for "+method)
		vm := get(t, b, id)
		list, err := b.ListVMs(t.Context(), backends.VMFilter{})
		if left := snapshots(t, b, id); err != nil || len(list) != 1 || len(left) != 1 || vm.Power != backends.Running || b.Bases() != 0 {
			t.Errorf("after the fault in %s: %+v, %+v (%v)", method, list, left, err)
		}
		if err := call(); err != nil {
			t.Errorf("%s after the fault: %v", method, err)
		}
		// As before.
		b = open(t, mock.Options{})
		id = create(t, b, spec("vm"))
		s = snap(t, b, id, backends.SnapshotSpec{Name: "s"})
		power(t, b, id, backends.PowerOn)
	}
	tasks := func(words ...string) {
		t.Helper()
		all, err := b.Tasks(t.Context(), backends.TaskFilter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if !slices.ContainsFunc(all, func(task backends.Task) bool { return task.Op == w && task.State == "success" }) {
				t.Errorf("no task %q in %+v", w, all)
			}
		}
	}
	if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteSnapshot(t.Context(), id, s, false); err != nil {
		t.Fatal(err)
	}
	cloneVM(t, b, &backends.CloneSpec{Source: id, Spec: backends.VMSpec{Name: "copy"}})
	tasks(`create snapshot "s" of VM "vm"`, `revert to snapshot "s" of VM "vm"`, `delete snapshot "s" of VM "vm"`, `clone VM "copy"`)
}
