package vsphere

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// TestRevertWhileSomebodyElseChanges: what is the VM's own stays, and a disk that came later goes, also where
// somebody else changes the VM right after the revert.
func TestRevertWhileSomebodyElseChanges(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Settings = new("first")
	id := r.create(spec)
	snap := r.take(id, "then")
	now := *spec
	now.Name, now.Settings, now.Disks = "web-2", new("second"), maps.Clone(spec.Disks)
	now.Disks["later"] = backends.Disk{SizeGiB: new(int64(1))}
	r.apply(id, &now)
	later := fileOf(r.device(id, "later"))
	r.sim.Fail("ReconfigVM_Task", "web-2", &types.ConcurrentAccess{}, 1)
	r.sim.FailTask("ReconfigVM_Task", "web-2", &types.ConcurrentAccess{}, 1)
	r.sim.ResetCalls()
	if err := middleware.Retry(r.Backend, middleware.DefaultRetry).RevertSnapshot(r.ctx, id, snap); err != nil {
		t.Fatal(err)
	}
	if n := r.sim.Calls()["RevertToSnapshot_Task"]; n != 1 {
		t.Errorf("the VM was reverted %d times", n)
	}
	want := *spec
	want.Name, want.Settings = now.Name, now.Settings
	r.matches(id, &want)
	if vm := r.read(id); value(vm.Config.Settings) != "second" || vm.Config.Name != "web-2" {
		t.Errorf("the VM has the name %q and the settings %q", vm.Config.Name, value(vm.Config.Settings))
	}
	if r.exists(later) {
		t.Errorf("the file %s is left", later)
	}
}

// TestRevertThatStaysLocked: that a VM could not be settled is told, and not in a way that has it reverted again.
func TestRevertThatStaysLocked(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	m := r.machineOf(id)
	then := *m
	m.Name = "another"
	ctx, cancel := context.WithTimeout(r.ctx, 200*time.Millisecond)
	defer cancel()
	r.sim.Fail("ReconfigVM_Task", "web", &types.ConcurrentAccess{}, 0)
	err := r.settleRevert(ctx, m, &then, "revert")
	wantCode(t, err, backends.Transient)
	var e *backends.Error
	if !errors.As(err, &e) || e.Remedy == "" {
		t.Errorf("the error is %+v", e)
	}
}

// TestFailedRevertTakesDisksBack: a revert that fails leaves no volume detached.
func TestFailedRevertTakesDisksBack(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	v, err := r.CreateDisk(r.ctx, backends.DiskSpec{Name: "pgdata", Disk: backends.Disk{SizeGiB: new(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	spec := r.spec("web")
	id := r.create(spec)
	snap := r.take(id, "then")
	with := *spec
	with.Disks = maps.Clone(spec.Disks)
	with.Disks["pg"] = backends.Disk{Volume: &v.ID}
	with.Disks["kept"] = backends.Disk{SizeGiB: new(int64(1)), KeepOnDestroy: new(true)}
	r.apply(id, &with)
	r.power(id, backends.PowerOn)
	before := r.read(id).Disks
	r.sim.FailTask("RevertToSnapshot_Task", "", &types.NoDiskSpace{Datastore: "datastore1"}, 1)
	wantCode(t, r.RevertSnapshot(r.ctx, id, snap), backends.Exhausted)
	r.matches(id, &with)
	for key, d := range r.read(id).Disks {
		if d.Device != before[key].Device || d.Path != before[key].Path {
			t.Errorf("disk %q was %+v and is %+v", key, before[key], d)
		}
	}
	if err := r.RevertSnapshot(r.ctx, id, snap); err != nil {
		t.Fatal(err)
	}
	r.matches(id, spec)
}

// TestRevertOfAVMWithoutConfiguration: what vSphere does not tell cannot be given back, so nothing is done.
func TestRevertOfAVMWithoutConfiguration(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	snap := r.take(id, "then")
	r.untold(id)
	wantCode(t, r.RevertSnapshot(r.ctx, id, snap), backends.Precondition)
}
