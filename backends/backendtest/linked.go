package backendtest

import (
	"context"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var linkedCases = []Case{
	{
		Name:   "clones/protected_source",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Run:    protectedSource,
	},
	{
		Name:   "clones/chain",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Run:    func(t *testing.T, e *Env) { cloneChain(t, e, true) },
	},
	{
		Name:   "clones/full_chain",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Run:    func(t *testing.T, e *Env) { cloneChain(t, e, false) },
	},
	{
		Name:   "clones/at_once",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Run:    clonesAtOnce,
	},
	{
		Name:   "clones/snapshots_of_both",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Needs:  []backends.Feature{backends.FeatureSnapshotRevert, backends.FeatureSnapshotCreate, backends.FeatureSnapshotDelete},
		Run:    snapshotsOfBoth,
	},
	{
		Name:   "clones/cancelled",
		Proves: []backends.Feature{backends.FeatureFullClone},
		Run:    func(t *testing.T, e *Env) { cloneCancelled(t, e, false) },
	},
	{
		Name:   "clones/cancelled_linked",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Run:    func(t *testing.T, e *Env) { cloneCancelled(t, e, true) },
	},
	{
		Name:   "clones/create_token",
		Proves: []backends.Feature{backends.FeatureClone},
		Needs:  []backends.Feature{backends.FeatureFullClone},
		Run:    cloneToken,
	},
	{
		Name:   "clones/guest",
		Proves: []backends.Feature{backends.FeatureClone, backends.FeatureLinkedClone},
		Needs:  []backends.Feature{backends.FeatureFullClone, backends.FeatureCloudInit},
		Lacks:  lacksGuest, Run: cloneGuest,
	},
}

// remove deletes a VM that nothing needs.
func (e *Env) remove(t *testing.T, id backends.ID) {
	t.Helper()
	if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM: %v", err)
	}
	e.Gone(t, id)
}

// needed fails unless a VM cannot be deleted because of the VMs called names, and
// is left as it was.
func (e *Env) needed(t *testing.T, id backends.ID, names ...string) {
	t.Helper()
	before := e.Read(t, id, all)
	err := WantCode(t, e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}), backends.Precondition)
	for _, name := range names {
		wantNamed(t, err, name)
	}
	e.unchanged(t, id, before)
}

func (e *Env) linked(t *testing.T, src backends.ID) (backends.ID, string) {
	t.Helper()
	name := e.Name()
	return e.clone(t, backends.CloneSpec{Source: src, Linked: true, Spec: backends.VMSpec{Name: name}}), name
}

// protectedSource: a source stays while a linked clone needs it, and then goes whole.
func protectedSource(t *testing.T, e *Env) {
	spec := e.layered()
	src := e.linkSource(t, e.Create(t, spec))
	was := e.Read(t, src, all)
	owned := e.volumes(t, src)
	a, first := e.linked(t, src)
	b, second := e.linked(t, src)
	owned = append(owned, e.volumes(t, src)...)
	e.needed(t, src, first, second)
	if !was.Template {
		e.Power(t, src, backends.PowerOn)
		e.needed(t, src, first, second) // and it was not stopped for the try
	}
	e.remove(t, a)
	e.needed(t, src, second)
	owned = append(owned, e.volumes(t, b)...)
	e.remove(t, b)
	e.Matches(t, src, &was.Config)
	owned = append(owned, e.volumes(t, src)...)
	e.remove(t, src)
	e.lost(t, owned)
	again := *spec
	again.Name = was.Config.Name
	e.Create(t, &again) // nothing is in the way
}

// cloneChain makes clones of clones and takes them down again.
func cloneChain(t *testing.T, e *Env, linked bool) {
	src := e.Create(t, e.layered())
	if linked && e.Traits.LinkedTemplates {
		src = e.linkSource(t, src)
		a, name := e.linked(t, src)
		e.Power(t, a, backends.PowerOn)
		e.Power(t, a, backends.PowerOff)
		b := e.linkSource(t, a) // a template of a linked clone, which is whole
		e.needed(t, src, name)
		c, _ := e.linked(t, b)
		e.Power(t, c, backends.PowerOn)
		for _, id := range []backends.ID{a, src, c, b} {
			e.remove(t, id)
		}
		return
	}
	ids, names := []backends.ID{src}, []string{""}
	for range 3 {
		name := e.Name()
		ids = append(ids, e.clone(t, backends.CloneSpec{Source: ids[len(ids)-1], Linked: linked, Spec: backends.VMSpec{Name: name}}))
		names = append(names, name)
	}
	for _, id := range ids {
		e.Power(t, id, backends.PowerOn)
	}
	for i := len(ids) - 1; i > 0; i-- {
		if linked {
			e.needed(t, ids[i-1], names[i])
		}
		e.remove(t, ids[i])
	}
	owned := e.volumes(t, src)
	e.remove(t, src)
	e.lost(t, owned)
}

