package vsphere

import (
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func TestLists(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	r.sim.ResetCalls()
	hosts, err := r.Hosts(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	networks, err := r.Networks(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	storages, err := r.Storages(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.sim.TotalCalls(); n > 3 {
		t.Errorf("all three took %d calls: %v", n, r.sim.Calls())
	}
	i := slices.IndexFunc(hosts, func(h backends.Host) bool { return h.Name == "esx-a2" })
	if i < 0 || hosts[i].Cluster != "cluster-a" || !hosts[i].Online || hosts[i].CPUs < 1 || hosts[i].MemoryMiB < 1024 {
		t.Errorf("the hosts are %+v", hosts)
	}
	for _, want := range []backends.Network{
		{Name: "VM Network", Kind: "standard", Active: true},
		{Name: "dv-vlan30", Kind: "distributed", VLAN: 30, Active: true},
		{Name: "segment-web", Kind: "opaque", Active: true},
	} {
		if !slices.Contains(networks, want) {
			t.Errorf("the networks lack %+v: %+v", want, networks)
		}
	}
	const gib = 1 << 30
	for _, want := range []backends.Storage{
		{Name: "small", Kind: "VMFS", CapacityBytes: 8 * gib, FreeBytes: 8 * gib, Active: true, Shared: true},
		{Name: "local-b1", Kind: "VMFS", CapacityBytes: 500 * gib, FreeBytes: 500 * gib, Active: true},
		{Name: "pod", Kind: "datastore cluster", CapacityBytes: 500 * gib, FreeBytes: 500 * gib, Active: true, Shared: true},
	} {
		if !slices.Contains(storages, want) {
			t.Errorf("the storages lack %+v: %+v", want, storages)
		}
	}
}
