package vsphere

import (
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// However a place is written, the next plan is empty.
func TestPlacementIsToldAsAsked(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	for name, p := range map[string]backends.PlacementSpec{
		"names":     {Host: new("esx-a1"), Cluster: new("cluster-a"), ResourcePool: new("web"), Folder: new("web"), Storage: new("fast")},
		"relative":  {Host: new("cluster-a/esx-a1"), ResourcePool: new("production/web"), Folder: new("prod/web"), Storage: new("pod")},
		"paths":     {Host: new("/DC0/host/cluster-a/esx-a1"), Cluster: new("/DC0/host/cluster-a"), ResourcePool: new("/DC0/host/cluster-a/Resources"), Folder: new("/DC0/vm/prod/web"), Storage: new("/DC0/datastore/pod/pod-a")},
		"no folder": {Folder: new("vm"), ResourcePool: new("cluster-a/Resources")},
		"alone":     {Host: new("esx-c1"), ResourcePool: new("Resources")},
		"nothing":   {},
	} {
		spec := r.spec(name)
		spec.Placement = p
		r.matches(r.create(spec), spec)
	}
}

// A folder that was made a moment ago is told by its name, and what nobody can name is not looked for again and again.
func TestPlacementInNewFolder(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	parent := object.NewFolder(r.conn.VIM(), *r.ref(inventory.Folder, "prod"))
	folder, err := parent.CreateFolder(r.ctx, "made now")
	if err != nil {
		t.Fatal(err)
	}
	task, err := folder.MoveInto(r.ctx, []types.ManagedObjectReference{reference(id)})
	if err == nil {
		err = task.Wait(r.ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := r.read(id).Config.Placement.Folder; got == nil || *got != "made now" {
		t.Errorf("the folder is told as %s", words(r.read(id).Config.Placement))
	}
	hidden := types.ManagedObjectReference{Type: "Folder", Value: "group-v4711"}
	r.sim.ResetCalls()
	for range 3 {
		if _, err := r.inv.Knowing(r.ctx, []types.ManagedObjectReference{hidden}); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.sim.TotalCalls(); n != 2 {
		t.Errorf("what cannot be seen took %d calls, want 2", n)
	}
}

// What nobody asked for is told by name, so that it can be asked for.
func TestPlacementOfStrangers(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	list, err := r.ListVMs(r.ctx, backends.VMFilter{Names: r.sim.Seed.VMs[:1]})
	if err != nil || len(list) != 1 {
		t.Fatalf("the stranger is %+v (%v)", list, err)
	}
	vm := r.read(list[0].ID)
	p := vm.Config.Placement
	if p.Host == nil || *p.Host != vm.Host || p.Cluster == nil || p.Folder == nil || p.ResourcePool == nil || p.Storage != nil {
		t.Errorf("the placement is %s", words(p))
	}
	// Asking for what is so changes nothing, whatever words are used.
	host, err := r.inv.Find(r.ctx, "host", *p.Host)
	if err != nil {
		t.Fatal(err)
	}
	r.sim.ResetCalls()
	if err := r.change(vm.ID, backends.Live, func(s *backends.VMSpec) { s.Placement.Host = &host.Path }); err != nil {
		t.Fatal(err)
	}
	if n := r.sim.Calls()["RelocateVM_Task"]; n != 0 {
		t.Errorf("a VM that is there already was moved %d times", n)
	}
	r.matches(vm.ID, &backends.VMSpec{Name: vm.Config.Name, Placement: backends.PlacementSpec{Host: &host.Path}})
}
