package vsphere

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// TestLinkedCloneContent: clones of a VM that did not change share one base; one that ran since gives its clones what it is then.
func TestLinkedCloneContent(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src := r.create(r.spec("golden-1"))
	r.write(src, "data", "one")
	a := r.clonesOf(src, "a", true)
	b := r.clonesOf(src, "b", true)
	if n := r.bases(src); n != 1 {
		t.Errorf("two clones of an unchanged VM took %d snapshots, want 1", n)
	}
	r.holds(a, "data", "one")
	r.write(a, "data", "its")
	r.power(src, backends.PowerOn)
	r.write(src, "data", "two")
	c := r.clonesOf(src, "c", true) // of the running VM
	r.power(src, backends.PowerOff)
	r.write(src, "data", "six")
	d := r.clonesOf(src, "d", true)
	for id, word := range map[backends.ID]string{a: "its", b: "one", c: "two", d: "six", src: "six"} {
		r.holds(id, "data", word)
	}
	if list, err := r.ListSnapshots(r.ctx, src); err != nil || len(list) != 0 {
		t.Errorf("the source's user sees the snapshots %v (%v)", list, err)
	}
	for _, id := range []backends.ID{a, b, c, d} {
		wantCode(t, r.DeleteVM(r.ctx, src, backends.DeleteOptions{}), backends.Precondition)
		r.delete(id)
	}
	if n := r.bases(src); n != 0 {
		t.Errorf("%d snapshots of clones that are gone are left", n)
	}
	r.holds(src, "data", "six")
	if disk := r.device(src, "data"); parentOf(disk) != "" {
		t.Errorf("the source's disk is still a layer: %v", chainOf(disk.Backing))
	}
	r.delete(src)
}

// TestLinkedToTemplate: a template becomes a VM for the moment of the snapshot, and is what it was afterwards.
func TestLinkedToTemplate(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	name := r.sim.Seed.Template
	var ids []backends.ID
	for _, clone := range []string{"a", "b"} {
		id, err := r.CreateVM(r.ctx, &backends.VMSpec{Name: clone, Template: name, Linked: true})
		if err != nil {
			t.Fatal(err)
		}
		vm := r.read(id)
		for key, d := range vm.Disks {
			if d.Backing == "" {
				t.Errorf("disk %q of %s shares nothing: %+v", key, clone, d)
			}
		}
		ids = append(ids, id)
	}
	from, err := r.templateOf(r.ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if vm := r.read(from.VM); !vm.Template {
		t.Error("the template is none any more")
	}
	if n := r.bases(from.VM); n != 1 {
		t.Errorf("the template has %d bases, want 1", n)
	}
	err = r.DeleteVM(r.ctx, from.VM, backends.DeleteOptions{})
	wantCode(t, err, backends.Precondition)
	if !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("the refusal does not name the clones: %v", err)
	}
	for _, id := range ids {
		r.power(id, backends.PowerOn)
		r.delete(id)
	}
	r.delete(from.VM)
}

func TestTemplateByName(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	seed := r.sim.Seed
	first, err := r.templateOf(r.ctx, seed.Template)
	if err != nil {
		t.Fatal(err)
	}
	twin := r.spec(seed.Template)
	twin.Name = "twin"
	twin.Placement.Folder = &seed.Folder
	id := r.create(twin)
	if err := r.sim.RenameVM("twin", seed.Template); err != nil {
		t.Fatal(err)
	}
	_, err = r.templateOf(r.ctx, seed.Template)
	wantCode(t, err, backends.Conflict)
	for _, want := range []string{string(first.VM), string(id), seed.Folder + "/" + seed.Template} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %q: %v", want, err)
		}
	}
	for name, want := range map[string]backends.ID{
		string(first.VM): first.VM, seed.Folder + "/" + seed.Template: id, "/" + seed.Datacenter + "/vm/" + seed.Folder + "/" + seed.Template: id,
	} {
		if got, err := r.templateOf(r.ctx, name); err != nil || got.VM != want {
			t.Errorf("%q is %s (%v), want %s", name, got.VM, err, want)
		}
	}
	_, err = r.templateOf(r.ctx, "no-such-template")
	wantCode(t, err, backends.NotFound)
}

