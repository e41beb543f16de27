package vsphere

import (
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// volume makes a disk that is no VM's.
func (r *rig) volume(name string) string {
	r.t.Helper()
	v, err := r.CreateDisk(r.ctx, backends.DiskSpec{Name: name, Disk: backends.Disk{SizeGiB: new(int64(1))}})
	if err != nil {
		r.t.Fatal(err)
	}
	return v.ID
}

// collide gives a VM another instance UUID, as vCenter does where two have the same.
func (r *rig) collide(name string) {
	r.t.Helper()
	err := r.sim.ReconfigureVM(name, types.VirtualMachineConfigSpec{InstanceUuid: "50000000-0000-4000-8000-000000000001"})
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestMarkSurvivesCollision: a VM to which vCenter gives another instance UUID keeps its keys and its token.
func TestMarkSurvivesCollision(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.CreateToken = "token-1"
	volume := r.volume("shared-data")
	spec.Disks["more"] = backends.Disk{Volume: &volume}
	id := r.create(spec)
	spec.Description = new("changed once")
	r.apply(id, spec)
	r.collide("web")
	r.matches(id, spec)
	if vm := r.read(id); vm.Config.CreateToken != "token-1" || !vm.Owned {
		t.Errorf("the VM has the token %q, owned %t", vm.Config.CreateToken, vm.Owned)
	}
	spec.Description = new("changed again")
	r.apply(id, spec)
	r.delete(id)
	if v, err := r.GetDisk(r.ctx, volume); err != nil || v.AttachedTo != "" {
		t.Errorf("the volume is %+v (%v)", v, err)
	}
}

// TestVolumeOutlivesMark: what is made as a disk of its own does not go with a VM whose mark is lost.
func TestVolumeOutlivesMark(t *testing.T) {
	for name, adopt := range map[string]bool{"deleted": false, "changed, then deleted": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, vcsim.Options{})
			volume := r.volume("shared-data")
			spec := r.spec("web")
			spec.Disks["more"] = backends.Disk{Volume: &volume}
			id := r.create(spec)
			err := r.sim.ReconfigureVM("web", types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{
				&types.OptionValue{Key: markKey, Value: ""},
			}})
			if err != nil {
				t.Fatal(err)
			}
			if adopt {
				to := r.read(id).Config
				to.Description = new("changed")
				r.apply(id, &to)
			}
			r.delete(id)
			if v, err := r.GetDisk(r.ctx, volume); err != nil || v.AttachedTo != "" {
				t.Errorf("the volume is %+v (%v)", v, err)
			}
		})
	}
}

// TestCloneByHandIsNobodys: a clone that somebody makes carries the mark and the settings of its source, which are not its own.
func TestCloneByHandIsNobodys(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.CreateToken, spec.Settings = "token-1", new(`{"wait":true}`)
	src := r.create(spec)
	spec.Description = new("changed")
	r.apply(src, spec)
	vm, err := r.sim.VM("web")
	if err != nil {
		t.Fatal(err)
	}
	place, err := r.inv.Place(r.ctx, backends.PlacementSpec{})
	if err != nil {
		t.Fatal(err)
	}
	task, err := vm.Clone(r.ctx, object.NewFolder(vm.Client(), place.Folder.Ref), "by-hand", types.VirtualMachineCloneSpec{
		Location: types.VirtualMachineRelocateSpec{Pool: &place.Pool.Ref},
	})
	if err == nil {
		err = task.Wait(r.ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.ListVMs(r.ctx, backends.VMFilter{Names: []string{"by-hand"}})
	if err != nil || len(list) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	got := r.read(list[0].ID)
	if got.Owned || got.Config.CreateToken != "" || got.Config.Settings != nil {
		t.Errorf("the clone is owned %t with the token %q and the settings %v", got.Owned, got.Config.CreateToken, got.Config.Settings)
	}
	if own := r.read(src); own.Config.Settings == nil {
		t.Error("the VM itself lost its settings")
	}
}
