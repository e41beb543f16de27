package libvirt

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// seedOf reads the files of a VM's seed.
func seedOf(t *testing.T, b *Backend, id backends.ID) cloudinit.Seed {
	t.Helper()
	dom, err := b.lookup(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d, err := b.readDomain(t.Context(), dom, xmlFlags)
	if err != nil {
		t.Fatal(err)
	}
	if d.mark == nil || d.mark.Seed == nil {
		t.Fatalf("VM %q has no seed", dom.Name)
	}
	iso, err := b.store.ReadSmall(t.Context(), d.mark.Seed.ref())
	if err != nil {
		t.Fatal(err)
	}
	seed, err := cloudinit.ReadISO(iso)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}
