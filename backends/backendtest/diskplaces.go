package backendtest

import (
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var diskPlaceCases = []Case{
	{
		Name:   "disks/slots",
		Proves: []backends.Feature{backends.FeatureDiskSlot},
		Run:    diskSlots,
	},
	{
		Name:   "disks/shared",
		Proves: []backends.Feature{backends.FeatureDiskSharing},
		Needs:  []backends.Feature{backends.FeatureDiskVolume},
		Run:    sharedDisk,
	},
}

// diskSlots puts disks where they are asked to be, moves one, and refuses two in
// one place.
func diskSlots(t *testing.T, e *Env) {
	at := func(slot string) backends.Disk {
		return backends.Disk{SizeGiB: new(int64(1)), Bus: new("scsi"), Slot: &slot}
	}
	spec := withDisk(withDisk(e.Spec(), "data", at("1:0")), "log", at("0:9"))
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, spec)
	e.ApplyAsPlanned(t, id, withDisk(spec, "data", at("1:5")))
	if got := e.Read(t, id, all).Config.Disks["data"].Slot; got == nil || *got != "1:5" {
		t.Errorf("the disk that was moved is at %v, want 1:5", got)
	}
	for name, disks := range map[string]*backends.VMSpec{
		"twice":     withDisk(withDisk(e.Spec(), "data", at("1:0")), "log", at("1:0")),
		"malformed": withDisk(e.Spec(), "data", at("first")),
	} {
		if err := e.refuseCreate(t, disks, backends.Invalid); err.Path.Generic() != "disks.slot" {
			t.Errorf("%s: the error blames %q, want a slot: %v", name, err.Path, err)
		}
	}
}

// sharedDisk gives one disk to two VMs, both of which say so, and to none that does not.
func sharedDisk(t *testing.T, e *Env) {
	d := backends.Disk{SizeGiB: new(int64(1))}
	if e.Seed.Storage != "" {
		d.Storage = new(e.Seed.Storage)
	}
	if all := e.Catalogue.Accepts["disks.provisioning"]; slices.Contains(all, "eager_zeroed") {
		d.Provisioning = new("eager_zeroed") // some want that of what is shared
	}
	v, err := e.CreateDisk(e.Ctx(t), backends.DiskSpec{Name: e.Name(), Disk: d})
	if err != nil {
		t.Fatalf("CreateDisk: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := e.cleanup()
		defer cancel()
		if err := e.DeleteDisk(ctx, v.ID); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	with := func() *backends.VMSpec {
		return withDisk(e.Spec(), "quorum", backends.Disk{Volume: &v.ID, Shared: new(true)})
	}
	one, two := e.Create(t, with()), e.Create(t, with())
	e.Power(t, one, backends.PowerOn)
	e.Power(t, two, backends.PowerOn)
	for _, id := range []backends.ID{one, two} {
		if d := e.Read(t, id, all).Config.Disks["quorum"]; d.Shared == nil || !*d.Shared || d.Volume == nil || *d.Volume != v.ID {
			t.Errorf("VM %s has the disk as %+v", id, d)
		}
	}
	alone := withDisk(e.Spec(), "quorum", backends.Disk{Volume: &v.ID})
	wantPath(t, e.refuseCreate(t, alone, backends.Precondition), `disks["quorum"].volume`)
	for _, id := range []backends.ID{one, two} {
		WantCode(t, e.DeleteDisk(e.Ctx(t), v.ID), backends.Precondition)
		if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
			t.Fatalf("DeleteVM: %v", err)
		}
	}
	if got := e.disk(t, v.ID).AttachedTo; got != "" {
		t.Errorf("after its VMs are gone the disk is attached to %q", got)
	}
}
