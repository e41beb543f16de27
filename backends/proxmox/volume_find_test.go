package proxmox_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// disk makes a disk with a life of its own.
func (r *rig) disk(name, storage string) string {
	r.Helper()
	v, err := r.CreateDisk(r.Context(), backends.DiskSpec{Name: name, Disk: backends.Disk{SizeGiB: new(int64(1)), Storage: &storage}})
	if err != nil {
		r.Fatal(err)
	}
	return v.ID
}

// TestHiddenIsNotGone: what an account cannot see, or a storage that is switched off, is not gone.
func TestHiddenIsNotGone(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	id := r.disk("pgdata", "local-lvm")
	disable := func(yes bool) {
		if err := r.hands.Put(t.Context(), "/storage/local-lvm", map[string]any{"disable": yes}, nil); err != nil {
			t.Fatal(err)
		}
	}
	disable(true)
	_, err := r.GetDisk(t.Context(), id)
	r.refused(err, backends.Precondition, "local-lvm", "disable")
	r.refused(r.DeleteDisk(t.Context(), id), backends.Precondition, "local-lvm")
	disable(false)
	r.sim.AddUser("tf@pve", "secret-password")
	token := r.sim.AddToken("tf@pve", "ci", false)
	r.sim.Grant("tf@pve", "/vms", "VM.Audit")
	limited := func() backends.Backend {
		b, err := proxmox.Open(t.Context(), proxmox.Config{
			Config: pve.Config{Endpoints: []string{r.sim.URL()}, APIToken: token, CACertificate: r.sim.CACertificate()}, Defaults: proxmox.Defaults{Node: "pve1"},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	_, err = limited().GetDisk(t.Context(), id)
	r.refused(err, backends.Auth, "/storage/local-lvm")
	r.sim.Grant("tf@pve", "/storage", "Datastore.Audit") // the storage, and not what is on it
	_, err = limited().GetDisk(t.Context(), id)
	r.refused(err, backends.Auth, "VM.Config.Disk")
	r.refused(limited().DeleteDisk(t.Context(), id), backends.Auth)
	if err := r.DeleteDisk(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err = r.GetDisk(t.Context(), id)
	r.refused(err, backends.NotFound)
	_, err = r.GetDisk(t.Context(), "nowhere:vm-999999999-pgdata")
	r.refused(err, backends.NotFound)
}

// TestDiskIsNotForgotten: a disk that was made and cannot be read then is told beside the error.
func TestDiskIsNotForgotten(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	r.sim.Fault(pvesim.Fault{Route: "GET /cluster/resources", Status: 500, Reason: "no"})
	v, err := r.CreateDisk(t.Context(), backends.DiskSpec{Name: "pgdata", Disk: backends.Disk{SizeGiB: new(int64(1))}})
	if err == nil || v.ID == "" || v.Name != "pgdata" {
		t.Fatalf("%+v, %v", v, err)
	}
	r.sim.ClearFaults()
	if got, err := r.GetDisk(t.Context(), v.ID); err != nil || got.Name != v.Name || *got.Disk.Format != *v.Disk.Format || *got.Disk.Provisioning != *v.Disk.Provisioning {
		t.Errorf("%+v, %v; it was told as %+v", got, err, v)
	}
}

// TestDiskNames: a name that ends like a file's would be read back as another.
func TestDiskNames(t *testing.T) {
	r := newRig(t, pvesim.Options{})
	for _, name := range []string{"data.raw", "x.qcow2", "a b", "", "-x"} {
		_, err := r.CreateDisk(t.Context(), backends.DiskSpec{Name: name, Disk: backends.Disk{SizeGiB: new(int64(1))}})
		r.refused(err, backends.Invalid, "name")
	}
	for _, storage := range []string{"local", "local-lvm"} {
		if v, err := r.GetDisk(t.Context(), r.disk("pg.data-1", storage)); err != nil || v.Name != "pg.data-1" {
			t.Errorf("%s: %+v, %v", storage, v, err)
		}
	}
}

// TestDeleteInUse: what a VM has for its firmware, and what only a snapshot has, is in use as well.
func TestDeleteInUse(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	uefi := r.vm("uefi", func(s *backends.VMSpec) { s.Firmware = new("uefi") })
	var config map[string]any
	if err := r.hands.Get(t.Context(), "/nodes/pve1/qemu/"+string(uefi)+"/config", nil, &config); err != nil {
		t.Fatal(err)
	}
	variables, _, _ := strings.Cut(config["efidisk0"].(string), ",") //nolint:forcetypeassert // it is text
	r.refused(r.DeleteDisk(t.Context(), variables), backends.Precondition, `VM "uefi"`)
	if err := r.sim.PutFile("pve1", "local:iso/debian.iso", make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	disk := r.disk("pgdata", "local")
	id := r.vm("web", func(s *backends.VMSpec) {
		s.CDROM = &backends.CDROM{ISO: "local:iso/debian.iso"}
		s.Disks["old"] = backends.Disk{Volume: &disk}
	})
	r.byHand("POST", "/nodes/pve1/qemu/"+string(id)+"/snapshot", map[string]any{"snapname": "theirs"})
	was := r.read(id)
	to := was.Config
	to.Disks, to.CDROM = map[string]backends.Disk{"root": was.Config.Disks["root"]}, &backends.CDROM{}
	r.change(id, &was.Config, &to)
	r.refused(r.DeleteDisk(t.Context(), disk), backends.Precondition, `snapshot "theirs" of VM "web"`)
	r.refused(r.DeleteImage(t.Context(), "local:iso/debian.iso"), backends.Precondition, `snapshot "theirs" of VM "web"`)
	if err := r.DeleteSnapshot(t.Context(), id, "theirs", false); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteDisk(t.Context(), disk); err != nil {
		t.Error(err)
	}
	if err := r.DeleteImage(t.Context(), "local:iso/debian.iso"); err != nil {
		t.Error(err)
	}
}

// TestAttachUnused: an unused disk of another VM would go with that VM, and is not attached.
func TestAttachUnused(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	id := r.vm("web", func(s *backends.VMSpec) { s.Disks["data"] = backends.Disk{SizeGiB: new(int64(1))} })
	vm := r.read(id)
	volume := vm.Disks["data"].VolumeID
	r.byHand("PUT", "/nodes/pve1/qemu/"+string(id)+"/config", map[string]any{"delete": vm.Disks["data"].Device})
	_, err := r.CreateVM(t.Context(), &backends.VMSpec{Name: "db", Disks: map[string]backends.Disk{"old": {Volume: &volume}}})
	r.refused(err, backends.Precondition, "unused", `VM "web"`, `disks["old"].volume`)
}

// TestSameOnTwoNodes: a file that each node has serves the VMs of each; a disk that two nodes have is not guessed.
func TestSameOnTwoNodes(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}})
	for _, node := range []string{"pve1", "pve2"} {
		if err := r.sim.PutFile(node, "local:iso/debian.iso", make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	r.vm("far", func(s *backends.VMSpec) {
		s.Placement.Host, s.CDROM = new("pve2"), &backends.CDROM{ISO: "local:iso/debian.iso"}
	})
	for _, node := range []string{"pve1", "pve2"} {
		form := map[string]any{"vmid": 700, "filename": "vm-700-disk-0", "size": "1G"}
		if err := r.hands.Post(t.Context(), "/nodes/"+node+"/storage/local-lvm/content", form, nil); err != nil {
			t.Fatal(err)
		}
	}
	r.refused(r.DeleteDisk(t.Context(), "local-lvm:vm-700-disk-0"), backends.Conflict, "pve1", "pve2")
}

// TestDiskWhileNodeIsDown: a disk can be looked at while a node does not answer, and is not removed meanwhile: a VM there may have it.
func TestDiskWhileNodeIsDown(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}})
	addStorage(t, r.sim, map[string]any{"storage": "nas", "type": "nfs", "server": "10.0.0.9", "export": "/srv", "content": "images"})
	id := r.disk("pgdata", "nas")
	r.vm("far", func(s *backends.VMSpec) { s.Placement.Host = new("pve2") })
	r.sim.Fault(pvesim.Fault{Status: 595, Reason: "No route to host", Match: func(q *http.Request) bool { return contains(q.URL.Path, "/nodes/pve2/qemu/") }})
	if v, err := r.GetDisk(t.Context(), id); err != nil || v.ID != id {
		t.Errorf("%+v, %v", v, err)
	}
	r.refused(r.DeleteDisk(t.Context(), id), backends.Transient)
	r.sim.ClearFaults()
	if err := r.DeleteDisk(t.Context(), id); err != nil {
		t.Error(err)
	}
}
