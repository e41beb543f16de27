package mock_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

func snap(t *testing.T, b backends.Backend, id backends.ID, s backends.SnapshotSpec) string {
	t.Helper()
	made, err := b.CreateSnapshot(t.Context(), id, s)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func snapshots(t *testing.T, b backends.Backend, id backends.ID) []backends.Snapshot {
	t.Helper()
	all, err := b.ListSnapshots(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func writeData(t *testing.T, b *mock.Backend, id backends.ID, disk, value string) {
	t.Helper()
	if err := b.WriteData(t.Context(), id, disk, "file", value); err != nil {
		t.Fatal(err)
	}
}

func wantData(t *testing.T, b *mock.Backend, id backends.ID, disk, want string) {
	t.Helper()
	if got, err := b.ReadData(id, disk); err != nil || got["file"] != want {
		t.Errorf("disk %q holds %q (%v), want %q", disk, got["file"], err, want)
	}
}

func sound(t *testing.T, b *mock.Backend) {
	t.Helper()
	for _, wrong := range b.Audit() {
		t.Error(wrong)
	}
}

func change(t *testing.T, b backends.Backend, id backends.ID, mode backends.ReconfigureMode, edit func(*backends.VMSpec)) error {
	t.Helper()
	vm := get(t, b, id)
	to := vm.Config
	disks := map[string]backends.Disk{}
	for key, d := range to.Disks {
		disks[key] = d
	}
	to.Disks = disks
	to.CPU.MaxCores, to.Memory.MaxMiB = nil, nil // follow
	edit(&to)
	return b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&vm.Config, &to), Mode: mode})
}

// TestSnapshotRevert: configuration, disks, content and power are as they were,
// also for who opens the state file later.
func TestSnapshotRevert(t *testing.T) {
	o := mock.Options{StateFile: filepath.Join(t.TempDir(), "mock.json")}
	b := open(t, o)
	id := create(t, b, spec("vm", func(s *backends.VMSpec) {
		s.CPU.Cores, s.Tags = new(int64(2)), []string{"a"}
		s.Disks["data"] = backends.Disk{SizeGiB: new(int64(3))}
		s.Networks = map[string]backends.NIC{"lan": {Network: new("lan")}}
	}))
	writeData(t, b, id, "root", "old")
	power(t, b, id, backends.PowerOn)
	cold := snap(t, b, id, backends.SnapshotSpec{Name: "cold", Description: "before"})
	warm := snap(t, b, id, backends.SnapshotSpec{Name: "warm", Memory: true})
	before := get(t, b, id)

	power(t, b, id, backends.PowerOff)
	writeData(t, b, id, "root", "new")
	if err := change(t, b, id, backends.Cold, func(s *backends.VMSpec) {
		s.Name, s.CPU.Cores, s.Tags = "renamed", new(int64(4)), []string{"b"}
		delete(s.Disks, "data")
		s.Disks["later"] = backends.Disk{SizeGiB: new(int64(2))}
		s.Disks["kept"] = backends.Disk{SizeGiB: new(int64(2)), KeepOnDestroy: new(true)}
		root := s.Disks["root"]
		root.SizeGiB = new(int64(7))
		s.Disks["root"] = root
	}); err != nil {
		t.Fatal(err)
	}
	kept := get(t, b, id).Disks["kept"].VolumeID

	b = open(t, o)
	for _, want := range []struct {
		id    string
		power backends.PowerState
	}{{warm, backends.Running}, {cold, backends.Stopped}} {
		if err := b.RevertSnapshot(t.Context(), id, want.id); err != nil {
			t.Fatal(err)
		}
		after := get(t, b, id)
		if after.Power != want.power || after.Config.Name != "renamed" {
			t.Errorf("the VM is %s and called %q", after.Power, after.Config.Name)
		}
		after.Config.Name = "vm"
		noDiff(t, after, &before.Config)
		wantData(t, b, id, "root", "old")
		if after.Networks["lan"].MAC != before.Networks["lan"].MAC || after.Disks["data"].VolumeID != before.Disks["data"].VolumeID {
			t.Errorf("the VM has other devices: %+v", after)
		}
		for _, s := range snapshots(t, b, id) {
			if s.Current != (s.ID == want.id) {
				t.Errorf("after the revert to %q, current of %q is %v", want.id, s.Name, s.Current)
			}
		}
		sound(t, b)
	}
	if v, err := b.GetDisk(t.Context(), kept); err != nil || v.AttachedTo != "" {
		t.Errorf("the disk to keep: %+v, %v", v, err)
	}
	list := snapshots(t, b, id)
	if len(list) != 2 || list[0].Description != "before" || list[0].Power != backends.Stopped || list[1].Parent != cold ||
		!list[1].Memory || list[1].Power != backends.Running || list[1].CreatedAt.IsZero() ||
		list[1].SizeBytes-list[0].SizeBytes != 512<<20 {
		t.Errorf("snapshots %+v", list)
	}
}

