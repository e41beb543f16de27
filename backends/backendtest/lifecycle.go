package backendtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var lifecycleCases = []Case{
	{
		Name:   "lifecycle/create_read_delete",
		Proves: []backends.Feature{backends.FeatureVMCreate, backends.FeatureVMDelete, backends.FeatureDescribe},
		Run:    createReadDelete,
	},
	{
		Name:   "lifecycle/delete_running",
		Proves: []backends.Feature{backends.FeatureVMDelete},
		Run:    deleteRunning,
	},
	{
		Name:   "lifecycle/list",
		Proves: []backends.Feature{backends.FeatureDescribe},
		Run:    list,
	},
	{
		Name:   "lifecycle/read_in_bulk",
		Proves: []backends.Feature{backends.FeatureDescribe},
		Run:    readInBulk,
	},
	{
		Name:   "lifecycle/reconfigure_stopped",
		Proves: []backends.Feature{backends.FeatureReconfigure},
		Run:    reconfigureStopped,
	},
	{
		Name:   "lifecycle/reconfigure_running",
		Proves: []backends.Feature{backends.FeatureVMReconfiguration},
		Run:    reconfigureRunning,
	},
	{
		Name:   "lifecycle/rename",
		Proves: []backends.Feature{backends.FeatureVMReconfiguration},
		Run:    rename,
	},
	{
		Name:   "lifecycle/deferred_changes",
		Proves: []backends.Feature{backends.FeatureDeferredChange},
		Run:    deferredChanges,
	},
}

func createReadDelete(t *testing.T, e *Env) {
	spec := e.Spec()
	spec.Description = new("made by a test, \"quoted\" <and> ünïcode")
	spec.Tags = []string{"two", "one"}
	spec.Settings = new(`{"kept":"with the VM, <unread> & 'quoted'"}`)
	id := e.Create(t, spec)

	vm := e.Read(t, id, all)
	if vm.ID != id {
		t.Errorf("the VM calls itself %q, want %q", vm.ID, id)
	}
	if vm.Config.Name != spec.Name {
		t.Errorf("name %q, want %q", vm.Config.Name, spec.Name)
	}
	if vm.Power != backends.Stopped {
		t.Errorf("a new VM is %s, want stopped", vm.Power)
	}
	if vm.UUID == "" {
		t.Error("the VM has no UUID")
	}
	if !vm.Owned {
		t.Error("the VM does not carry this product's mark")
	}
	if !slices.Equal(vm.Config.Tags, []string{"one", "two"}) {
		t.Errorf("tags %q, want them sorted", vm.Config.Tags)
	}
	if c := backends.Diff(&vm.Config, &vm.Config); len(c) > 0 {
		t.Errorf("the VM differs from itself: %v", c)
	}
	if got := e.Named(t, spec.Name); !slices.Equal(got, []backends.ID{id}) {
		t.Errorf("ListVMs by name finds %v, want %v", got, id)
	}

	if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM: %v", err)
	}
	e.Gone(t, id)
	if got := e.Named(t, spec.Name); len(got) > 0 {
		t.Errorf("ListVMs still finds the deleted VM as %v", got)
	}
	WantCode(t, e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}), backends.NotFound)

	// Nothing of the first VM stands in the way of a second of the same name.
	again := e.Create(t, spec)
	if again == id {
		t.Errorf("the second VM has the id of the first, %s", id)
	}
}

func deleteRunning(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	e.Power(t, id, backends.PowerOn)
	if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM of a running VM: %v", err)
	}
	e.Gone(t, id)
}

