package vsphere

import (
	"maps"
	"strings"
	"testing"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func TestSnapshotContent(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	r.write(id, "data", "one")
	first := r.take(id, "first")
	r.write(id, "data", "two")
	second := r.take(id, "second")
	r.write(id, "data", "six")
	for snap, word := range map[string]string{first: "one", second: "two"} {
		if err := r.RevertSnapshot(r.ctx, id, snap); err != nil {
			t.Fatal(err)
		}
		r.holds(id, "data", word)
	}
	if err := r.RevertSnapshot(r.ctx, id, second); err != nil {
		t.Fatal(err)
	}
	for _, snap := range []string{first, second} {
		if err := r.DeleteSnapshot(r.ctx, id, snap, false); err != nil {
			t.Fatal(err)
		}
		r.holds(id, "data", "two")
	}
	if d := r.device(id, "data"); parentOf(d) != "" {
		t.Errorf("after the last snapshot the disk is still a layer: %v", chainOf(d.Backing))
	}
}

// TestRevertKeepsIdentity: what is the VM's own stays, what is its hardware goes back.
func TestRevertKeepsIdentity(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.CreateToken, spec.Settings, spec.Tags = "token", new("first"), []string{"a"}
	id := r.create(spec)
	before := r.read(id)
	snap := r.take(id, "then")
	now := *spec
	now.Name, now.Settings, now.Tags = "web-2", new("second"), []string{"b"}
	now.Memory.SizeMiB = new(int64(512))
	now.Networks = map[string]backends.NIC{"lan": spec.Networks["lan"], "dmz": {Network: new(r.sim.Seed.SecondNetwork)}}
	r.apply(id, &now)
	if err := r.RevertSnapshot(r.ctx, id, snap); err != nil {
		t.Fatal(err)
	}
	after := r.read(id)
	if after.Config.Name != "web-2" || value(after.Config.Settings) != "second" || after.Config.CreateToken != "token" || strings.Join(after.Config.Tags, " ") != "b" {
		t.Errorf("the revert took name, settings, token or tags back: %q, %q, %q, %v",
			after.Config.Name, value(after.Config.Settings), after.Config.CreateToken, after.Config.Tags)
	}
	if after.UUID != before.UUID || !after.Owned {
		t.Errorf("the VM was %s and is %s, owned: %t", before.UUID, after.UUID, after.Owned)
	}
	want := *spec
	want.Name, want.Settings, want.Tags = now.Name, now.Settings, now.Tags
	r.matches(id, &want)
	if n := len(after.Config.Networks); n != 1 {
		t.Errorf("after the revert there are the interfaces %v", after.Config.Networks)
	}
}

// TestRevertRemovesLaterDisks: a disk that came after the snapshot goes with its file, unless it is to be kept.
func TestRevertRemovesLaterDisks(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	id := r.create(spec)
	snap := r.take(id, "then")
	now := *spec
	now.Disks = maps.Clone(spec.Disks)
	now.Disks["later"] = backends.Disk{SizeGiB: new(int64(1))}
	now.Disks["kept"] = backends.Disk{SizeGiB: new(int64(1)), KeepOnDestroy: new(true)}
	r.apply(id, &now)
	later, kept := fileOf(r.device(id, "later")), fileOf(r.device(id, "kept"))
	if err := r.RevertSnapshot(r.ctx, id, snap); err != nil {
		t.Fatal(err)
	}
	r.matches(id, spec)
	if _, err := r.GetDisk(r.ctx, later); backends.CodeOf(err) != backends.NotFound {
		t.Errorf("the file %s is left (%v)", later, err)
	}
	if v, err := r.GetDisk(r.ctx, kept); err != nil || v.AttachedTo != "" {
		t.Errorf("the disk that was to be kept is %+v (%v)", v, err)
	}
}

func TestSnapshotRemovedByHand(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	snap := r.take(id, "then")
	if err := r.sim.RemoveSnapshot("web", "then"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.DeleteSnapshot(r.ctx, id, snap, false), backends.NotFound)
	wantCode(t, r.RevertSnapshot(r.ctx, id, snap), backends.NotFound)
	if list, err := r.ListSnapshots(r.ctx, id); err != nil || len(list) != 0 {
		t.Errorf("the list is %v (%v)", list, err)
	}
}

func TestSnapshotOfBusyVM(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	r.sim.Fail("CreateSnapshot_Task", "web", &types.TaskInProgress{}, 1)
	_, err := r.CreateSnapshot(r.ctx, id, backends.SnapshotSpec{Name: "then"})
	wantCode(t, err, backends.Locked)
	r.take(id, "then")
}

// TestConsolidate: what vSphere could not merge is merged with the next deletion.
func TestConsolidate(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	first, second := r.take(id, "first"), r.take(id, "second")
	for _, snap := range []string{second, first} {
		r.needsConsolidation(id)
		r.sim.ResetCalls()
		if err := r.DeleteSnapshot(r.ctx, id, snap, false); err != nil {
			t.Fatal(err)
		}
		if n := r.sim.Calls()["ConsolidateVMDisks_Task"]; n > 1 {
			t.Errorf("the disks were consolidated %d times", n)
		}
	}
	if d := r.device(id, "root"); parentOf(d) != "" {
		t.Errorf("the disk is still a layer: %v", chainOf(d.Backing))
	}
}

func (r *rig) needsConsolidation(id backends.ID) {
	vm, ok := r.sim.Registry().Get(reference(id)).(*simulator.VirtualMachine)
	if !ok {
		r.t.Fatal("the simulator has no such VM")
	}
	vm.Runtime.ConsolidationNeeded = true
}

// TestVolumeGoneSinceSnapshot: what had a disk that is another VM's now, or nobody's, is not reverted to, and the VM stays what it is.
func TestVolumeGoneSinceSnapshot(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	v, err := r.CreateDisk(r.ctx, backends.DiskSpec{Name: "pgdata", Disk: backends.Disk{SizeGiB: new(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	spec := r.spec("web")
	with := *spec
	with.Disks = maps.Clone(spec.Disks)
	with.Disks["pg"] = backends.Disk{Volume: &v.ID}
	id := r.create(&with)
	snap := r.take(id, "with the volume")
	r.apply(id, spec)
	refused := func() {
		t.Helper()
		err := r.RevertSnapshot(r.ctx, id, snap)
		wantCode(t, err, backends.Precondition)
		if e, ok := err.(*backends.Error); !ok || e.Path != `disks["pg"].volume` { //nolint:errorlint // What the driver returns.
			t.Errorf("the refusal is %v", err)
		}
		r.matches(id, spec)
	}
	other := r.spec("db")
	other.Disks["pg"] = backends.Disk{Volume: &v.ID}
	second := r.create(other)
	refused()
	r.delete(second)
	if err := r.RevertSnapshot(r.ctx, id, snap); err != nil {
		t.Fatal(err)
	}
	r.matches(id, &with)
	r.apply(id, spec)
	if err := r.removeFile(r.ctx, v.ID); err != nil { // by hand, whatever a snapshot says of it
		t.Fatal(err)
	}
	refused()
}

// TestSnapshotCalls bounds what a snapshot costs.
func TestSnapshotCalls(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	snap := ""
	for name, call := range map[string]struct {
		most int
		do   func() error
	}{
		"1 create": {8, func() (err error) {
			snap, err = r.CreateSnapshot(r.ctx, id, backends.SnapshotSpec{Name: "then"})
			return err
		}},
		"2 list": {1, func() error { _, err := r.ListSnapshots(r.ctx, id); return err }},
	} {
		r.sim.ResetCalls()
		if err := call.do(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := r.sim.TotalCalls(); n > call.most {
			t.Errorf("%s: %d calls, want at most %d: %v", name, n, call.most, r.sim.Calls())
		} else {
			t.Logf("%s: %d calls %v", name, n, r.sim.Calls())
		}
	}
	_ = snap
}