// TestSnapshotTree: branches, children that move up, and whole branches that go.
func TestSnapshotTree(t *testing.T) {
	b := open(t, mock.Options{})
	id := create(t, b, spec("vm"))
	take := func(name string) string { return snap(t, b, id, backends.SnapshotSpec{Name: name}) }
	revert := func(s string) {
		if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(s string, children bool) {
		if err := b.DeleteSnapshot(t.Context(), id, s, children); err != nil {
			t.Fatal(err)
		}
	}
	shape := func(want ...string) {
		t.Helper()
		names := map[string]string{}
		var got []string
		for _, s := range snapshots(t, b, id) {
			names[s.ID] = s.Name
			line := names[s.Parent] + ">" + s.Name
			if s.Current {
				line += "*"
			}
			got = append(got, line)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the tree is %q, want %q", got, want)
		}
		sound(t, b)
	}
	one := take("one")
	two := take("two")
	three := take("three")
	revert(one)
	four := take("four")
	shape(">one", "one>two", "two>three", "one>four*")
	remove(two, false)
	shape(">one", "one>three", "one>four*")
	remove(four, false)
	shape(">one*", "one>three")
	five := take("five")
	if five == four {
		t.Error("an id came twice")
	}
	shape(">one", "one>three", "one>five*")
	revert(three)
	remove(one, false)
	shape(">three*", ">five")
	take("six")
	remove(three, true)
	shape(">five")

	_, err := b.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "five"})
	wantCode(t, err, backends.Conflict, `"five"`, "another name")
	wantCode(t, b.RevertSnapshot(t.Context(), id, three), backends.NotFound, three, `"vm"`)
	wantCode(t, b.DeleteSnapshot(t.Context(), id, three, false), backends.NotFound, three)
	_, err = b.ListSnapshots(t.Context(), "nope")
	wantCode(t, err, backends.NotFound)
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	sound(t, b)
}

// TestSnapshotPreconditions: each refusal names what is in the way and takes nothing.
func TestSnapshotPreconditions(t *testing.T) {
	b := open(t, mock.Options{SampleData: true})
	id := create(t, b, spec("vm"))
	refused := func(id backends.ID, s backends.SnapshotSpec, code backends.Code, words ...string) {
		t.Helper()
		_, err := b.CreateSnapshot(t.Context(), id, s)
		wantCode(t, err, code, words...)
		if got := snapshots(t, b, id); len(got) > 0 {
			t.Errorf("the snapshot is there: %+v", got)
		}
	}
	refused(id, backends.SnapshotSpec{}, backends.Invalid, "name")
	refused(id, backends.SnapshotSpec{Name: "s", Memory: true}, backends.Precondition, `snapshot "s"`, "stopped", "Start the VM")
	refused(id, backends.SnapshotSpec{Name: "s", Quiesce: true}, backends.Precondition, "stopped", "agent")
	power(t, b, id, backends.PowerOn, backends.Suspend)
	refused(id, backends.SnapshotSpec{Name: "s"}, backends.Precondition, "suspended", "Resume")
	power(t, b, id, backends.Resume)
	refused(id, backends.SnapshotSpec{Name: "s", Quiesce: true, Memory: true}, backends.Invalid)
	if err := b.Inject(mock.Fault{Operation: "Guest", Name: "vm", Count: 1}); err != nil {
		t.Fatal(err)
	}
	refused(id, backends.SnapshotSpec{Name: "s", Quiesce: true}, backends.Precondition, "agent", "does not answer")
	if s := snap(t, b, id, backends.SnapshotSpec{Name: "s", Quiesce: true}); !snapshots(t, b, id)[0].Quiesced {
		t.Errorf("%s is not quiesced", s)
	}
	templates, err := b.ListVMs(t.Context(), backends.VMFilter{Names: []string{"debian-12-template"}})
	if err != nil || len(templates) != 1 {
		t.Fatal(templates, err)
	}
	refused(templates[0].ID, backends.SnapshotSpec{Name: "s"}, backends.Precondition, "template")

	big := create(t, b, spec("big", func(s *backends.VMSpec) {
		s.Memory.SizeMiB = new(int64(20 << 10))
		s.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("small")}
	}))
	power(t, b, big, backends.PowerOn)
	refused(big, backends.SnapshotSpec{Name: "s", Memory: true}, backends.Exhausted, `"small"`)
	sound(t, b)
}

