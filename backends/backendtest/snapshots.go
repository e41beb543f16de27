package backendtest

import (
	"fmt"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var snapshotCases = []Case{
	{
		Name:   "snapshots/stopped",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate, backends.FeatureSnapshotDelete},
		Run:    snapshotStopped,
	},
	{
		Name:   "snapshots/running",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate, backends.FeatureSnapshotDelete},
		Run:    snapshotRunning,
	},
	{
		Name:   "snapshots/memory",
		Proves: []backends.Feature{backends.FeatureSnapshotMemory},
		Needs:  []backends.Feature{backends.FeatureSnapshotRevert, backends.FeatureSnapshotDelete},
		Run:    snapshotMemory,
	},
	{
		Name:   "snapshots/quiesce",
		Proves: []backends.Feature{backends.FeatureSnapshotQuiesce},
		Needs:  []backends.Feature{backends.FeatureSnapshotDelete},
		Lacks:  lacksGuest, Run: snapshotQuiesce,
	},
	{
		Name:  "snapshots/quiesce_without_agent",
		Needs: []backends.Feature{backends.FeatureSnapshotQuiesce},
		Run:   quiesceWithoutAgent,
	},
	{
		Name:   "snapshots/firmware",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate, backends.FeatureSnapshotRevert},
		Needs:  []backends.Feature{backends.FeatureUEFI, backends.FeatureSnapshotMemory, backends.FeatureSnapshotDelete},
		Run:    snapshotFirmware,
	},
	{
		Name:   "snapshots/names",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate},
		Run:    snapshotNames,
	},
	{
		Name:   "snapshots/at_once",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate, backends.FeatureSnapshotTree},
		Run:    snapshotsAtOnce,
	},
	{
		Name:   "snapshots/deleted_vm",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate, backends.FeatureVMDelete},
		Needs:  []backends.Feature{backends.FeatureSnapshotRevert},
		Run:    deleteSnapshotted,
	},
	{
		Name:   "snapshots/volumes",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate},
		Needs:  []backends.Feature{backends.FeatureDiskVolume, backends.FeatureSnapshotRevert},
		Run:    snapshotVolumes,
	},
	{
		Name:   "snapshots/kept_disk",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate},
		Needs:  []backends.Feature{backends.FeatureDiskVolume, backends.FeatureSnapshotRevert},
		Run:    snapshotKeptDisk,
	},
	{
		Name:  "snapshots/formats",
		Needs: []backends.Feature{backends.FeatureSnapshotCreate},
		Run:   snapshotFormats,
	},
	{
		Name:   "snapshots/missing",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate},
		Run:    missingSnapshot,
	},
	{
		Name:   "snapshots/cancelled",
		Proves: []backends.Feature{backends.FeatureSnapshotCreate},
		Run:    snapshotCancelled,
	},
}

// layered is a spec with one disk of each format that the hypervisor takes and has snapshots of, for
// what a snapshot puts above a disk must not show.
func (e *Env) layered() *backends.VMSpec {
	spec := e.With(func(s *backends.VMSpec) {
		s.Description, s.Tags, s.Settings = new("snapshotted"), []string{"a"}, new(`{"kept":true}`)
		if e.Seed.Network != "" {
			s.Networks = map[string]backends.NIC{"lan": {Network: new(e.Seed.Network)}}
		}
	})
	formats := e.Catalogue.Accepts["disks.format"]
	if e.Traits.SnapshotFormats != nil {
		formats = e.Traits.SnapshotFormats
	}
	for _, format := range formats {
		spec = withDisk(spec, format, backends.Disk{SizeGiB: new(int64(1)), Format: new(format)})
	}
	return spec
}

// snapshots lists a VM's snapshots by name and checks what must hold of every list.
func (e *Env) snapshots(t *testing.T, id backends.ID) map[string]backends.Snapshot {
	t.Helper()
	list, err := e.ListSnapshots(e.Ctx(t), id)
	if err != nil {
		t.Fatalf("ListSnapshots: %v", err)
	}
	byName, seen, current := map[string]backends.Snapshot{}, map[string]backends.Snapshot{}, 0
	for _, s := range list {
		if _, twice := seen[s.ID]; twice || s.ID == "" {
			t.Errorf("the id %q of snapshot %q is empty or there twice", s.ID, s.Name)
		}
		if _, twice := byName[s.Name]; twice {
			t.Errorf("two snapshots are called %q", s.Name)
		}
		parent, known := seen[s.Parent]
		switch {
		case s.Parent == "":
		case !known:
			t.Errorf("snapshot %q comes before its parent %q, or that is none: %+v", s.Name, s.Parent, list)
		case s.CreatedAt.Before(parent.CreatedAt):
			t.Errorf("snapshot %q is older than its parent %q", s.Name, parent.Name)
		}
		if s.CreatedAt.IsZero() {
			t.Errorf("snapshot %q has no time", s.Name)
		}
		if s.Current {
			current++
		}
		seen[s.ID], byName[s.Name] = s, s
	}
	if want := min(1, len(list)); current != want {
		t.Errorf("%d of %d snapshots are current, want %d: %+v", current, len(list), want, list)
	}
	return byName
}

