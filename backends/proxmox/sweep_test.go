package proxmox_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

func (r *rig) putFile(volume string) {
	r.Helper()
	if err := r.sim.PutFile("pve1", volume, make([]byte, 1<<20)); err != nil {
		r.Fatal(err)
	}
}

// TestSweepStage: files that a killed import left on their way to a disk go with the next import, and no younger ones, for others may make a
// disk of those.
func TestSweepStage(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	const left, theirs = "local:import/virtrigaud-import-ABC.raw", "local:import/theirs.raw"
	r.putFile(left)
	r.putFile(theirs)
	for i, age := range []time.Duration{time.Hour, 0} {
		proxmox.SetStale(r.Backend, age)
		if _, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: fmt.Sprint("debian", i), Kind: "disk"}, rawDisk(make([]byte, 1<<20))); err != nil {
			t.Fatal(err)
		}
		files := r.sim.Volumes("pve1", "local")
		if slices.Contains(files, left) != (age > 0) || !slices.Contains(files, theirs) {
			t.Errorf("where files of %s are old there are %v", age, files)
		}
	}
}

// TestSweepSeeds: seeds that were made for a VM and are in no drive of it hold its user's data, and go with it; those of another
// cluster's VM of the same VMID do not.
func TestSweepSeeds(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	id := r.vm("web", func(s *backends.VMSpec) { s.CloudInit = &backends.CloudInit{UserData: new("#cloud-config\n{}\n")} })
	uuid := r.read(id).UUID
	left := fmt.Sprintf("local:iso/virtrigaud-seed-%s-%s-00000000.iso", id, uuid[:8])
	theirs := fmt.Sprintf("local:iso/virtrigaud-seed-%s-ffffffff-00000000.iso", id)
	r.putFile(left)
	r.putFile(theirs)
	if err := r.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	var seeds []string
	for _, v := range r.sim.Volumes("pve1", "local") {
		if isISO(v) {
			seeds = append(seeds, v)
		}
	}
	if !slices.Equal(seeds, []string{theirs}) {
		t.Errorf("left: %v", seeds)
	}
}

// TestSeedTakesDrive: a seed takes the place of Proxmox VE's own cloud-init drive also where that lies on a storage that minds to delete what is gone.
func TestSeedTakesDrive(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	id := r.vm("web", func(s *backends.VMSpec) {
		s.Placement.Storage = new("local-lvm")
		s.CloudInit = &backends.CloudInit{SSHKeys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKn3f3XJx7gkp219pZEJCXCrF5aNwZYt1NevPyf/TXRS a@b"}}
	})
	was := r.read(id)
	to := was.Config
	to.CloudInit = &backends.CloudInit{UserData: new("#cloud-config\n{}\n")}
	r.change(id, &was.Config, &to)
	for _, v := range r.sim.Volumes("pve1", "local-lvm") {
		if contains(v, "cloudinit") {
			t.Errorf("%s is left", v)
		}
	}
}