// TestCloneElsewhere puts clones on another host, datastore, folder and pool.
func TestCloneElsewhere(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	seed := r.sim.Seed
	src := r.create(r.spec("web"))
	for _, linked := range []bool{false, true} {
		name := map[bool]string{false: "full", true: "linked"}[linked]
		spec := &backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: name}}
		spec.Spec.Placement = backends.PlacementSpec{Host: &seed.Hosts[0][1], Folder: &seed.Folder, ResourcePool: &seed.Pool, Storage: &seed.Datastores[1]}
		id, err := r.CloneVM(r.ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		r.matches(id, &spec.Spec)
		vm := r.read(id)
		if vm.Host != seed.Hosts[0][1] {
			t.Errorf("%s is on %s, want %s", name, vm.Host, seed.Hosts[0][1])
		}
		for key, d := range vm.Config.Disks {
			if value(d.Storage) != seed.Datastores[1] {
				t.Errorf("disk %q of %s is on %q, want %q", key, name, value(d.Storage), seed.Datastores[1])
			}
		}
	}
}

// TestLinkedDisksKeepTheirSize: vSphere grows no layer, so the plan of a larger disk is refused with what to do.
func TestLinkedDisksKeepTheirSize(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src := r.create(r.spec("web"))
	for field, d := range map[string]backends.Disk{"size_gib": {SizeGiB: new(int64(2))}, "provisioning": {Provisioning: new("thick")}} {
		_, err := r.CloneVM(r.ctx, &backends.CloneSpec{Source: src, Linked: true, Spec: backends.VMSpec{
			Name: "clone", Disks: map[string]backends.Disk{"root": d},
		}})
		wantCode(t, err, backends.Invalid)
		if !strings.Contains(err.(*backends.Error).Remedy, "full clone") || !strings.HasSuffix(string(err.(*backends.Error).Path), field) { //nolint:errorlint,forcetypeassert // What the driver returns.
			t.Errorf("the error is %+v", err)
		}
	}
	if n := r.bases(src); n != 0 {
		t.Errorf("the refused clones left %d snapshots", n)
	}
}

// TestCloneCancelled: the task is cancelled, and nothing is left but what an id was returned for.
func TestCloneCancelled(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src := r.create(r.spec("web"))
	for _, linked := range []bool{false, true} {
		r.sim.SetTaskTime(0)
		if linked { // the task to be cancelled is the clone's
			r.clonesOf(src, "sibling", true)
		}
		r.sim.SetTaskTime(10 * time.Second)
		ctx, cancel := context.WithCancel(r.ctx)
		go func() {
			for len(r.sim.RunningTasks()) == 0 {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		began := time.Now()
		id, err := r.CloneVM(ctx, &backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: "clone"}})
		wantCode(t, err, backends.Canceled)
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("linked %t: the interrupt took %s", linked, d)
		}
		r.sim.SetTaskTime(0)
		list, err := r.ListVMs(r.ctx, backends.VMFilter{Names: []string{"clone"}})
		if err != nil || id == "" && len(list) > 0 {
			t.Errorf("linked %t: VM %v is left and its id was not returned (%v)", linked, list, err)
		}
		if running := r.sim.RunningTasks(); len(running) > 0 {
			t.Errorf("linked %t: %v still run", linked, running)
		}
		if id != "" {
			r.delete(id)
		}
		r.delete(r.clonesOf(src, "clone", linked))
	}
}

// TestCloneFaults: what vSphere refuses in the middle is told, and leaves nothing.
func TestCloneFaults(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src := r.create(r.spec("web"))
	for name, c := range map[string]struct {
		fault types.BaseMethodFault
		code  backends.Code
	}{
		"no space":    {&types.NoDiskSpace{Datastore: "datastore1"}, backends.Exhausted},
		"busy source": {&types.TaskInProgress{}, backends.Locked},
		"name taken":  {&types.DuplicateName{Name: "clone", Object: reference("vm-1")}, backends.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			for _, linked := range []bool{false, true} {
				r.sim.FailTask("CloneVM_Task", "web", c.fault, 1)
				id, err := r.CloneVM(r.ctx, &backends.CloneSpec{Source: src, Linked: linked, Spec: backends.VMSpec{Name: "clone"}})
				wantCode(t, err, c.code)
				if id != "" {
					t.Errorf("the id %q was returned", id)
				}
				if n := r.bases(src); n != 0 {
					t.Errorf("linked %t: %d snapshots are left", linked, n)
				}
			}
		})
	}
}

// TestLinkedCloneCalls bounds what a linked clone costs, with its base and beside another one.
func TestLinkedCloneCalls(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src := r.create(r.spec("web"))
	for _, c := range []struct {
		name   string
		linked bool
		most   int
	}{{"full", false, 14}, {"first", true, 22}, {"second", true, 16}} {
		r.sim.ResetCalls()
		r.clonesOf(src, c.name, c.linked)
		if n := r.sim.TotalCalls(); n > c.most {
			t.Errorf("clone %s took %d calls, want at most %d: %v", c.name, n, c.most, r.sim.Calls())
		} else {
			t.Logf("clone %s took %d calls: %v", c.name, n, r.sim.Calls())
		}
	}
}