// take takes a snapshot, checks that nothing else changed, and returns what the
// list says of it.
func (e *Env) take(t *testing.T, id backends.ID, spec backends.SnapshotSpec) backends.Snapshot {
	t.Helper()
	before := e.Read(t, id, all)
	sid, err := e.CreateSnapshot(e.Ctx(t), id, spec)
	if err != nil {
		t.Fatalf("CreateSnapshot(%+v): %v", spec, err)
	}
	e.unchanged(t, id, before)
	s, ok := e.snapshots(t, id)[spec.Name]
	if !ok || s.ID != sid || s.Description != spec.Description || s.Memory != spec.Memory || s.Quiesced != spec.Quiesce || !s.Current {
		t.Fatalf("CreateSnapshot(%+v) answered %q, the list says %+v", spec, sid, s)
	}
	want := backends.Stopped // a disk's content says nothing of memory
	if spec.Memory {
		want = before.Power
	}
	if s.Power != want {
		t.Errorf("a revert to snapshot %q is said to leave the VM %s, want %s", s.Name, s.Power, want)
	}
	return s
}

// unchanged fails where a VM is not as it was.
func (e *Env) unchanged(t *testing.T, id backends.ID, before *backends.VM) {
	t.Helper()
	after := e.Read(t, id, all)
	if after.Power != before.Power || after.UUID != before.UUID || after.Pending != before.Pending {
		t.Errorf("the VM was %s (UUID %s, pending %t) and is %s (%s, %t)",
			before.Power, before.UUID, before.Pending, after.Power, after.UUID, after.Pending)
	}
	for _, c := range backends.Diff(&before.Config, &after.Config) {
		t.Errorf("the VM changed: %s", c)
	}
	for _, c := range backends.Diff(&after.Config, &before.Config) {
		t.Errorf("the VM lost something: back is %s", c)
	}
	for key, was := range before.Disks {
		if is := after.Disks[key]; is.Device != was.Device || is.SizeBytes != was.SizeBytes || is.Owned != was.Owned {
			t.Errorf("disk %q was %+v and is %+v", key, was, is)
		}
	}
}

func (e *Env) revert(t *testing.T, id backends.ID, s backends.Snapshot) {
	t.Helper()
	before := e.snapshots(t, id)
	if err := e.RevertSnapshot(e.Ctx(t), id, s.ID); err != nil {
		t.Fatalf("RevertSnapshot to %q: %v", s.Name, err)
	}
	after := e.snapshots(t, id)
	if now := after[s.Name]; !now.Current || now.ID != s.ID || now.Parent != before[s.Name].Parent {
		t.Errorf("after the revert snapshot %q is %+v, before it was %+v", s.Name, now, before[s.Name])
	}
	if len(after) != len(before) {
		t.Errorf("the revert made of the snapshots %v these: %v", before, after)
	}
	e.InState(t, id, s.Power)
}

func (e *Env) drop(t *testing.T, id backends.ID, s backends.Snapshot, children bool) {
	t.Helper()
	if err := e.DeleteSnapshot(e.Ctx(t), id, s.ID, children); err != nil {
		t.Fatalf("DeleteSnapshot of %q: %v", s.Name, err)
	}
	if _, there := e.snapshots(t, id)[s.Name]; there {
		t.Errorf("snapshot %q is still listed", s.Name)
	}
}

func snapshotStopped(t *testing.T, e *Env) {
	spec := e.layered()
	id := e.Create(t, spec)
	if got := e.snapshots(t, id); len(got) > 0 {
		t.Errorf("a new VM has snapshots: %v", got)
	}
	first := e.take(t, id, backends.SnapshotSpec{Name: "first", Description: "before the \"upgrade\", <really> & ü"})
	if first.Parent != "" {
		t.Errorf("the first snapshot has the parent %q", first.Parent)
	}
	if second := e.take(t, id, backends.SnapshotSpec{Name: "second"}); second.Parent != first.ID {
		t.Errorf("the second snapshot has the parent %q, want %q", second.Parent, first.ID)
	}
	// A snapshot is in nobody's way, however many starts later it goes.
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, spec)
	e.Power(t, id, backends.PowerOff)
	for _, name := range []string{"second", "first"} {
		before := e.Read(t, id, all)
		e.drop(t, id, e.snapshots(t, id)[name], false)
		e.unchanged(t, id, before)
	}
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, spec)
}