// TestSnapshotIndependentDisks: what is attached by volume is no part of a
// snapshot, and a revert attaches it as it was then.
func TestSnapshotIndependentDisks(t *testing.T) {
	b := open(t, mock.Options{})
	v, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "keep", Disk: backends.Disk{SizeGiB: new(int64(2))}})
	if err != nil {
		t.Fatal(err)
	}
	with := func(s *backends.VMSpec) { s.Disks["keep"] = backends.Disk{Volume: new(v.ID)} }
	id := create(t, b, spec("vm", with))
	writeData(t, b, id, "keep", "old")
	power(t, b, id, backends.PowerOn)
	_, err = b.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "m", Memory: true})
	wantCode(t, err, backends.Precondition, `"keep"`, "volume")
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s"})
	power(t, b, id, backends.PowerOff)
	writeData(t, b, id, "keep", "new")
	if err := b.ResizeDisk(t.Context(), v.ID, 5); err != nil {
		t.Fatal(err)
	}
	revert := func() error { return b.RevertSnapshot(t.Context(), id, s) }
	if err := revert(); err != nil {
		t.Fatal(err)
	}
	wantData(t, b, id, "keep", "new")
	if got := *get(t, b, id).Config.Disks["keep"].SizeGiB; got != 5 {
		t.Errorf("the volume has %d GiB", got)
	}
	if err := change(t, b, id, backends.Cold, func(s *backends.VMSpec) { delete(s.Disks, "keep") }); err != nil {
		t.Fatal(err)
	}
	other := create(t, b, spec("other", with))
	wantData(t, b, other, "keep", "new")
	wantCode(t, revert(), backends.Precondition, `"keep"`, `"other"`)
	if err := b.DeleteVM(t.Context(), other, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := revert(); err != nil {
		t.Fatal(err)
	}
	if got, err := b.GetDisk(t.Context(), v.ID); err != nil || got.AttachedTo != id {
		t.Errorf("the volume is attached to %q (%v), want the VM that was reverted", got.AttachedTo, err)
	}
	sound(t, b)
	if err := change(t, b, id, backends.Cold, func(s *backends.VMSpec) { delete(s.Disks, "keep") }); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteDisk(t.Context(), v.ID); err != nil {
		t.Fatal(err)
	}
	if err := revert(); err != nil {
		t.Fatal(err)
	}
	if _, there := get(t, b, id).Config.Disks["keep"]; there {
		t.Error("a volume that is gone came back")
	}
	sound(t, b)
}

// TestFrozen: where a hypervisor cannot change a VM that has snapshots, the mock
// refuses as it does, also at the disk itself.
func TestFrozen(t *testing.T) {
	b := open(t, mock.Options{})
	b.Pretend(func(c *backends.Catalogue) {
		c.Frozen = func(c backends.Change) string {
			if c.Path.Generic() == "disks.size_gib" || c.Path.Generic() == "disks" {
				return "the snapshots need the disks as they are"
			}
			return ""
		}
	})
	id := create(t, b, spec("vm"))
	s := snap(t, b, id, backends.SnapshotSpec{Name: "pre"})
	grow := func() error {
		return change(t, b, id, backends.Cold, func(s *backends.VMSpec) { s.Disks["root"] = backends.Disk{SizeGiB: new(int64(5))} })
	}
	add := func() error {
		return change(t, b, id, backends.Cold, func(s *backends.VMSpec) { s.Disks["new"] = backends.Disk{SizeGiB: new(int64(1))} })
	}
	resize := func() error { return b.ResizeDisk(t.Context(), get(t, b, id).Disks["root"].VolumeID, 6) }
	for _, try := range []func() error{grow, add, resize} {
		wantCode(t, try(), backends.Precondition, "pre", "need the disks", "Delete the snapshots")
	}
	if err := change(t, b, id, backends.Cold, func(s *backends.VMSpec) { s.Memory.SizeMiB = new(int64(1024)) }); err != nil {
		t.Errorf("a change that is not frozen: %v", err)
	}
	if err := b.DeleteSnapshot(t.Context(), id, s, false); err != nil {
		t.Fatal(err)
	}
	for _, try := range []func() error{grow, add, resize} {
		if err := try(); err != nil {
			t.Errorf("without snapshots: %v", err)
		}
	}
}

// TestRevertWithoutISO: an image that was deleted since does not make a snapshot useless.
func TestRevertWithoutISO(t *testing.T) {
	b := open(t, mock.Options{SampleData: true})
	id := create(t, b, spec("vm", func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "default/rescue.iso"} }))
	s := snap(t, b, id, backends.SnapshotSpec{Name: "s"})
	if err := change(t, b, id, backends.Cold, func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{} }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"default/rescue.iso", ""} {
		if err := b.RevertSnapshot(t.Context(), id, s); err != nil {
			t.Fatal(err)
		}
		if got := get(t, b, id).Config.CDROM.ISO; got != want {
			t.Errorf("in the drive is %q, want %q", got, want)
		}
		if err := change(t, b, id, backends.Cold, func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{} }); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteImage(t.Context(), "default/rescue.iso"); err != nil && want != "" {
			t.Fatal(err)
		}
	}
}
