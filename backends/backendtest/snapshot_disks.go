package backendtest

import (
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// deleteSnapshotted deletes a VM with a tree of snapshots: nothing is left.
func deleteSnapshotted(t *testing.T, e *Env) {
	spec := e.layered()
	id := e.Create(t, spec)
	owned := e.volumes(t, id)
	first := e.take(t, id, backends.SnapshotSpec{Name: "first"})
	e.Power(t, id, backends.PowerOn)
	e.take(t, id, backends.SnapshotSpec{Name: "second", Memory: e.Catalogue.Supports(backends.FeatureSnapshotMemory)})
	owned = append(owned, e.volumes(t, id)...)
	e.revert(t, id, first)
	e.take(t, id, backends.SnapshotSpec{Name: "side"})
	owned = append(owned, e.volumes(t, id)...)
	e.Power(t, id, backends.PowerOn)
	if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM of a running VM with snapshots: %v", err)
	}
	e.Gone(t, id)
	_, err := e.ListSnapshots(e.Ctx(t), id)
	WantCode(t, err, backends.NotFound)
	e.lost(t, owned)
	if left := e.snapshots(t, e.Create(t, spec)); len(left) > 0 {
		t.Errorf("the next VM of the name has the snapshots of the first: %v", left)
	}
}

// volumes are the ids of the volumes that a VM owns.
func (e *Env) volumes(t *testing.T, id backends.ID) []string {
	t.Helper()
	var ids []string
	for _, d := range e.Read(t, id, all).Disks {
		if d.Owned && d.VolumeID != "" {
			ids = append(ids, d.VolumeID)
		}
	}
	return ids
}

// lost fails where one of volumes still exists, as far as the seam can tell.
func (e *Env) lost(t *testing.T, volumes []string) {
	t.Helper()
	if !e.Catalogue.Supports(backends.FeatureDiskVolume) {
		return
	}
	for _, id := range volumes {
		if v, err := e.GetDisk(e.Ctx(t), id); backends.CodeOf(err) != backends.NotFound {
			t.Errorf("volume %q is left: %+v (%v)", id, v, err)
		}
	}
}

// snapshotVolumes: a disk with a life of its own is left out of snapshots, or in their way.
func snapshotVolumes(t *testing.T, e *Env) {
	v := e.volume(t)
	spec := withDisk(e.Spec(), "keep", backends.Disk{Volume: &v.ID})
	id := e.Create(t, spec)
	if e.Traits.SnapshotsOfAll {
		e.noSnapshot(t, id, "keep")
		to := *spec
		to.Disks = map[string]backends.Disk{"root": spec.Disks["root"]}
		e.Apply(t, id, &to, backends.Cold)
		s := e.take(t, id, backends.SnapshotSpec{Name: "without_it"})
		e.Apply(t, id, spec, backends.Cold)
		e.revert(t, id, s)
		e.Matches(t, id, &to)
		if is := e.disk(t, v.ID); is.AttachedTo != "" || is.Path != v.Path {
			t.Errorf("the disk that was attached later is %+v after the revert", is)
		}
		return
	}
	was := e.disk(t, v.ID)
	s := e.take(t, id, backends.SnapshotSpec{Name: "without_it"})
	if is := e.disk(t, v.ID); is.Path != was.Path || is.AttachedTo != id {
		t.Errorf("the disk was %+v and is %+v", was, is)
	}
	if err := e.ResizeDisk(e.Ctx(t), v.ID, 2); err != nil {
		t.Errorf("ResizeDisk beside a snapshot: %v", err)
	}
	e.revert(t, id, s)
	if is := e.disk(t, v.ID); is.Path != was.Path || is.AttachedTo != id || *is.Disk.SizeGiB != 2 {
		t.Errorf("after the revert the disk is %+v, want it as it was", is)
	}
	if e.Catalogue.Supports(backends.FeatureSnapshotMemory) {
		e.Power(t, id, backends.PowerOn)
		_, err := e.CreateSnapshot(e.Ctx(t), id, backends.SnapshotSpec{Name: "with_memory", Memory: true})
		wantNamed(t, WantCode(t, err, backends.Precondition), "keep")
		if left := e.snapshots(t, id); len(left) != 1 {
			t.Errorf("the refused snapshot left %v", left)
		}
		e.InState(t, id, backends.Running)
	}
	if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM: %v", err)
	}
	if is := e.disk(t, v.ID); is.AttachedTo != "" {
		t.Errorf("after its VM is gone the disk is attached to %q", is.AttachedTo)
	}
}

// snapshotKeptDisk keeps a disk of a VM with snapshots: it is one whole volume.
func snapshotKeptDisk(t *testing.T, e *Env) {
	id := e.Create(t, withDisk(e.Spec(), "data", backends.Disk{SizeGiB: new(int64(1))}))
	e.take(t, id, backends.SnapshotSpec{Name: "one"})
	e.take(t, id, backends.SnapshotSpec{Name: "two"})
	kept := e.Read(t, id, all).Disks["data"].VolumeID
	if err := e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{KeepDisks: []string{"data"}}); err != nil {
		t.Fatalf("DeleteVM: %v", err)
	}
	if v := e.disk(t, kept); v.AttachedTo != "" || v.Disk.SizeGiB == nil || *v.Disk.SizeGiB != 1 {
		t.Errorf("the kept disk is %+v", v)
	}
	next := e.Create(t, withDisk(e.Spec(), "old", backends.Disk{Volume: &kept}))
	e.Power(t, next, backends.PowerOn)
	if err := e.DeleteVM(e.Ctx(t), next, backends.DeleteOptions{}); err != nil {
		t.Fatalf("DeleteVM: %v", err)
	}
	if err := e.DeleteDisk(e.Ctx(t), kept); err != nil {
		t.Fatalf("DeleteDisk of the kept disk: %v", err)
	}
}

// noSnapshot fails unless a snapshot is refused because of the disk of the key, and nothing happened.
func (e *Env) noSnapshot(t *testing.T, id backends.ID, key string) {
	t.Helper()
	before := e.Read(t, id, all)
	_, err := e.CreateSnapshot(e.Ctx(t), id, backends.SnapshotSpec{Name: "never"})
	wantNamed(t, WantCode(t, err, backends.Precondition), key)
	if left := e.snapshots(t, id); len(left) > 0 {
		t.Errorf("the refused snapshot left %v", left)
	}
	e.unchanged(t, id, before)
}

// snapshotFormats: a disk of a format that has no snapshots is in their way.
func snapshotFormats(t *testing.T, e *Env) {
	for _, format := range e.Catalogue.Accepts["disks.format"] {
		if e.Traits.SnapshotFormats == nil || slices.Contains(e.Traits.SnapshotFormats, format) {
			continue
		}
		spec := withDisk(e.Spec(), "other", backends.Disk{SizeGiB: new(int64(1)), Format: &format})
		id := e.Create(t, spec)
		e.noSnapshot(t, id, "other")
		other := spec.Disks["other"]
		other.Format = &e.Traits.SnapshotFormats[0]
		e.Apply(t, id, withDisk(spec, "other", other), backends.Cold)
		e.take(t, id, backends.SnapshotSpec{Name: "now"})
	}
}