// clonesAtOnce makes and removes four linked clones of one VM side by side.
func clonesAtOnce(t *testing.T, e *Env) {
	spec := e.source()
	src, ctx := e.linkSource(t, e.Create(t, spec)), e.Ctx(t)
	before := e.Read(t, src, all)
	owned := e.volumes(t, src)
	ids, names := make([]backends.ID, 4), make([]string, 4)
	for i := range names {
		names[i] = e.Name()
	}
	errs := together(len(ids), func(i int) (err error) {
		ids[i], err = e.CloneVM(ctx, &backends.CloneSpec{Source: src, Linked: true, Spec: backends.VMSpec{Name: names[i]}})
		return err
	})
	for i, err := range errs {
		e.DeleteLater(t, ids[i])
		if err != nil {
			t.Errorf("clone %d: %v", i, err)
		}
	}
	if t.Failed() {
		return
	}
	e.unchanged(t, src, before)
	vms := []*backends.VM{before}
	for i, id := range ids {
		e.Matches(t, id, inherited(spec, names[i], true))
		vm := e.Read(t, id, all)
		for _, other := range vms {
			e.apart(t, other, vm)
		}
		vms = append(vms, vm)
		owned = append(owned, e.volumes(t, id)...)
	}
	e.needed(t, src, names...)
	for i, err := range together(len(ids), func(i int) error { return e.DeleteVM(ctx, ids[i], backends.DeleteOptions{}) }) {
		if err != nil {
			t.Errorf("deletion %d: %v", i, err)
		}
	}
	e.Matches(t, src, &before.Config)
	owned = append(owned, e.volumes(t, src)...)
	e.remove(t, src)
	e.lost(t, owned)
}

// snapshotsOfBoth takes, reverts and deletes snapshots on either side of a linked clone.
func snapshotsOfBoth(t *testing.T, e *Env) {
	spec := e.Spec()
	src := e.Create(t, spec)
	if e.Traits.LinkedTemplates { // a template has none
		id, _ := e.linked(t, e.linkSource(t, src))
		was := e.Read(t, id, all)
		mine := e.take(t, id, backends.SnapshotSpec{Name: "mine"})
		e.Power(t, id, backends.PowerOn)
		e.revert(t, id, mine)
		e.unchanged(t, id, was)
		e.drop(t, id, mine, false)
		e.unchanged(t, id, was)
		return
	}
	before := e.take(t, src, backends.SnapshotSpec{Name: "before"})
	id, name := e.linked(t, src)
	after := e.take(t, src, backends.SnapshotSpec{Name: "after"})
	mine := e.take(t, id, backends.SnapshotSpec{Name: "mine"})
	e.revert(t, src, before)
	e.revert(t, id, mine)
	e.Power(t, id, backends.PowerOn)
	e.revert(t, src, after)
	for _, s := range []backends.Snapshot{before, after} {
		if err := e.DeleteSnapshot(e.Ctx(t), src, s.ID, false); err != nil {
			wantNamed(t, WantCode(t, err, backends.Precondition), name)
		}
	}
	e.needed(t, src, name)
	e.drop(t, id, mine, false)
	e.InState(t, id, backends.Running)
	owned := e.volumes(t, id)
	e.remove(t, id)
	for _, s := range e.snapshots(t, src) {
		e.drop(t, src, s, false)
	}
	e.Matches(t, src, spec)
	e.Power(t, src, backends.PowerOn)
	owned = append(owned, e.volumes(t, src)...)
	e.remove(t, src)
	e.lost(t, owned)
}