func list(t *testing.T, e *Env) {
	tag := e.Name() // that nothing else carries
	mk := func(tags ...string) (backends.ID, string) {
		spec := e.With(func(s *backends.VMSpec) { s.Tags = append(tags, tag) })
		return e.Create(t, spec), spec.Name
	}
	first, firstName := mk("a", "b")
	second, secondName := mk("b")
	e.Power(t, second, backends.PowerOn)

	for _, tt := range []struct {
		name   string
		filter backends.VMFilter
		want   []backends.ID
	}{
		{"one tag", backends.VMFilter{Tags: []string{tag}}, []backends.ID{first, second}},
		{"all of two tags", backends.VMFilter{Tags: []string{tag, "a"}}, []backends.ID{first}},
		{"names", backends.VMFilter{Names: []string{secondName, "no-such-name"}}, []backends.ID{second}},
		{"power", backends.VMFilter{Tags: []string{tag}, Power: backends.Running}, []backends.ID{second}},
		{"name and power", backends.VMFilter{Names: []string{firstName}, Power: backends.Running}, nil},
		{"an unknown host", backends.VMFilter{Tags: []string{tag}, Host: "no-such-host"}, nil},
	} {
		got, err := e.ListVMs(e.Ctx(t), tt.filter)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var ids []backends.ID
		for _, vm := range got {
			ids = append(ids, vm.ID)
		}
		if want := slices.Clone(tt.want); !sameIDs(ids, want) {
			t.Errorf("%s: found %v, want %v", tt.name, ids, want)
		}
	}

	everything, err := e.ListVMs(e.Ctx(t), backends.VMFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(everything, func(a, b backends.VMSummary) int {
		if a.Name != b.Name {
			return compare(a.Name, b.Name)
		}
		return compare(a.ID, b.ID)
	}) {
		t.Errorf("the list is not sorted by name, then id: %+v", everything)
	}
	for _, vm := range everything {
		if vm.ID == second && (vm.Power != backends.Running || !vm.Owned || !slices.Contains(vm.Tags, tag)) {
			t.Errorf("the list says %+v of a running VM of ours with tag %q", vm, tag)
		}
	}
}

func readInBulk(t *testing.T, e *Env) {
	a, b := e.Create(t, e.Spec()), e.Create(t, e.Spec())
	missing := e.Seed.MissingVM
	got, err := e.GetVMs(e.Ctx(t), []backends.ID{a, missing, b, a}, all)
	if err != nil {
		t.Fatalf("one missing VM fails the whole read: %v", err)
	}
	if len(got) != 3 {
		t.Errorf("%d keys, want one for each of the 3 ids", len(got))
	}
	for _, id := range []backends.ID{a, b} {
		if got[id].Err != nil || got[id].VM == nil || got[id].VM.ID != id {
			t.Errorf("%s: %+v", id, got[id])
		}
	}
	WantCode(t, got[missing].Err, backends.NotFound)

	none, err := e.GetVMs(e.Ctx(t), nil, all)
	if err != nil || len(none) != 0 {
		t.Errorf("reading no VMs answers %v, %v", none, err)
	}
}

func reconfigureStopped(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	to := *spec
	to.Description = new("changed")
	to.Tags = []string{"x"}
	to.CPU.Cores = new(int64(2))
	to.Memory.SizeMiB = new(int64(320))
	e.Apply(t, id, &to, backends.Cold)

	// The same changes once more are no error, and none at all neither.
	vm := e.Read(t, id, all)
	r := backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&backends.VMSpec{Name: spec.Name, Disks: vm.Config.Disks}, &to), Mode: backends.Cold}
	if err := e.Reconfigure(e.Ctx(t), id, r); err != nil {
		t.Errorf("changes that hold already: %v", err)
	}
	if err := e.Reconfigure(e.Ctx(t), id, backends.Reconfiguration{Desired: &to, Mode: backends.Cold}); err != nil {
		t.Errorf("no changes: %v", err)
	}
	e.Matches(t, id, &to)

	// What a spec leaves nil is left alone.
	e.Apply(t, id, &backends.VMSpec{Name: spec.Name}, backends.Cold)
	e.Matches(t, id, &to)
}

func reconfigureRunning(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	to := *spec
	to.Description = new("changed while it runs")
	to.Tags = []string{"live"}
	to.Settings = new(`{"changed":true}`)
	e.Apply(t, id, &to, backends.Live)
	e.InState(t, id, backends.Running)

	// A change that the catalogue says needs a restart is not made behind the
	// guest's back: neither live nor as if the VM were stopped.
	from := e.Read(t, id, all)
	bigger := to
	bigger.CPU.Cores = new(int64(2))
	changes := backends.Diff(&from.Config, &bigger)
	if e.Catalogue.ImpactOf(&from.Config, &bigger, changes[0]).Effect == backends.EffectRestart {
		WantCode(t, e.TryApply(t, id, &bigger, backends.Live), backends.Precondition)
	}
	WantCode(t, e.TryApply(t, id, &bigger, backends.Cold), backends.Precondition)
	e.InState(t, id, backends.Running)
	e.Matches(t, id, &to)
	e.Power(t, id, backends.PowerOff)
	e.Apply(t, id, &bigger, backends.Cold)
}

func rename(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	to := *spec
	to.Name = e.Name()
	e.Apply(t, id, &to, backends.Cold)
	if got := e.Named(t, to.Name); !slices.Equal(got, []backends.ID{id}) {
		t.Errorf("the new name finds %v, want %v", got, id)
	}
	if got := e.Named(t, spec.Name); len(got) > 0 {
		t.Errorf("the old name still finds %v", got)
	}
}

func deferredChanges(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	if e.Read(t, id, all).Pending {
		t.Error("a VM that nobody changed has pending changes")
	}
	to := *spec
	to.CPU.Cores = new(int64(2))
	// What is observed is what the VM becomes, so that the next plan is empty.
	e.Apply(t, id, &to, backends.Deferred)
	e.InState(t, id, backends.Running)
	if !e.Read(t, id, all).Pending {
		t.Error("the change waits for the next start, but nothing is pending")
	}
	e.Power(t, id, backends.PowerOff)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, &to)
	if e.Read(t, id, all).Pending {
		t.Error("changes are still pending after the next start")
	}
}

func compare[T ~string](a, b T) int { return strings.Compare(string(a), string(b)) }

func sameIDs(a, b []backends.ID) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
