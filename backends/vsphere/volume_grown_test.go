package vsphere

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// TestVolumeGrownInUse: what a disk became while a VM had it, it is for the next VM too.
func TestVolumeGrownInUse(t *testing.T) {
	b, _ := onSimulator(t, vcsim.Options{})
	v, err := b.CreateDisk(t.Context(), volumeAsked("grown", "thin"))
	if err != nil {
		t.Fatal(err)
	}
	size := func(when string, want int64) {
		t.Helper()
		got, err := b.GetDisk(t.Context(), v.ID)
		if err != nil || *got.Disk.SizeGiB != want {
			t.Errorf("%s it has %d GiB, want %d (%v)", when, *got.Disk.SizeGiB, want, err)
		}
	}
	with := func(name string) backends.ID {
		t.Helper()
		id, err := b.CreateVM(t.Context(), &backends.VMSpec{
			Name: name, Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(1))}, "data": {Volume: &v.ID}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := with("first")
	if err := b.SetPower(t.Context(), first, backends.PowerOn); err != nil {
		t.Fatal(err)
	}
	if err := b.ResizeDisk(t.Context(), v.ID, 2); err != nil {
		t.Fatal(err)
	}
	size("grown under a running VM", 2)
	if err := b.DeleteVM(t.Context(), first, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	size("let go", 2)
	with("second")
	size("attached to the next", 2)
}