func snapshotRunning(t *testing.T, e *Env) {
	spec := e.layered()
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	first := e.take(t, id, backends.SnapshotSpec{Name: "first"})
	e.take(t, id, backends.SnapshotSpec{Name: "second"})
	e.drop(t, id, first, false) // below where the VM writes
	e.InState(t, id, backends.Running)
	e.drop(t, id, e.snapshots(t, id)["second"], false)
	e.InState(t, id, backends.Running)
	e.Matches(t, id, spec)
	e.Power(t, id, backends.PowerOff)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, spec)
}

func snapshotMemory(t *testing.T, e *Env) {
	spec := e.layered()
	id := e.Create(t, spec)
	_, err := e.CreateSnapshot(e.Ctx(t), id, backends.SnapshotSpec{Name: "memory", Memory: true})
	WantCode(t, err, backends.Precondition) // a stopped VM has none
	e.Power(t, id, backends.PowerOn)
	s := e.take(t, id, backends.SnapshotSpec{Name: "memory", Memory: true})
	e.Power(t, id, backends.PowerOff)
	e.revert(t, id, s) // from stopped to running
	e.Matches(t, id, spec)
	e.revert(t, id, s) // from running
	if e.Catalogue.Supports(backends.FeatureSuspend) {
		e.Power(t, id, backends.Suspend)
		e.revert(t, id, s)
		e.Power(t, id, backends.PowerOff)
		e.Power(t, id, backends.PowerOn) // what was saved by the suspension is not resumed
	}
	e.drop(t, id, s, false)
	e.InState(t, id, backends.Running)
	e.Matches(t, id, spec)
}

func snapshotQuiesce(t *testing.T, e *Env) {
	id := e.Guest(t)
	s := e.take(t, id, backends.SnapshotSpec{Name: "quiesced", Quiesce: true})
	e.awaitAgent(t, id) // the guest goes on
	e.drop(t, id, s, false)
	e.awaitAgent(t, id)
}

// snapshotFirmware: variables of the firmware are in nobody's way.
func snapshotFirmware(t *testing.T, e *Env) {
	spec := e.With(func(s *backends.VMSpec) { s.Firmware = new("uefi") })
	id := e.Create(t, spec)
	cold := e.take(t, id, backends.SnapshotSpec{Name: "cold"})
	e.Power(t, id, backends.PowerOn)
	warm := e.take(t, id, backends.SnapshotSpec{Name: "warm", Memory: true})
	e.revert(t, id, cold)
	e.Power(t, id, backends.PowerOn)
	e.revert(t, id, warm)
	e.Matches(t, id, spec)
	e.drop(t, id, cold, false)
	e.revert(t, id, warm)
	e.drop(t, id, warm, false)
	e.Matches(t, id, spec)
}

// snapshotsAtOnce takes eight at once, as one apply does: they form one line.
func snapshotsAtOnce(t *testing.T, e *Env) {
	id, ctx := e.Create(t, e.Spec()), e.Ctx(t)
	ids := make([]string, 8)
	for i, err := range together(len(ids), func(i int) (err error) {
		ids[i], err = e.CreateSnapshot(ctx, id, backends.SnapshotSpec{Name: fmt.Sprint("s", i)})
		return err
	}) {
		if err != nil {
			t.Errorf("snapshot %d: %v", i, err)
		}
	}
	list := e.snapshots(t, id)
	children := map[string]int{}
	for i := range ids {
		s := list[fmt.Sprint("s", i)]
		if s.ID != ids[i] {
			t.Errorf("snapshot %q has the id %q, its creation answered %q", s.Name, s.ID, ids[i])
		}
		children[s.Parent]++
	}
	for parent, n := range children {
		if n != 1 {
			t.Errorf("snapshot %q has %d children, want one line: %+v", parent, n, list)
		}
	}
	if len(list) != len(ids) {
		t.Errorf("%d snapshots, want %d", len(list), len(ids))
	}
	for _, s := range list {
		if s.Current && children[s.ID] > 0 {
			t.Errorf("the current snapshot %q is not the end of the line", s.Name)
		}
	}
}
