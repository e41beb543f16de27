package proxmox_test

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// rig is a driver on a simulated cluster, and hands that work on the cluster beside it.
type rig struct {
	*testing.T
	backends.Backend
	sim   *pvesim.Server
	hands *pve.Client
}

func newRig(t *testing.T, o pvesim.Options) *rig {
	t.Helper()
	s := pvesim.Start(t, o)
	hands := newHands(t, s)
	b := connect(t, s, proxmox.Defaults{Node: s.Nodes()[0], Storage: "local"})
	t.Cleanup(func() { _ = b.Close() })
	return &rig{t, b, s, hands}
}

// newHands logs in as root@pam, who may do more than a token.
func newHands(t *testing.T, s *pvesim.Server) *pve.Client {
	t.Helper()
	c, err := pve.Open(t.Context(), pve.Config{Endpoints: []string{s.URL()}, Username: "root@pam", Password: s.Password(), CACertificate: s.CACertificate()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// furnish makes a resource pool and a template that the driver did not make.
func furnish(t *testing.T, s *pvesim.Server) (pool, template string) {
	t.Helper()
	pool, template = "production", "theirs-900"
	r := &rig{T: t, sim: s, hands: newHands(t, s)}
	if err := r.hands.Post(t.Context(), "/pools", map[string]any{"poolid": pool}, nil); err != nil {
		t.Fatal(err)
	}
	r.foreign(900, "local:1,format=qcow2")
	return pool, template
}

// vm makes a VM with a disk of 1 GiB, changed by edit.
func (r *rig) vm(name string, edit func(*backends.VMSpec)) backends.ID {
	r.Helper()
	spec := &backends.VMSpec{Name: name, Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(1))}}}
	if edit != nil {
		edit(spec)
	}
	id, err := r.CreateVM(r.Context(), spec)
	if err != nil {
		r.Fatal(err)
	}
	return id
}

func (r *rig) read(id backends.ID) *backends.VM {
	r.Helper()
	got, err := r.GetVMs(r.Context(), []backends.ID{id}, backends.AspectConfig|backends.AspectRuntime|backends.AspectSeed)
	if err != nil || got[id].Err != nil {
		r.Fatal(err, got[id].Err)
	}
	return got[id].VM
}

// byHand makes a request beside the driver, and awaits its task, if it is one.
func (r *rig) byHand(method, path string, form map[string]any) {
	r.Helper()
	if _, err := r.hands.Task(r.Context(), "work by hand", "", method, path, form); err != nil {
		r.Fatalf("%s %s: %v", method, path, err)
	}
}

func (r *rig) power(id backends.ID, action backends.PowerAction) {
	r.Helper()
	if err := r.SetPower(r.Context(), id, action); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) snapshot(id backends.ID, name string) {
	r.Helper()
	if _, err := r.CreateSnapshot(r.Context(), id, backends.SnapshotSpec{Name: name, Description: "of " + name}); err != nil {
		r.Fatal(err)
	}
}

// refused fails unless err has the code and says all of words.
func (r *rig) refused(err error, code backends.Code, words ...string) {
	r.Helper()
	if backends.CodeOf(err) != code {
		r.Fatalf("code %s, want %s: %v", backends.CodeOf(err), code, err)
	}
	text := err.Error()
	if e, ok := asBackend(err); ok {
		text += " " + e.Remedy + " " + string(e.Path)
	}
	for _, w := range words {
		if !contains(text, w) {
			r.Errorf("%q is not said: %s", w, text)
		}
	}
}
