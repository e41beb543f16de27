package proxmox_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// foreign makes a template by hand.
func (r *rig) foreign(vmid int, drive string) backends.ID {
	r.Helper()
	r.byHand("POST", "/nodes/pve1/qemu", map[string]any{"vmid": vmid, "name": fmt.Sprintf("theirs-%d", vmid), "memory": 512, "scsi0": drive, "net0": "virtio,bridge=vmbr0"})
	r.byHand("POST", fmt.Sprintf("/nodes/pve1/qemu/%d/template", vmid), nil)
	return backends.ID(fmt.Sprint(vmid))
}

// TestLinkedClonesOfTemplate: clones of one template are made side by side, on storages of files and on LVM-thin, and the template stays
// while it has them.
func TestLinkedClonesOfTemplate(t *testing.T) {
	for _, drive := range []string{"local:1,format=qcow2", "local-lvm:1"} {
		t.Run(drive, func(t *testing.T) {
			r := newRig(t, pvesim.Options{TaskTime: 10 * time.Millisecond})
			source := r.foreign(900, drive)
			var wg sync.WaitGroup
			ids, errs := make([]backends.ID, 4), make([]error, 4)
			for i := range ids {
				wg.Go(func() {
					ids[i], errs[i] = r.CloneVM(t.Context(), &backends.CloneSpec{Source: source, Linked: true, Spec: backends.VMSpec{Name: fmt.Sprintf("clone-%d", i)}})
				})
			}
			wg.Wait()
			for i, err := range errs {
				if err != nil {
					t.Fatal(err)
				}
				vm := r.read(ids[i])
				if d := vm.Disks["scsi0"]; !vm.Owned || vm.Template || d.Backing == "" || !d.Owned {
					t.Errorf("clone %s is owned: %t, a template: %t, with the disk %+v", ids[i], vm.Owned, vm.Template, d)
				}
			}
			err := r.DeleteVM(t.Context(), source, backends.DeleteOptions{})
			r.refused(err, backends.Precondition, "clone-0, clone-1, clone-2, clone-3", "Delete these linked clones first")
			for _, id := range ids {
				if err := r.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.DeleteVM(t.Context(), source, backends.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			if left := append(r.sim.Volumes("pve1", "local"), r.sim.Volumes("pve1", "local-lvm")...); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestLinkedRefused: what cannot share says so, and how to go on.
func TestLinkedRefused(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	_, err := r.CloneVM(t.Context(), &backends.CloneSpec{Source: r.vm("plain", nil), Linked: true, Spec: backends.VMSpec{Name: "clone"}})
	r.refused(err, backends.Precondition, `VM "plain" is no template`, "leave linked out")
	spec := backends.CloneSpec{Source: r.foreign(900, "local:1,format=qcow2"), Linked: true, Spec: backends.VMSpec{
		Name: "clone", Disks: map[string]backends.Disk{"scsi0": {Storage: new("local-lvm")}},
	}}
	_, err = r.CloneVM(t.Context(), &spec)
	r.refused(err, backends.Invalid, `disks["scsi0"].storage`, "leaving linked out")
}

// TestClonesOfRunning: Proxmox VE makes one clone of a running VM at a time; the others wait.
func TestClonesOfRunning(t *testing.T) {
	r := newRig(t, pvesim.Options{LockWait: time.Millisecond, TaskTime: 20 * time.Millisecond})
	source := r.vm("web", nil)
	r.power(source, backends.PowerOn)
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = r.CloneVM(t.Context(), &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: fmt.Sprintf("clone-%d", i)}})
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

// TestCloneFails: a clone for which there is no space leaves nothing, and a request that is refused neither.
func TestCloneFails(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	source := r.vm("web", nil)
	volumes := r.sim.Volumes("pve1", "local")
	r.sim.SetStorageSpace("local-lvm", 1)
	vm := r.read(source)
	if err := r.sim.WriteVolume("pve1", vm.Disks["root"].VolumeID, 0, []byte(strings.Repeat("x", 8<<20))); err != nil {
		t.Fatal(err)
	}
	spec := backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: "clone", Placement: backends.PlacementSpec{Storage: new("local-lvm")}}}
	id, err := r.CloneVM(t.Context(), &spec)
	r.refused(err, backends.Exhausted, "clone")
	r.sim.Fault(pvesim.Fault{Route: "POST /nodes/{node}/qemu/{vmid}/clone", Status: 500, Reason: "got no worker upid - start worker failed", Times: 1})
	spec.Spec.Placement.Storage = nil
	again, err := r.CloneVM(t.Context(), &spec)
	if err == nil || id != "" || again != "" {
		t.Errorf("ids %q and %q, error %v", id, again, err)
	}
	list, err := r.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil || len(list) != 1 {
		t.Errorf("VMs: %+v (%v)", list, err)
	}
	if left := append(r.sim.Volumes("pve1", "local"), r.sim.Volumes("pve1", "local-lvm")...); len(left) != len(volumes) {
		t.Errorf("volumes %v, before %v", left, volumes)
	}
}

// TestCloneInterrupted: Ctrl-C stops the task, and what is left has an id.
func TestCloneInterrupted(t *testing.T) {
	r := newRig(t, pvesim.Options{TaskTime: 300 * time.Millisecond})
	source := r.vm("web", nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ctx = backends.WithProgress(ctx, func(p backends.Progress) {
		if p.Task != "" {
			cancel()
		}
	})
	id, err := r.CloneVM(ctx, &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: "clone"}})
	r.refused(err, backends.Canceled, "clone")
	left, listErr := r.ListVMs(t.Context(), backends.VMFilter{Names: []string{"clone"}})
	if listErr != nil || id == "" && len(left) > 0 {
		t.Errorf("id %q; left %+v (%v)", id, left, listErr)
	}
	if id != "" {
		if err := r.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// TestCloneElsewhere: a clone with disks that only one node sees is made there and brought to where it shall be.
func TestCloneElsewhere(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}})
	for _, storage := range []string{"local", "shared"} {
		source := r.vm("on-"+storage, func(s *backends.VMSpec) {
			s.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: &storage}
			s.CloudInit = &backends.CloudInit{UserData: new("#cloud-config\n{}\n")}
		})
		id, err := r.CloneVM(t.Context(), &backends.CloneSpec{Source: source, Spec: backends.VMSpec{
			Name: "clone-" + storage, Memory: backends.Memory{SizeMiB: new(int64(1024))}, Placement: backends.PlacementSpec{Host: new("pve2")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if vm := r.read(id); vm.Host != "pve2" || *vm.Config.Memory.SizeMiB != 1024 || *vm.Config.Disks["root"].Storage != storage {
			t.Errorf("the clone is on %s: %+v", vm.Host, vm.Config)
		}
		if got := r.read(id).Config.CloudInit; got == nil || got.UserData == nil {
			t.Errorf("the clone's cloud-init is told %+v", got)
		}
		r.power(id, backends.PowerOn)
	}
}

// TestCloneTaken: of two who take a VMID at the same time, one takes another.
func TestCloneTaken(t *testing.T) {
	r := newRig(t, pvesim.Options{TaskTime: 10 * time.Millisecond})
	source := r.vm("web", nil)
	others := []backends.Backend{r.Backend, connect(t, r.sim, proxmox.Defaults{}), connect(t, r.sim, proxmox.Defaults{})}
	ids, errs := make([]backends.ID, len(others)), make([]error, len(others))
	var wg sync.WaitGroup
	for i, b := range others {
		wg.Go(func() {
			defer func() { _ = b.Close() }()
			ids[i], errs[i] = b.CloneVM(t.Context(), &backends.CloneSpec{Source: source, Spec: backends.VMSpec{Name: fmt.Sprintf("clone-%d", i)}})
		})
	}
	wg.Wait()
	for i := range others {
		if errs[i] != nil || ids[i] == ids[(i+1)%len(ids)] {
			t.Errorf("clone %d has the id %q (%v)", i, ids[i], errs[i])
		}
	}
}