// cloneCancelled cancels at the first report of progress: what exists is known by
// its id, and the source is what it was.
func cloneCancelled(t *testing.T, e *Env, linked bool) {
	spec := e.layered()
	src := e.Create(t, spec)
	if linked {
		src = e.linkSource(t, src)
	}
	before := e.Read(t, src, all)
	c := backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: e.Name()}}

	over, cancel := context.WithCancel(e.Ctx(t))
	cancel()
	id, err := e.CloneVM(over, &c)
	e.DeleteLater(t, id)
	WantCode(t, err, backends.Canceled)
	if id != "" || len(e.Named(t, c.Spec.Name)) > 0 {
		t.Errorf("a call that was cancelled before it began made %q", id)
	}

	ctx, cancel := context.WithCancel(e.Ctx(t))
	defer cancel()
	id, err = e.CloneVM(backends.WithProgress(ctx, func(backends.Progress) { cancel() }), &c)
	e.DeleteLater(t, id)
	if err != nil {
		WantCode(t, err, backends.Canceled)
	}
	e.unchanged(t, src, before)
	left := e.Named(t, c.Spec.Name)
	if id == "" && len(left) > 0 {
		t.Fatalf("VM %v exists and its id was not returned: nobody would remove it", left)
	}
	if id != "" {
		e.remove(t, id)
	}
	again := e.clone(t, c) // nothing of the first try is in the way
	e.Power(t, again, backends.PowerOn)
	e.remove(t, again)
	owned := e.volumes(t, src)
	e.remove(t, src)
	e.lost(t, owned)
}

// cloneToken repeats a clone, as after an answer that got lost.
func cloneToken(t *testing.T, e *Env) {
	src := e.Create(t, e.Spec())
	for _, linked := range []bool{false, true} {
		if linked && !e.Catalogue.Supports(backends.FeatureLinkedClone) {
			continue
		}
		from := src
		if linked {
			from = e.linkSource(t, src)
		}
		c := backends.CloneSpec{Source: from, Linked: linked, Spec: backends.VMSpec{Name: e.Name(), CreateToken: e.Name()}}
		id := e.clone(t, c)
		again, err := e.tryClone(t, c)
		if err != nil || again != id {
			t.Errorf("linked %t: the repeated clone answered %q, %v; want the VM of the first try, %q", linked, again, err, id)
		}
		if got := e.Named(t, c.Spec.Name); len(got) != 1 {
			t.Errorf("linked %t: there are %d VMs of the name", linked, len(got))
		}
		c.Spec.CreateToken = "another creation"
		e.refuseClone(t, c, backends.Conflict)
	}
}

// cloneGuest clones the shared guest, which goes on: its clones boot with its
// content, and with names and addresses of their own.
func cloneGuest(t *testing.T, e *Env) {
	src := e.Guest(t)
	if e.Traits.RealGuest {
		e.write(t, src, "source")
	}
	addresses := map[string]string{e.awaitAgent(t, src).Networks["lan"].Addresses[0]: "the source"}
	var linked backends.ID
	for i, spec := range []backends.CloneSpec{
		{Source: e.linkSource(t, src), Linked: true, Spec: backends.VMSpec{Name: e.Name()}},
		{Source: src, Spec: backends.VMSpec{Name: e.Name(), CloudInit: &backends.CloudInit{Hostname: new("my-own-name")}}},
	} {
		id := e.clone(t, spec)
		vm := e.bootGuest(t, id)
		want := spec.Spec.Name
		if i == 1 {
			want = "my-own-name"
		}
		if vm.Guest.Hostname != want {
			t.Errorf("the clone calls itself %q, want %q", vm.Guest.Hostname, want)
		}
		address := vm.Networks["lan"].Addresses[0]
		if other := addresses[address]; other != "" {
			t.Errorf("clone %q has the address %s of %s", spec.Spec.Name, address, other)
		}
		addresses[address] = spec.Spec.Name
		if e.Traits.RealGuest {
			e.holds(t, id, "source")
			e.write(t, id, "clone")
			e.holds(t, src, "source")
		}
		if i == 0 {
			linked = id
			e.Power(t, id, backends.PowerOff) // two emulated guests at once are enough
		} else {
			e.remove(t, id)
		}
	}
	if vm := e.awaitAgent(t, src); vm.Guest.Hostname != hostname {
		t.Errorf("the source calls itself %q", vm.Guest.Hostname)
	}
	if !e.Traits.RealGuest {
		return
	}
	// What the source writes later is not the clone's.
	e.write(t, src, "later")
	e.bootGuest(t, linked)
	e.holds(t, linked, "clone")
	e.holds(t, src, "later")
}
