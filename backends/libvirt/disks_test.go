package libvirt

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestDiskProvisioning finds out by itself how a disk was made, and keeps it so when it grows.
func TestDiskProvisioning(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	for _, tt := range []struct{ format, provisioning, grown string }{
		{"raw", "thin", "thin"},
		{"raw", "thick", "thick"},
		{"qcow2", "thin", "thin"},
		{"qcow2", "thick", "thin"}, // QEMU can reserve nothing for what is added to it
	} {
		v, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "kind", Disk: backends.Disk{
			SizeGiB: ptr(int64(1)), Format: ptr(tt.format), Provisioning: ptr(tt.provisioning),
		}})
		if err != nil {
			t.Fatal(err)
		}
		is := func(when string, size int64, provisioning string) {
			t.Helper()
			got, err := b.GetDisk(t.Context(), v.ID)
			if err != nil {
				t.Fatal(err)
			}
			if *got.Disk.Format != tt.format || *got.Disk.SizeGiB != size || *got.Disk.Provisioning != provisioning {
				t.Errorf("%s %s, %s: %s, %s, %d GiB", tt.provisioning, tt.format, when, *got.Disk.Provisioning, *got.Disk.Format, *got.Disk.SizeGiB)
			}
		}
		is("new", 1, tt.provisioning)
		for range 2 { // again, as after an interrupt
			if err := b.ResizeDisk(t.Context(), v.ID, 2); err != nil {
				t.Fatal(err)
			}
			is("grown", 2, tt.grown)
		}
		if err := b.DeleteDisk(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskGrowsUnderAVM keeps space reserved that a running VM's disk gets.
func TestDiskGrowsUnderAVM(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	v, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "busy", Disk: backends.Disk{
		SizeGiB: ptr(int64(1)), Format: ptr("raw"), Provisioning: ptr("thick"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.DeleteDisk(context.WithoutCancel(t.Context()), v.ID); err != nil {
			t.Error(err)
		}
	})
	spec := blank("busy-vm")
	spec.Disks["data"] = backends.Disk{Volume: &v.ID}
	id := create(t, b, spec)
	power(t, b, id, backends.PowerOn)
	if err := b.ResizeDisk(t.Context(), v.ID, 2); err != nil {
		t.Fatal(err)
	}
	got, err := b.GetDisk(t.Context(), v.ID)
	if err != nil || got.AttachedTo != id || *got.Disk.SizeGiB != 2 || *got.Disk.Provisioning != "thick" {
		t.Errorf("the disk is %+v (%s), error %v", got, *got.Disk.Provisioning, err)
	}
	if info := l.Virsh(t, "domblkinfo", "busy-vm", v.Path); !strings.Contains(info, "2147483648") {
		t.Errorf("QEMU sees another size:\n%s", info)
	}
	remove(t, b, id)
}

// TestDiskPoolFull refuses what does not fit before anything is written.
func TestDiskPoolFull(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	dir := l.DirPool(t, "tight")
	if out, err := l.Exec(t.Context(), "mount", "-t", "tmpfs", "-o", "size=1100m", "tmpfs", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { _, _ = l.Exec(context.WithoutCancel(t.Context()), "umount", "-l", dir) })
	l.Virsh(t, "pool-refresh", "tight")
	thick := func(name string, size int64) (backends.Volume, error) {
		return b.CreateDisk(t.Context(), backends.DiskSpec{Name: name, Disk: backends.Disk{
			SizeGiB: &size, Storage: ptr("tight"), Format: ptr("raw"), Provisioning: ptr("thick"),
		}})
	}
	_, err := thick("large", 2)
	if e := wantCode(t, err, backends.Exhausted); e.Path != "size_gib" {
		t.Errorf("the error blames %q: %v", e.Path, e)
	}
	v, err := thick("fits", 1)
	if err != nil {
		t.Fatal(err)
	}
	if e := wantCode(t, b.ResizeDisk(t.Context(), v.ID, 2), backends.Exhausted); e.Path != "size_gib" {
		t.Errorf("the error blames %q: %v", e.Path, e)
	}
	if left := l.Volumes(t, "tight"); !slices.Equal(left, []string{"fits"}) {
		t.Errorf("the pool has %v", left)
	}
	if got, err := b.GetDisk(t.Context(), v.ID); err != nil || *got.Disk.SizeGiB != 1 {
		t.Errorf("the disk is %+v, error %v", got.Disk, err)
	}
	if err := b.DeleteDisk(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	_, err = b.CreateDisk(t.Context(), backends.DiskSpec{Name: "x", Disk: backends.Disk{SizeGiB: ptr(int64(1)), Storage: ptr("nowhere")}})
	if e := wantCode(t, err, backends.NotFound); e.Path != "storage" {
		t.Errorf("the error blames %q: %v", e.Path, e)
	}
}

// TestDiskInterrupted leaves nothing, whenever the interrupt comes.
func TestDiskInterrupted(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	interrupted := 0
	for after := 500 * time.Microsecond; after < 500*time.Millisecond; after *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		v, err := b.CreateDisk(ctx, backends.DiskSpec{Name: "cut-short", Disk: backends.Disk{
			SizeGiB: ptr(int64(1)), Format: ptr("qcow2"), Provisioning: ptr("thick"),
		}})
		cancel()
		if err == nil {
			if err := b.DeleteDisk(t.Context(), v.ID); err != nil {
				t.Fatal(err)
			}
			continue
		}
		interrupted++
		wantCode(t, err, backends.Timeout)
		if left := l.Volumes(t, libvirtlab.Pool); slices.Contains(left, "cut-short") {
			t.Errorf("after %s the volume is left", after)
		}
	}
	if interrupted == 0 {
		t.Error("no creation was interrupted")
	}
}
