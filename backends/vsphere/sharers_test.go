package vsphere

import (
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// cloneByHand makes a linked clone of a snapshot as somebody else would.
func (r *rig) cloneByHand(src, name, snap string) {
	r.t.Helper()
	vm, err := r.sim.VM(src)
	if err != nil {
		r.t.Fatal(err)
	}
	place, err := r.inv.Place(r.ctx, backends.PlacementSpec{})
	if err != nil {
		r.t.Fatal(err)
	}
	task, err := vm.Clone(r.ctx, object.NewFolder(vm.Client(), place.Folder.Ref), name, types.VirtualMachineCloneSpec{
		Location: types.VirtualMachineRelocateSpec{Pool: &place.Pool.Ref, DiskMoveType: "createNewChildDiskBacking"},
		Snapshot: &types.ManagedObjectReference{Type: "VirtualMachineSnapshot", Value: snap},
	})
	if err == nil {
		err = task.Wait(r.ctx)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestDeleteAfterAForeignClone: a linked clone that somebody made a moment ago counts, whatever was read before it.
func TestDeleteAfterAForeignClone(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src, other := r.create(r.spec("web")), r.create(r.spec("other"))
	snap := r.take(src, "then")
	r.delete(other) // who looks at all VMs
	r.cloneByHand("web", "by-hand", snap)
	for what, do := range map[string]func() error{
		"DeleteVM":       func() error { return r.DeleteVM(r.ctx, src, backends.DeleteOptions{}) },
		"DeleteSnapshot": func() error { return r.DeleteSnapshot(r.ctx, src, snap, false) },
	} {
		err := do()
		if backends.CodeOf(err) != backends.Precondition || !strings.Contains(err.Error(), "by-hand") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestManyDeletesLookTogether: VMs that are destroyed at the same time share the look at who needs their files.
func TestManyDeletesLookTogether(t *testing.T) {
	const n = 6
	r := newRig(t, vcsim.Options{})
	var ids []backends.ID
	for _, name := range strings.Fields("a b c d e f")[:n] {
		ids = append(ids, r.create(r.spec(name)))
	}
	r.sim.Delay("RetrievePropertiesEx", 50*time.Millisecond)
	r.sim.ResetCalls()
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			if err := r.DeleteVM(r.ctx, id, backends.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// Each reads its VM; one look at all VMs, or two, serve all.
	if got := r.sim.Calls()["RetrievePropertiesEx"]; got > n+3 {
		t.Errorf("%d VMs took %d reads", n, got)
	}
}

// TestADiskThatAnotherVMHas: a disk that is taken out of a VM does not take its file from another one.
func TestADiskThatAnotherVMHas(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("owner")
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Shared: new(true)}
	id := r.create(spec)
	file := fileOf(r.device(id, "data"))
	guest := r.spec("guest")
	guest.Disks["data"] = backends.Disk{Volume: &file, Shared: new(true)}
	second := r.create(guest)
	without := disksOf(spec, maps.Clone(spec.Disks))
	delete(without.Disks, "data")
	err := r.try(id, without, backends.Cold)
	r.refused(err, backends.Precondition, `disks["data"]`)
	var e *backends.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), `"guest"`) || e.Remedy == "" {
		t.Errorf("the refusal does not name who has the disk and what to do: %+v", e)
	}
	if !r.exists(file) {
		t.Fatal("the file is gone")
	}
	r.matches(id, spec)
	r.delete(second)
	r.becomes(id, without, backends.Cold)
	if r.exists(file) {
		t.Error("the file is left")
	}
}

// TestFrozenByLinkedClones: what linked clones are in the way of is refused with their names, not with a snapshot that users do not see.
func TestFrozenByLinkedClones(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	id := r.create(spec)
	clone := r.clonesOf(id, "first", true)
	grown := disksOf(spec, map[string]backends.Disk{"root": spec.Disks["root"], "data": {SizeGiB: new(int64(2))}})
	err := r.try(id, grown, backends.Cold)
	r.refused(err, backends.Precondition, `disks["data"].size_gib`)
	var e *backends.Error
	if !errors.As(err, &e) || strings.Contains(err.Error(), baseName) || !strings.Contains(e.Remedy, `"first"`) {
		t.Errorf("the refusal is %v, the remedy %q", err, e.Remedy)
	}
	if err := r.sim.DestroyVM("first"); err != nil { // by hand, so that the snapshot stays
		t.Fatal(err)
	}
	err = r.try(id, grown, backends.Cold)
	r.refused(err, backends.Precondition, `disks["data"].size_gib`)
	if !errors.As(err, &e) || !strings.Contains(e.Remedy, baseName) || strings.Contains(e.Remedy, `"first"`) {
		t.Errorf("without clones the remedy is %q", e.Remedy)
	}
	wantCode(t, r.DeleteVM(r.ctx, clone, backends.DeleteOptions{}), backends.NotFound)
}
