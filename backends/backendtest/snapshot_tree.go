package backendtest

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var snapshotTreeCases = []Case{
	{
		Name:   "snapshots/tree",
		Proves: []backends.Feature{backends.FeatureSnapshotTree, backends.FeatureSnapshotRevert, backends.FeatureSnapshotDelete},
		Run:    snapshotTree,
	},
	{
		Name:   "snapshots/side_branch",
		Proves: []backends.Feature{backends.FeatureSnapshotTree, backends.FeatureSnapshotRevert, backends.FeatureSnapshotDelete},
		Run:    sideBranch,
	},
	{
		Name:   "snapshots/revert",
		Proves: []backends.Feature{backends.FeatureSnapshotRevert},
		Run:    revertConfig,
	},
	{
		Name:   "snapshots/revert_power",
		Proves: []backends.Feature{backends.FeatureSnapshotRevert},
		Run:    revertPower,
	},
	{
		Name:   "snapshots/changed_disks",
		Proves: []backends.Feature{backends.FeatureSnapshotRevert},
		Run:    changedDisks,
	},
	{
		Name:   "snapshots/grown_disk",
		Proves: []backends.Feature{backends.FeatureSnapshotRevert},
		Needs:  []backends.Feature{backends.FeatureSnapshotDelete},
		Run:    snapshotGrownDisk,
	},
	{
		Name:   "snapshots/content",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate, backends.FeatureSnapshotRevert, backends.FeatureSnapshotMemory, backends.FeatureSnapshotDelete},
		Lacks:  lacksRealGuest, Run: snapshotContent,
	},
}

func lacksRealGuest(h *Harness) string {
	if !h.Traits.RealGuest {
		return "guest that really boots"
	}
	return lacksGuest(h)
}

// family fails unless the parents of the snapshots are as said: "b1<a1" is b with
// the parent a, "a1" a root; the one with an asterisk is current.
func (e *Env) family(t *testing.T, id backends.ID, want ...string) {
	t.Helper()
	list := e.snapshots(t, id)
	if len(list) != len(want) {
		t.Errorf("there are %d snapshots, want %v: %+v", len(list), want, list)
	}
	for _, w := range want {
		name, current := strings.CutSuffix(w, "*")
		name, parent, _ := strings.Cut(name, "<")
		s, ok := list[name]
		if !ok || s.Parent != list[parent].ID || s.Current != current {
			t.Errorf("snapshot %q is %+v, want %s in the tree %v", name, s, w, want)
		}
	}
}

func snapshotTree(t *testing.T, e *Env) {
	spec := e.layered()
	id := e.Create(t, spec)
	s := map[string]backends.Snapshot{}
	take := func(names ...string) {
		for _, name := range names {
			s[name] = e.take(t, id, backends.SnapshotSpec{Name: name})
		}
	}
	take("a1", "b1", "c1")
	e.family(t, id, "a1", "b1<a1", "c1<b1*")
	e.revert(t, id, s["a1"])
	e.family(t, id, "a1*", "b1<a1", "c1<b1")
	take("d1", "e1")
	e.family(t, id, "a1", "b1<a1", "c1<b1", "d1<a1", "e1<d1*")
	e.revert(t, id, s["c1"])
	e.family(t, id, "a1", "b1<a1", "c1<b1*", "d1<a1", "e1<d1")
	take("f1")

	// One in the middle of a branch, with a child on the way to the present.
	e.drop(t, id, s["b1"], false)
	e.family(t, id, "a1", "c1<a1", "d1<a1", "e1<d1", "f1<c1*")
	// The present's own: its parent takes its place.
	e.drop(t, id, s["f1"], false)
	e.family(t, id, "a1", "c1<a1*", "d1<a1", "e1<d1")
	// A branch that the present is not on.
	e.drop(t, id, s["d1"], true)
	e.family(t, id, "a1", "c1<a1*")
	// All that is left, the present's branch included.
	e.drop(t, id, s["a1"], true)
	e.family(t, id)
	e.Matches(t, id, spec)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, spec)
}

func sideBranch(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	a := e.take(t, id, backends.SnapshotSpec{Name: "a1"})
	b := e.take(t, id, backends.SnapshotSpec{Name: "b1"})
	c := e.take(t, id, backends.SnapshotSpec{Name: "c1"})
	e.revert(t, id, b)
	d := e.take(t, id, backends.SnapshotSpec{Name: "d1"})
	e.Power(t, id, backends.PowerOn) // what follows is done below a running guest
	e.drop(t, id, c, false)
	e.family(t, id, "a1", "b1<a1", "d1<b1*")
	e.drop(t, id, b, false)
	e.family(t, id, "a1", "d1<a1*")
	e.InState(t, id, backends.Running)
	e.Power(t, id, backends.PowerOff)
	e.revert(t, id, a)
	second := e.take(t, id, backends.SnapshotSpec{Name: "second"})
	// One with two children, of which both can still be reverted to.
	e.drop(t, id, a, false)
	e.family(t, id, "d1", "second*")
	e.revert(t, id, d)
	e.revert(t, id, second)
	e.drop(t, id, d, false)
	e.drop(t, id, second, false)
	e.Matches(t, id, spec)
	e.Power(t, id, backends.PowerOn)
}

