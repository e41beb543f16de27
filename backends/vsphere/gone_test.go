package vsphere

import (
	"slices"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// somebodyElses says that an object is gone that is not the VM in question.
func somebodyElses(kind string) *types.ManagedObjectNotFound {
	return &types.ManagedObjectNotFound{Obj: types.ManagedObjectReference{Type: kind, Value: "gone-1"}}
}

// TestDeleteBesideOthers: that other objects vanish meanwhile does not make a VM count as gone.
func TestDeleteBesideOthers(t *testing.T) {
	for name, test := range map[string]struct {
		breakIt func(*vcsim.Server)
		want    backends.Code
	}{
		"VMs in every traversal": {func(s *vcsim.Server) { s.Fail("RetrievePropertiesEx", "group-d1", somebodyElses("VirtualMachine"), 0) }, backends.Transient},
		"a datastore":            {func(s *vcsim.Server) { s.FailTask("Destroy_Task", "web", somebodyElses("Datastore"), 1) }, backends.Precondition},
		"another VM":             {func(s *vcsim.Server) { s.FailTask("Destroy_Task", "web", somebodyElses("VirtualMachine"), 1) }, backends.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, vcsim.Options{})
			id := r.create(r.spec("web"))
			test.breakIt(r.sim)
			err := r.DeleteVM(r.ctx, id, backends.DeleteOptions{})
			r.sim.ClearFaults()
			wantCode(t, err, test.want)
			r.read(id)
		})
	}
}

// TestDeleteBesideOneDeletion: one VM that vanishes from a traversal costs nothing but another look.
func TestDeleteBesideOneDeletion(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	r.sim.Fail("RetrievePropertiesEx", "group-d1", somebodyElses("VirtualMachine"), 2)
	r.delete(id)
}

// TestDeleteOfVanishing: a VM that goes while it is being deleted is gone.
func TestDeleteOfVanishing(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	d := &deletion{Backend: r.Backend}
	var err error
	if d.m, err = r.machine(r.ctx, id, "delete"); err != nil {
		t.Fatal(err)
	}
	if err := r.sim.DestroyVM("web"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, d.onlyThis(r.ctx, d.run(r.ctx)), backends.NotFound)
}

// TestReadBesideOthers: no error of a bulk read says of all its VMs that they do not exist.
func TestReadBesideOthers(t *testing.T) {
	for _, kind := range []string{"PropertyCollector", "HostSystem", "VirtualMachineSnapshot", "Folder", "ResourcePool", "VirtualMachine"} {
		t.Run(kind, func(t *testing.T) {
			r := newRig(t, vcsim.Options{})
			id := r.create(r.spec("web"))
			r.inv.Forget()
			r.sim.Fail("RetrievePropertiesEx", "", somebodyElses(kind), 0)
			got, err := r.GetVMs(r.ctx, []backends.ID{id}, backends.AspectConfig)
			if err == nil {
				err = got[id].Err
			}
			wantCode(t, err, backends.Transient)
			if _, err := r.ListVMs(r.ctx, backends.VMFilter{}); backends.CodeOf(err) != backends.Transient {
				t.Errorf("ListVMs: %v", err)
			}
		})
	}
}

// TestInventoryBesideOthers: a folder that is deleted while the inventory is read says nothing of VMs.
func TestInventoryBesideOthers(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	for _, times := range []int{2, 0} {
		r.inv.Forget()
		r.sim.Fail("RetrievePropertiesEx", "Datacenter", somebodyElses("Folder"), times)
		_, err := r.GetVMs(r.ctx, []backends.ID{id}, backends.AspectConfig)
		r.sim.ClearFaults()
		switch {
		case times == 0:
			wantCode(t, err, backends.Transient)
		case err != nil:
			t.Errorf("a folder that is deleted meanwhile: %v", err)
		}
	}
}

// TestReadMissing: VMs that do not exist cost no calls of their own.
func TestReadMissing(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	ids := []backends.ID{id, "vm-900001", "vm-900002", "vm-900003", "vm-900002"}
	r.sim.ResetCalls()
	got, err := r.GetVMs(r.ctx, ids, backends.AspectRuntime)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.sim.Calls()["RetrievePropertiesEx"]; n > 1 {
		t.Errorf("%d calls for one VM and three that are gone", n)
	}
	if got[id].Err != nil {
		t.Errorf("the VM that is there: %v", got[id].Err)
	}
	for _, gone := range ids[1:] {
		wantCode(t, got[gone].Err, backends.NotFound)
	}
}

// TestOneUnreadable: what cannot be read of one VM is its own error, and no other's.
func TestOneUnreadable(t *testing.T) {
	self := types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-7"}
	answered := func(fault types.BaseMethodFault) types.ObjectContent {
		return types.ObjectContent{
			Obj:     self,
			PropSet: []types.DynamicProperty{{Name: "name", Val: "web"}},
			MissingSet: []types.MissingProperty{{
				Path: "config", Fault: types.LocalizedMethodFault{Fault: fault, LocalizedMessage: "no"},
			}},
		}
	}
	for _, test := range []struct {
		fault types.BaseMethodFault
		code  backends.Code
	}{
		{&types.NoPermission{Object: &self, PrivilegeId: "System.Read"}, backends.Auth},
		{&types.ManagedObjectNotFound{Obj: self}, backends.NotFound},
		{somebodyElses("VirtualMachineSnapshot"), backends.Precondition},
		{somebodyElses("VirtualMachine"), backends.Transient},
	} {
		a := told(answered(test.fault))
		if a.vm.Self != self {
			t.Errorf("%T: the VM is %s", test.fault, a.vm.Self)
		}
		wantCode(t, a.err, test.code)
		if test.code != backends.NotFound && a.vm.Name != "web" {
			t.Errorf("%T: the name is lost with the rest: %q", test.fault, a.vm.Name)
		}
	}
	whole := told(types.ObjectContent{Obj: self, PropSet: []types.DynamicProperty{{Name: "name", Val: "web"}}})
	if whole.err != nil || whole.vm.Name != "web" || !slices.Equal([]string{whole.vm.Self.Value}, []string{"vm-7"}) {
		t.Errorf("a VM that is told whole: %+v", whole)
	}
}
