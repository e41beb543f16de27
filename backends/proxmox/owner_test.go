package proxmox_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// keptOf is a disk that a VM has left behind, and the VMID that is in its name and free again.
func (r *rig) keptOf(name string) (kept string, id backends.ID) {
	r.Helper()
	id = r.vm(name, withData)
	kept = r.read(id).Disks["data"].VolumeID
	if err := r.DeleteVM(r.Context(), id, backends.DeleteOptions{KeepDisks: []string{"data"}}); err != nil {
		r.Fatal(err)
	}
	r.reconnect()
	return kept, id
}

// TestGrowKept: a VM that is there for a moment to grow a kept disk must not be the one whose VMID is in the disk's name: its removal
// would be the disk's.
func TestGrowKept(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	kept, _ := r.keptOf("web")
	if err := r.ResizeDisk(t.Context(), kept, 2); err != nil {
		t.Fatal(err)
	}
	if v, err := r.GetDisk(t.Context(), kept); err != nil || *v.Disk.SizeGiB != 2 {
		t.Errorf("the kept disk: %+v, %v", v, err)
	}
}

// TestRevertKeepsAttached: a disk with a life of its own that came after the snapshot, and has the VM's VMID in its name, is not deleted.
func TestRevertKeepsAttached(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	kept, id := r.keptOf("web")
	if again := r.vm("next", nil); again != id {
		t.Fatalf("the next VM is %s, want %s again", again, id)
	}
	r.snapshot(id, "before")
	was := r.read(id)
	to := was.Config
	to.Disks = map[string]backends.Disk{"root": was.Config.Disks["root"], "old": {Volume: &kept}}
	r.change(id, &was.Config, &to)
	if err := r.RevertSnapshot(t.Context(), id, "before"); err != nil {
		t.Fatal(err)
	}
	if v, err := r.GetDisk(t.Context(), kept); err != nil || v.AttachedTo != "" {
		t.Errorf("the attached disk after the revert: %+v, %v", v, err)
	}
	if err := r.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.GetDisk(t.Context(), kept); err != nil {
		t.Errorf("the disk went with the VM: %v", err)
	}
}

// change makes a VM that is stopped what is asked for.
func (r *rig) change(id backends.ID, from, to *backends.VMSpec) {
	r.Helper()
	if err := r.Reconfigure(r.Context(), id, backends.Reconfiguration{Desired: to, Changes: backends.Diff(from, to), Mode: backends.Cold}); err != nil {
		r.Fatal(err)
	}
}

// TestCloneLeavesSeed: a clone that was made by hand has the seed of its source in its drive; it does not go with the clone.
func TestCloneLeavesSeed(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	words := "#cloud-config\n{}\n"
	id := r.vm("web", func(s *backends.VMSpec) { s.CloudInit = &backends.CloudInit{UserData: &words} })
	r.byHand("POST", "/nodes/pve1/qemu/"+string(id)+"/clone", map[string]any{"newid": 200, "full": true})
	before := r.sim.Volumes("pve1", "local")
	if err := r.DeleteVM(t.Context(), "200", backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, v := range before {
		if isISO(v) && !slices.Contains(r.sim.Volumes("pve1", "local"), v) {
			t.Errorf("%s went with the clone", v)
		}
	}
	r.power(id, backends.PowerOn)
}

func isISO(volume string) bool { return contains(volume, ":iso/virtrigaud-seed-") }

// TestRevertKeepsPolicy: what is said of a disk's end since the snapshot holds after a revert to it, also where the VM runs then.
func TestRevertKeepsPolicy(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	id := r.vm("web", func(s *backends.VMSpec) { s.Disks["data"] = backends.Disk{SizeGiB: new(int64(1))} })
	r.power(id, backends.PowerOn)
	if _, err := r.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "ram", Memory: true}); err != nil {
		t.Fatal(err)
	}
	r.power(id, backends.PowerOff)
	was := r.read(id)
	to := was.Config
	data := was.Config.Disks["data"]
	data.KeepOnDestroy = new(true)
	to.Disks = map[string]backends.Disk{"root": was.Config.Disks["root"], "data": data, "later": {SizeGiB: new(int64(1)), KeepOnDestroy: new(true)}}
	r.change(id, &was.Config, &to)
	later := r.read(id).Disks["later"].VolumeID
	if err := r.RevertSnapshot(t.Context(), id, "ram"); err != nil {
		t.Fatal(err)
	}
	vm := r.read(id)
	if vm.Power != backends.Running || !*vm.Config.Disks["data"].KeepOnDestroy {
		t.Errorf("the VM is %s, its disk data %+v", vm.Power, vm.Config.Disks["data"])
	}
	if err := r.DeleteVM(t.Context(), id, backends.DeleteOptions{KeepDisks: []string{"data"}}); err != nil {
		t.Fatal(err)
	}
	for _, volume := range []string{later, vm.Disks["data"].VolumeID} {
		if v, err := r.GetDisk(t.Context(), volume); err != nil || v.AttachedTo != "" {
			t.Errorf("%s: %+v, %v", volume, v, err)
		}
	}
}

