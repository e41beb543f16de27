package libvirt

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestSharedInStoppedPool has the overlays where libvirt does not look: what they share is kept all the same.
func TestSharedInStoppedPool(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.DirPool(t, "second")
	image := importTinyImage(t, l, b)
	source := create(t, b, blank("source"))
	there := backends.PlacementSpec{Storage: ptr("second")}
	heir := clone(t, b, &backends.CloneSpec{Source: source, Linked: true, Spec: backends.VMSpec{Name: "heir", Placement: there}})
	snapped := clone(t, b, &backends.CloneSpec{Source: source, Linked: true, Spec: backends.VMSpec{Name: "snapped", Placement: there}})
	s := snap(t, b, snapped, backends.SnapshotSpec{Name: "s"})
	spec := blank("booted")
	spec.Image, spec.Linked, spec.Placement = image, true, there
	booted := create(t, b, spec)
	volumes := l.Volumes(t, "default")
	refused := func(err error, names ...string) {
		t.Helper()
		e := wantCode(t, err, backends.Precondition)
		for _, name := range names {
			if !strings.Contains(e.Error(), `VM "`+name+`"`) {
				t.Errorf("the refusal does not name %s: %v", name, e)
			}
		}
	}
	l.Virsh(t, "pool-destroy", "second")
	refused(b.DeleteVM(t.Context(), source, backends.DeleteOptions{}), "heir", "snapped")
	refused(b.DeleteImage(t.Context(), image), "booted")
	b.tidyNow(t, source)
	if now := l.Volumes(t, "default"); !slices.Equal(now, volumes) {
		t.Errorf("of the volumes %v there are left %v", volumes, now)
	}
	l.Virsh(t, "pool-start", "second")
	refused(b.DeleteVM(t.Context(), source, backends.DeleteOptions{}), "heir", "snapped")
	if err := b.DeleteSnapshot(t.Context(), snapped, s, false); err != nil {
		t.Fatal(err)
	}
	for _, id := range []backends.ID{heir, snapped, booted, source} {
		remove(t, b, id)
	}
}

// TestSharedByHand makes overlays of which nobody told libvirt.
func TestSharedByHand(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	image := importTinyImage(t, l, b)
	id := create(t, b, blank("source"))
	pool := filepath.Join(l.Dir, "pool")
	for below, remove := range map[string]func() error{
		diskPath(t, b, id, "root"):                                 func() error { return b.DeleteVM(t.Context(), id, backends.DeleteOptions{}) },
		filepath.Join(pool, strings.TrimPrefix(image, "default/")): func() error { return b.DeleteImage(t.Context(), image) },
	} {
		overlay := filepath.Join(pool, "by-hand")
		format := "qcow2"
		if _, err := l.Exec(t.Context(), "qemu-img", "create", "-q", "-f", "qcow2", "-b", below, "-F", format, overlay); err != nil {
			t.Fatal(err)
		}
		e := wantCode(t, remove(), backends.Precondition)
		if !strings.Contains(e.Error(), "by-hand") {
			t.Errorf("the refusal does not name the overlay: %v", e)
		}
		if err := os.Remove(overlay); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(diskPath(t, b, id, "root")); err != nil {
		t.Error(err)
	}
}

// TestKeptFromImage keeps a disk that shares an image: without the image the VM stays as it is, and after
// the VM the image can go.
func TestKeptFromImage(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	var disk backends.DiskStatus
	t.Cleanup(func() {
		if err := b.DeleteDisk(context.WithoutCancel(t.Context()), disk.VolumeID); err != nil {
			t.Error(err)
		}
	})
	image := importTinyImage(t, l, b) // is deleted before the disk, which is whole by then
	spec := blank("leaves")
	spec.Image, spec.Linked = image, true
	spec.Disks["root"] = backends.Disk{SizeGiB: ptr(int64(1)), KeepOnDestroy: ptr(true)}
	id := create(t, b, spec)
	disk = get(t, b, id).Disks["root"]
	volumes := l.Volumes(t, "default")

	file := filepath.Join(l.Dir, "pool", strings.TrimPrefix(image, "default/"))
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{})
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	if err == nil || !strings.Contains(err.Error(), `"root"`) || !strings.Contains(err.Error(), "whole") {
		t.Fatalf("the deletion of a VM whose disk cannot be kept: %v", err)
	}
	if now := l.Volumes(t, "default"); !slices.Equal(now, volumes) {
		t.Errorf("of the volumes %v there are left %v", volumes, now)
	}
	if got := get(t, b, id).Disks["root"]; got.VolumeID != disk.VolumeID {
		t.Errorf("the VM's disk was %+v and is %+v", disk, got)
	}

	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestRemoveKeptDisk takes a disk out of a VM that is to be kept, while a clone shares it and after that.
func TestRemoveKeptDisk(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	spec := blank("source")
	spec.Disks["data"] = backends.Disk{SizeGiB: ptr(int64(1)), KeepOnDestroy: ptr(true)}
	id := create(t, b, spec)
	heir := clone(t, b, &backends.CloneSpec{Source: id, Linked: true, Spec: backends.VMSpec{Name: "heir"}})
	spec.Disks = map[string]backends.Disk{"root": spec.Disks["root"]}
	from := get(t, b, id)
	err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: spec, Changes: backends.Diff(&from.Config, spec), Mode: backends.Cold})
	if e := wantCode(t, err, backends.Precondition); e.Path != `disks["data"]` || !strings.Contains(e.Error(), `VM "heir"`) {
		t.Errorf("the refusal is %v at %s", e, e.Path)
	}
	remove(t, b, heir)
	disk := get(t, b, id).Disks["data"].VolumeID
	change(t, b, id, spec, backends.Cold)
	remove(t, b, id)
	if err := b.DeleteDisk(t.Context(), disk); err != nil {
		t.Error(err)
	}
}
