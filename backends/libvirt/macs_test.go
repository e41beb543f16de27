package libvirt

import (
	"testing"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestMACTable gives no address to two VMs: not while the first is being changed, and not
// between its change and the next look at its definition.
func TestMACTable(t *testing.T) {
	var table macTable
	one, two := rpc.UUID{1}, rpc.UUID{2}
	want := map[string]backends.NIC{"lan": {MAC: ptr("52:54:00:00:00:01")}}
	macs, err := table.take("one", one, want)
	if err != nil {
		t.Fatal(err)
	}
	_, err = table.take("two", two, want)
	wantCode(t, err, backends.Conflict)
	table.forget(one)
	table.release("one", one, macs)
	_, err = table.take("two", two, want)
	wantCode(t, err, backends.Conflict)
	if _, err := table.take("one", one, want); err != nil {
		t.Errorf("the VM that has the address cannot keep it: %v", err)
	}
}

// TestMACsAreHeld adds an interface to a VM and asks for its address in between, and afterwards.
func TestMACsAreHeld(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	id := create(t, b, blank("holder"))
	dom, err := b.lookup(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d, err := b.readDomain(t.Context(), dom, xmlFlags)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]backends.NIC{"lan": {MAC: ptr("52:54:00:00:00:77")}}
	e := &edit{Backend: b, dom: dom, d: d, to: &backends.VMSpec{Networks: want}}
	if _, err := e.newNIC(t.Context(), "lan"); err != nil {
		t.Fatal(err)
	}
	other := newUUID()
	uuid, _ := parseUUID(other)
	_, _, err = b.takeMACs(t.Context(), "other", uuid, want)
	wantCode(t, err, backends.Conflict)
	e.releaseMACs() // nothing came of it: the definition lacks the interface
	_, release, err := b.takeMACs(t.Context(), "other", uuid, want)
	if err != nil {
		t.Fatalf("the address is not free again: %v", err)
	}
	release()
}