// TestRevertToGivenDisk: a disk that another VM has by now does not come back to the VM that had it when the snapshot was taken.
func TestRevertToGivenDisk(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	v, err := r.CreateDisk(t.Context(), backends.DiskSpec{Name: "pgdata", Disk: backends.Disk{SizeGiB: new(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	attached := func(s *backends.VMSpec) { s.Disks["old"] = backends.Disk{Volume: &v.ID} }
	id := r.vm("web", attached)
	r.byHand("POST", "/nodes/pve1/qemu/"+string(id)+"/snapshot", map[string]any{"snapname": "theirs"})
	was := r.read(id)
	to := was.Config
	to.Disks = map[string]backends.Disk{"root": was.Config.Disks["root"]}
	r.change(id, &was.Config, &to)
	other := r.vm("db", attached)
	r.refused(r.RevertSnapshot(t.Context(), id, "theirs"), backends.Precondition, "pgdata", `VM "db"`, "Detach")
	if v, err := r.GetDisk(t.Context(), v.ID); err != nil || v.AttachedTo != other {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestRevertDropsSeed: a seed that came after the snapshot is in no drive after the revert, and holds what nobody needs.
func TestRevertDropsSeed(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	id := r.vm("web", nil)
	r.snapshot(id, "bare")
	was := r.read(id)
	to := was.Config
	to.CloudInit = &backends.CloudInit{UserData: new("#cloud-config\n{}\n")}
	r.change(id, &was.Config, &to)
	if err := r.RevertSnapshot(t.Context(), id, "bare"); err != nil {
		t.Fatal(err)
	}
	for _, v := range r.sim.Volumes("pve1", "local") {
		if isISO(v) {
			t.Errorf("%s is left", v)
		}
	}
}

// TestBrokenSnapshot: what is left of a snapshot whose deletion was broken off can be deleted.
func TestBrokenSnapshot(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	id := r.vm("web", func(s *backends.VMSpec) { s.Disks["data"] = backends.Disk{SizeGiB: new(int64(1))} })
	r.snapshot(id, "one")
	r.byHand("DELETE", "/nodes/pve1/storage/local/content/"+url.PathEscape(r.read(id).Disks["data"].VolumeID), nil)
	r.refused(r.DeleteSnapshot(t.Context(), id, "one", false), backends.Precondition, "does not exist")
	r.sim.SetLock(100, "")
	if err := r.DeleteSnapshot(t.Context(), id, "one", false); err != nil {
		t.Error(err)
	}
}

// TestRevertThatDoesNotStart: a VM that was reverted and cannot start is not left with the name of then.
func TestRevertThatDoesNotStart(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	r.putFile("local:iso/debian.iso")
	id := r.vm("web", func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: "local:iso/debian.iso"} })
	r.power(id, backends.PowerOn)
	if _, err := r.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "ram", Memory: true}); err != nil {
		t.Fatal(err)
	}
	r.power(id, backends.PowerOff)
	was := r.read(id)
	to := was.Config
	to.Name, to.CDROM = "db", &backends.CDROM{}
	r.change(id, &was.Config, &to)
	r.byHand("DELETE", "/nodes/pve1/storage/local/content/"+url.PathEscape("local:iso/debian.iso"), nil)
	r.refused(r.RevertSnapshot(t.Context(), id, "ram"), backends.Precondition, "debian.iso")
	if vm := r.read(id); vm.Config.Name != "db" {
		t.Errorf("it is called %q", vm.Config.Name)
	}
}
