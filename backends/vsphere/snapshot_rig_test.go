package vsphere

import (
	"context"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// rig is a driver on a simulated vCenter.
type rig struct {
	*Backend
	t   *testing.T
	sim *vcsim.Server
	ctx context.Context
}

func newRig(t *testing.T, o vcsim.Options) *rig {
	t.Helper()
	s := vcsim.Start(t, o)
	d := inventory.Defaults{Datastore: s.Seed.Datastores[0], Network: s.Seed.Network}
	if !o.ESXi {
		d.Datacenter, d.Cluster = s.Seed.Datacenter, s.Seed.Clusters[0]
	}
	b, err := open(t.Context(), Config{
		Config:   conn.Config{Endpoint: s.Endpoint(), Username: s.Username(), Password: s.Password(), CACertificate: s.CACertificate()},
		Defaults: d,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return &rig{Backend: b, t: t, sim: s, ctx: ctx}
}

// spec is a small VM with two disks and a network.
func (r *rig) spec(name string) *backends.VMSpec {
	return &backends.VMSpec{
		Name: name, CPU: backends.CPU{Cores: new(int64(1))}, Memory: backends.Memory{SizeMiB: new(int64(256))},
		Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(1))}, "data": {SizeGiB: new(int64(1))}},
		Networks: map[string]backends.NIC{
			"lan": {Network: new(r.sim.Seed.Network)},
		},
	}
}

func (r *rig) create(spec *backends.VMSpec) backends.ID {
	r.t.Helper()
	id, err := r.CreateVM(r.ctx, spec)
	if err != nil {
		r.t.Fatalf("CreateVM(%s): %v", spec.Name, err)
	}
	return id
}

func (r *rig) clonesOf(source backends.ID, name string, linked bool) backends.ID {
	r.t.Helper()
	id, err := r.CloneVM(r.ctx, &backends.CloneSpec{Source: source, Linked: linked, Spec: backends.VMSpec{Name: name}})
	if err != nil {
		r.t.Fatalf("CloneVM(%s): %v", name, err)
	}
	return id
}

func (r *rig) read(id backends.ID) *backends.VM {
	r.t.Helper()
	got, err := r.GetVMs(r.ctx, []backends.ID{id}, backends.AspectConfig|backends.AspectRuntime|backends.AspectSeed)
	if err == nil {
		err = got[id].Err
	}
	if err != nil {
		r.t.Fatalf("GetVMs(%s): %v", id, err)
	}
	return got[id].VM
}

func (r *rig) apply(id backends.ID, to *backends.VMSpec) {
	r.t.Helper()
	from := r.read(id).Config
	err := r.Reconfigure(r.ctx, id, backends.Reconfiguration{Desired: to, Changes: backends.Diff(&from, to), Mode: backends.Cold})
	if err != nil {
		r.t.Fatalf("Reconfigure(%s): %v", to.Name, err)
	}
	r.matches(id, to)
}

func (r *rig) matches(id backends.ID, want *backends.VMSpec) {
	r.t.Helper()
	vm := r.read(id)
	for _, c := range backends.Diff(&vm.Config, want) {
		r.t.Errorf("VM %q: the next plan would %s", want.Name, c)
	}
}

func (r *rig) power(id backends.ID, action backends.PowerAction) {
	r.t.Helper()
	if err := r.SetPower(r.ctx, id, action); err != nil {
		r.t.Fatalf("SetPower(%s): %v", action, err)
	}
}

func (r *rig) take(id backends.ID, name string) string {
	r.t.Helper()
	snap, err := r.CreateSnapshot(r.ctx, id, backends.SnapshotSpec{Name: name})
	if err != nil {
		r.t.Fatalf("CreateSnapshot(%s): %v", name, err)
	}
	return snap
}

func (r *rig) delete(id backends.ID) {
	r.t.Helper()
	if err := r.DeleteVM(r.ctx, id, backends.DeleteOptions{}); err != nil {
		r.t.Fatalf("DeleteVM(%s): %v", id, err)
	}
}

// device is the key of a VM's disk.
func (r *rig) device(id backends.ID, key string) *types.VirtualDisk {
	r.t.Helper()
	m, err := r.machine(r.ctx, id, "read")
	if err != nil {
		r.t.Fatal(err)
	}
	d := m.diskDevices()[key]
	if d == nil {
		r.t.Fatalf("VM %q has no disk %q", m.Name, key)
	}
	return d
}

// write puts a word on a disk, holds reads it back.
func (r *rig) write(id backends.ID, key, word string) {
	r.t.Helper()
	if err := r.sim.WriteDisk(r.read(id).Config.Name, r.device(id, key).Key, 4096, []byte(word)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) holds(id backends.ID, key, word string) {
	r.t.Helper()
	got, err := r.sim.ReadDisk(r.read(id).Config.Name, r.device(id, key).Key, 4096, len(word))
	if err != nil {
		r.t.Fatal(err)
	}
	if string(got) != word {
		r.t.Errorf("disk %q of %s holds %q, want %q", key, id, got, word)
	}
}

// bases are the snapshots that linked clones of a VM share.
func (r *rig) bases(id backends.ID) (n int) {
	r.t.Helper()
	m, err := r.snapshotted(r.ctx, id, "read")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range m.snapshots() {
		if s.base() {
			n++
		}
	}
	return n
}

func wantCode(t *testing.T, err error, code backends.Code) {
	t.Helper()
	if got := backends.CodeOf(err); err == nil || got != code {
		t.Fatalf("the error is %v (%s), want the code %s", err, got, code)
	}
}