// revertConfig changes a VM after a snapshot: the revert brings its hardware back.
func revertConfig(t *testing.T, e *Env) {
	spec := e.layered()
	id := e.Create(t, spec)
	before := e.Read(t, id, all)
	s := e.take(t, id, backends.SnapshotSpec{Name: "small"})
	to := *spec
	to.CPU.Cores, to.Memory.SizeMiB = new(int64(2)), new(int64(320))
	e.Apply(t, id, &to, backends.Cold)
	larger := e.take(t, id, backends.SnapshotSpec{Name: "larger"})
	e.revert(t, id, s)
	e.unchanged(t, id, before)
	e.revert(t, id, larger)
	e.Matches(t, id, &to)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, &to)
}

// revertPower: what holds no memory leaves the VM stopped, whatever it was.
func revertPower(t *testing.T, e *Env) {
	id := e.Create(t, e.Spec())
	cold := e.take(t, id, backends.SnapshotSpec{Name: "cold"})
	e.Power(t, id, backends.PowerOn)
	warm := e.take(t, id, backends.SnapshotSpec{Name: "warm"})
	e.revert(t, id, cold) // of a running VM
	e.revert(t, id, warm) // of a stopped one
	e.Power(t, id, backends.PowerOn)
	e.revert(t, id, warm)
	if !e.Catalogue.Supports(backends.FeatureSuspend) {
		return
	}
	e.Power(t, id, backends.PowerOn)
	e.Power(t, id, backends.Suspend)
	e.revert(t, id, cold)
	// The memory that was saved fits no disk any more: this is a new start.
	WantCode(t, e.SetPower(e.Ctx(t), id, backends.Resume), backends.Precondition)
	e.Power(t, id, backends.PowerOn)
	e.InState(t, id, backends.Running)
}

// frozen reports whether snapshots are in the way of turning a VM into to. Then
// the plan and the driver must both say so, and nothing happens.
func (e *Env) frozen(t *testing.T, id backends.ID, to *backends.VMSpec, mode backends.ReconfigureMode) bool {
	t.Helper()
	from := e.Read(t, id, all)
	changes := backends.Diff(&from.Config, to)
	why := ""
	for _, c := range changes {
		if w := e.Catalogue.FrozenBy(c); w != "" {
			why = w
		}
	}
	if why == "" {
		return false
	}
	err := e.Reconfigure(e.Ctx(t), id, backends.Reconfiguration{Desired: to, Changes: changes, Mode: mode})
	WantCode(t, err, backends.Precondition)
	e.unchanged(t, id, from)
	return true
}

// changedDisks adds and removes disks after a snapshot.
func changedDisks(t *testing.T, e *Env) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1))})
	id := e.Create(t, spec)
	before := e.Read(t, id, all)
	s := e.take(t, id, backends.SnapshotSpec{Name: "with_data"})
	added := withDisk(spec, "later", backends.Disk{SizeGiB: new(int64(1))})
	if !e.frozen(t, id, added, backends.Cold) {
		e.Apply(t, id, added, backends.Cold)
		e.revert(t, id, s)
		e.unchanged(t, id, before)
		if n := len(e.Read(t, id, all).Config.Disks); n != 2 {
			t.Errorf("the VM has %d disks after the revert, want 2", n)
		}
	}
	removed := *spec
	removed.Disks = map[string]backends.Disk{"root": spec.Disks["root"]}
	if !e.frozen(t, id, &removed, backends.Cold) {
		e.Apply(t, id, &removed, backends.Cold)
		e.revert(t, id, s)
		e.unchanged(t, id, before)
	}
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, spec)
}

func snapshotGrownDisk(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	grown := func(n int64) *backends.VMSpec {
		root := spec.Disks["root"]
		root.SizeGiB = &n
		return withDisk(spec, "root", root)
	}
	size := func(want int64) {
		t.Helper()
		if got := e.Read(t, id, all).Disks["root"].SizeBytes; got != want*gib {
			t.Errorf("the disk has %d bytes, want %d GiB", got, want)
		}
	}
	small := e.take(t, id, backends.SnapshotSpec{Name: "small"})
	if e.frozen(t, id, grown(2), backends.Cold) {
		size(1)
		return
	}
	e.Apply(t, id, grown(2), backends.Cold)
	size(2)
	e.Power(t, id, backends.PowerOn)
	e.Apply(t, id, grown(3), backends.Live)
	size(3)
	large := e.take(t, id, backends.SnapshotSpec{Name: "large"})
	e.revert(t, id, small)
	size(1)
	e.revert(t, id, large)
	size(3)
	e.drop(t, id, small, false)
	size(3)
	e.drop(t, id, large, false)
	size(3)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, grown(3))
}

// snapshotContent follows bytes on a disk and in memory through snapshots.
func snapshotContent(t *testing.T, e *Env) {
	spec := e.guestSpec(t)
	id := e.Create(t, spec)
	e.bootGuest(t, id)

	e.write(t, id, "one")
	disk := e.take(t, id, backends.SnapshotSpec{Name: "disk"})
	e.write(t, id, "two")
	e.remember(t, id, "two")
	memory := e.take(t, id, backends.SnapshotSpec{Name: "memory", Memory: true})
	e.write(t, id, "three")
	e.remember(t, id, "three")

	e.revert(t, id, memory)
	e.awaitAgent(t, id)
	e.holds(t, id, "two")
	e.remembers(t, id, "two")
	e.write(t, id, "four") // the guest can write
	e.revert(t, id, disk)
	e.bootGuest(t, id)
	e.holds(t, id, "one")
	e.write(t, id, "five")

	// What merges below a running guest keeps what it wrote last.
	e.drop(t, id, memory, false)
	e.drop(t, id, disk, false)
	e.holds(t, id, "five")
	e.write(t, id, "six")
	e.holds(t, id, "six")
}
