package vsphere

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// Disks move between datastores while the VM runs, with what they hold, and alone.
func TestStorageMoves(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	r.write(id, "data", "mine")
	r.power(id, backends.PowerOn)
	root := r.disk(id, "root")
	r.sim.ResetCalls()
	r.moved(id, backends.Live, disk("data", func(d *backends.Disk) { d.Storage = new("fast") }))
	if n := r.sim.Calls()["RelocateVM_Task"]; n != 1 {
		t.Errorf("it took %d relocations", n)
	}
	r.holds(id, "data", "mine")
	if at := r.disk(id, "data"); !strings.HasPrefix(at, "[fast] ") || r.disk(id, "root") != root {
		t.Errorf("the disks are %s and %s", at, r.disk(id, "root"))
	}
	r.moved(id, backends.Live, disk("data", func(d *backends.Disk) { d.Storage = new("/DC0/datastore/fast") }))
	r.moved(id, backends.Live, disk("data", func(d *backends.Disk) { d.Storage = new("pod") }))
	if at := r.disk(id, "data"); !strings.HasPrefix(at, "[pod-a] ") {
		t.Errorf("in a datastore cluster the disk is %s", at)
	}
	// Host, pool and disks in one.
	r.sim.ResetCalls()
	r.moved(id, backends.Live, func(s *backends.VMSpec) {
		s.Placement.Host, s.Placement.Folder = new("esx-b2"), new("prod")
		disk("data", func(d *backends.Disk) { d.Storage = new("fast") })(s)
		disk("root", func(d *backends.Disk) { d.Storage = new("fast") })(s)
	})
	if n := r.sim.Calls()["RelocateVM_Task"]; n != 1 {
		t.Errorf("host, folder and both disks took %d relocations", n)
	}
	r.holds(id, "data", "mine")
}

// A VM on a host's own datastore leaves the host with all that it has there.
func TestLeavesLocalStorage(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Placement = backends.PlacementSpec{Host: new("esx-b1"), Storage: new("local-b1")}
	id := r.create(spec)
	r.power(id, backends.PowerOn)
	r.write(id, "root", "mine")
	r.sim.ResetCalls()
	r.moved(id, backends.Live, func(s *backends.VMSpec) {
		s.Placement.Host = new("esx-b2")
		disk("root", func(d *backends.Disk) { d.Storage = new("fast") })(s)
		disk("data", func(d *backends.Disk) { d.Storage = new("pod") })(s)
	})
	if n := r.sim.Calls()["RelocateVM_Task"]; n != 1 {
		t.Errorf("it took %d relocations", n)
	}
	m, err := r.machine(r.ctx, id, "read")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{r.disk(id, "root"), r.disk(id, "data"), m.Config.Files.VmPathName}
	for i, store := range []string{"[fast] ", "[pod-a] ", "[fast] "} {
		if !strings.HasPrefix(files[i], store) {
			t.Errorf("the VM's files are %v", files)
		}
	}
	r.holds(id, "root", "mine")
}

// A thick disk moves to where there is room, and takes its space otherwise if asked.
func TestStorageMovesThick(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(9)), Provisioning: new("thick")}
	id := r.create(spec)
	err := r.change(id, backends.Cold, disk("data", func(d *backends.Disk) { d.Storage = new("small") }))
	wantBlamed(t, err, backends.Exhausted, `disks["data"].storage`, "small", "9 GiB", "8 GiB")
	err = r.change(id, backends.Cold, disk("data", func(d *backends.Disk) { d.Provisioning = new("thin") }))
	wantBlamed(t, err, backends.Invalid, `disks["data"].provisioning`, "a disk keeps it")
	r.moved(id, backends.Cold, disk("data", func(d *backends.Disk) { d.Storage, d.Provisioning = new("fast"), new("thin") }))
}

// A disk gets another policy where it is, or on the way to a datastore that meets it.
func TestPolicyMoves(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	id := r.create(r.spec("web"))
	policy, store := r.sim.Seed.Policy, r.sim.Seed.PolicyDatastore
	if at := r.disk(id, "data"); strings.HasPrefix(at, "["+store+"] ") {
		t.Fatalf("the disk is there already: %s", at)
	}
	err := r.change(id, backends.Live, disk("data", func(d *backends.Disk) { d.Policy = &policy }))
	wantBlamed(t, err, backends.Invalid, `disks["data"].policy`, policy, store)
	err = r.change(id, backends.Live, disk("data", func(d *backends.Disk) { d.Policy = new("platinum") }))
	wantBlamed(t, err, backends.NotFound, `disks["data"].policy`, "platinum")
	r.moved(id, backends.Live, disk("data", func(d *backends.Disk) { d.Policy, d.Storage = &policy, &store }))
	r.moved(id, backends.Live, disk("root", func(d *backends.Disk) { d.Storage = &store }))
	r.moved(id, backends.Live, disk("root", func(d *backends.Disk) { d.Policy = &policy }))
}

// A disk that is a volume of its own stays when the VM's own files go.
func TestVolumesStay(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	volume, err := r.CreateDisk(r.ctx, backends.DiskSpec{Name: "kept", Disk: backends.Disk{SizeGiB: new(int64(1)), Storage: new("datastore1")}})
	if err != nil {
		t.Fatal(err)
	}
	spec.Disks["kept"] = backends.Disk{Volume: &volume.ID}
	id := r.create(spec)
	if err := r.Migrate(r.ctx, id, backends.PlacementSpec{Storage: new("fast")}); err != nil {
		t.Fatal(err)
	}
	if at := r.disk(id, "kept"); at != volume.ID {
		t.Errorf("the volume was %s and is %s", volume.ID, at)
	}
	if at := r.disk(id, "root"); !strings.HasPrefix(at, "[fast] ") {
		t.Errorf("the VM's own disk is %s", at)
	}
	err = r.change(id, backends.Cold, func(s *backends.VMSpec) {
		d := s.Disks["kept"]
		d.Storage = new("fast")
		s.Disks["kept"] = d
	})
	wantBlamed(t, err, backends.Invalid, `disks["kept"].storage`, "volume")
}
