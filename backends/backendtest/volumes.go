package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var volumeCases = []Case{
	{
		Name:   "volumes/life_of_its_own",
		Proves: []backends.Feature{backends.FeatureDiskVolume},
		Run:    lifeOfItsOwn,
	},
	{
		Name:   "volumes/successor",
		Proves: []backends.Feature{backends.FeatureDiskVolume},
		Run:    successor,
	},
	{
		Name:   "volumes/kept_from_a_deleted_vm",
		Proves: []backends.Feature{backends.FeatureDiskVolume},
		Run:    keptDisk,
	},
}

// volume makes a disk of 1 GiB that is deleted when the test ends.
func (e *Env) volume(t *testing.T) backends.Volume {
	t.Helper()
	d := backends.Disk{SizeGiB: new(int64(1))}
	if e.Seed.Storage != "" {
		d.Storage = new(e.Seed.Storage)
	}
	v, err := e.CreateDisk(e.Ctx(t), backends.DiskSpec{Name: e.Name(), Disk: d})
	if err != nil {
		t.Fatalf("CreateDisk: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := e.cleanup()
		defer cancel()
		if err := e.DeleteDisk(ctx, v.ID); err != nil && backends.CodeOf(err) != backends.NotFound {
			t.Errorf("clean up: %v", err)
		}
	})
	return v
}

func (e *Env) disk(t *testing.T, id string) backends.Volume {
	t.Helper()
	v, err := e.GetDisk(e.Ctx(t), id)
	if err != nil {
		t.Fatalf("GetDisk(%s): %v", id, err)
	}
	return v
}

func lifeOfItsOwn(t *testing.T, e *Env) {
	v := e.volume(t)
	if v.ID == "" || v.Name == "" || v.AttachedTo != "" {
		t.Errorf("a new disk is %+v", v)
	}
	_, err := e.CreateDisk(e.Ctx(t), backends.DiskSpec{Name: v.Name, Disk: backends.Disk{SizeGiB: new(int64(1)), Storage: v.Disk.Storage}})
	WantCode(t, err, backends.Conflict)

	if err := e.ResizeDisk(e.Ctx(t), v.ID, 2); err != nil {
		t.Fatalf("ResizeDisk: %v", err)
	}
	if got := e.disk(t, v.ID).Disk.SizeGiB; got == nil || *got != 2 {
		t.Errorf("the disk has %v GiB, want 2", got)
	}
	WantCode(t, e.ResizeDisk(e.Ctx(t), v.ID, 1), backends.Invalid)

	if err := e.DeleteDisk(e.Ctx(t), v.ID); err != nil {
		t.Fatalf("DeleteDisk: %v", err)
	}
	_, err = e.GetDisk(e.Ctx(t), v.ID)
	WantCode(t, err, backends.NotFound)
	WantCode(t, e.DeleteDisk(e.Ctx(t), v.ID), backends.NotFound)
}

// successor hands a disk from one VM to the next.
func successor(t *testing.T, e *Env) {
	v := e.volume(t)
	first := withDisk(e.Spec(), "keep", backends.Disk{Volume: &v.ID})
	a := e.Create(t, first)
	if got := e.disk(t, v.ID).AttachedTo; got != a {
		t.Errorf("the disk says it is attached to %q, want %q", got, a)
	}
	if e.Read(t, a, all).Disks["keep"].Owned {
		t.Error("a disk with a life of its own counts as the VM's own")
	}
	WantCode(t, e.DeleteDisk(e.Ctx(t), v.ID), backends.Precondition)
	second := withDisk(e.Spec(), "keep", backends.Disk{Volume: &v.ID})
	wantPath(t, e.refuseCreate(t, second, backends.Precondition), `disks["keep"].volume`)

	if err := e.DeleteVM(e.Ctx(t), a, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM: %v", err)
	}
	if got := e.disk(t, v.ID); got.AttachedTo != "" {
		t.Errorf("after its VM is gone the disk is attached to %q", got.AttachedTo)
	}
	b := e.Create(t, e.Spec())
	with := withDisk(&backends.VMSpec{Name: e.Read(t, b, all).Config.Name, Disks: e.Read(t, b, all).Config.Disks},
		"keep", backends.Disk{Volume: &v.ID})
	e.Apply(t, b, with, backends.Cold)
	without := *with
	without.Disks = map[string]backends.Disk{"root": with.Disks["root"]}
	e.Apply(t, b, &without, backends.Cold)
	if got := e.disk(t, v.ID); got.AttachedTo != "" {
		t.Errorf("after its removal the disk is attached to %q", got.AttachedTo)
	}
}

func keptDisk(t *testing.T, e *Env) {
	spec := withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1))})
	id := e.Create(t, spec)
	vm := e.Read(t, id, all)
	kept, lost := vm.Disks["data"].VolumeID, vm.Disks["root"].VolumeID
	if kept == "" || lost == "" {
		t.Fatalf("disks without volume ids: %+v", vm.Disks)
	}
	if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{KeepDisks: []string{"data"}}); err != nil {
		t.Fatalf("DeleteVM: %v", err)
	}
	e.Gone(t, id)
	if v := e.disk(t, kept); v.AttachedTo != "" {
		t.Errorf("the kept disk is attached to %q", v.AttachedTo)
	}
	_, err := e.GetDisk(e.Ctx(t), lost)
	WantCode(t, err, backends.NotFound)

	again := e.Create(t, withDisk(e.Spec(), "old", backends.Disk{Volume: &kept}))
	if err := e.DeleteVM(e.Ctx(t), again, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM: %v", err)
	}
	if err := e.DeleteDisk(e.Ctx(t), kept); err != nil {
		t.Fatalf("DeleteDisk of the kept disk: %v", err)
	}
}
