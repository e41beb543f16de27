package proxmox_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// TestImportBeside: an image that another process is making is not taken for one that was left half-made.
func TestImportBeside(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	other := connect(t, r.sim, proxmox.Defaults{Node: "pve1", Storage: "local"})
	t.Cleanup(func() { _ = other.Close() })
	proxmox.SetQuiet(other, time.Minute)
	spec := backends.ImageSpec{Name: "debian", Kind: "disk", Fingerprint: "etag:1"}
	src := rawDisk(make([]byte, 1<<20))
	reached, release := make(chan struct{}), make(chan struct{})
	ctx := backends.WithProgress(t.Context(), func(p backends.Progress) {
		if p.Op == "import" && p.Percent == 100 { // the VM is there, and has to be made a template of
			close(reached)
			<-release
		}
	})
	var once sync.Once
	r.sim.Fault(pvesim.Fault{Route: "GET /nodes/{node}/tasks", Match: func(*http.Request) bool { // the other looks whether anything happens
		once.Do(func() { close(release) })
		return false
	}})
	var img backends.Image
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		img, err = r.ImportImage(ctx, spec, src)
	}()
	<-reached
	_, otherErr := other.ImportImage(t.Context(), spec, src)
	r.refused(otherErr, backends.Locked, "another apply is making")
	<-done
	if err != nil {
		t.Fatalf("the first import: %v", err)
	}
	if again, err := other.ImportImage(t.Context(), spec, src); err != nil || !again.Cached || again.ID != img.ID {
		t.Errorf("afterwards: %+v, %v", again, err)
	}
}

// TestImportAfterCrash: what an import left that was killed is removed by the next one of the name, but not what is somebody's.
func TestImportAfterCrash(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	proxmox.SetQuiet(r.Backend, time.Millisecond)
	half := func(mark string) map[string]any {
		return map[string]any{"vmid": 300, "name": "debian", "scsi0": "local:1", "description": "<!-- virtrigaud " + mark + " -->"}
	}
	r.byHand("POST", "/nodes/pve1/qemu", half(`{"v":1,"vm":300,"token":"image-X","partial":true,"image":"disk","name":"debian"}`))
	spec, src := backends.ImageSpec{Name: "debian", Kind: "disk"}, rawDisk(make([]byte, 1<<20))
	img, err := r.ImportImage(t.Context(), spec, src)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := r.ListVMs(t.Context(), backends.VMFilter{Names: []string{"debian"}}); err != nil || len(list) != 1 || string(list[0].ID) != img.ID {
		t.Errorf("there are %+v (%v), want %s alone", list, err, img.ID)
	}
	if err := r.DeleteImage(t.Context(), img.ID); err != nil {
		t.Fatal(err)
	}
	for name, mark := range map[string]string{
		"whole":         `{"v":1,"vm":300,"token":"image-X"}`,
		"a VM's":        `{"v":1,"vm":300,"token":"x","partial":true}`,
		"of a stranger": `{"v":1,"vm":1,"token":"image-X","partial":true}`,
	} {
		r.byHand("POST", "/nodes/pve1/qemu", half(mark))
		_, err := r.ImportImage(t.Context(), spec, src)
		if backends.CodeOf(err) != backends.Conflict {
			t.Errorf("%s: %v", name, err)
		}
		r.byHand("DELETE", "/nodes/pve1/qemu/300", nil)
	}
}

// TestTemplateHalfMade: the clone that is to be a template is not taken for whole before it is one.
func TestTemplateHalfMade(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	id := r.vm("web", nil)
	before := r.volumes()
	r.sim.Fault(pvesim.Fault{Route: "POST /nodes/{node}/qemu/{vmid}/template", Status: 500, Reason: "no space left on device"})
	_, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "golden", Kind: "template"}, backends.ImageSource{VM: id})
	r.refused(err, backends.Exhausted, "golden")
	r.nothingLeft(before)
	r.sim.ClearFaults()
	img, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "golden", Kind: "template"}, backends.ImageSource{VM: id})
	if err != nil || img.Kind != "template" {
		t.Errorf("%+v, %v", img, err)
	}
}

// TestImportBesideStranger: a template whose notes somebody has spoilt is in the way of no import.
func TestImportBesideStranger(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}})
	r.byHand("POST", "/nodes/pve1/qemu", map[string]any{"vmid": 300, "name": "theirs", "scsi0": "local:1,format=qcow2", "description": "<!-- virtrigaud {"})
	r.byHand("POST", "/nodes/pve1/qemu/300/template", nil)
	if _, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, rawDisk(make([]byte, 1<<20))); err != nil {
		t.Error(err)
	}
	for _, node := range []string{"pve1", "pve2"} {
		if err := r.sim.PutFile(node, "local:iso/same.iso", make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.ListImages(t.Context(), "local")
	n := 0
	for _, img := range list {
		if img.ID == "local:iso/same.iso" {
			n++
		}
	}
	if err != nil || n != 1 {
		t.Errorf("%d times the same in %+v (%v)", n, list, err)
	}
}

// TestImportLeavesVM: where what failed cannot be taken away the error says what is left.
func TestImportLeavesVM(t *testing.T) {
	r := newRig(t, pvesim.Options{Nodes: []string{"pve1"}})
	r.sim.Fault(pvesim.Fault{Route: "POST /nodes/{node}/qemu/{vmid}/template", Status: 500, Reason: "no space left on device"})
	r.sim.Fault(pvesim.Fault{Route: "DELETE /nodes/{node}/qemu/{vmid}", Status: 500, Reason: "no space left on device"})
	_, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, rawDisk(make([]byte, 1<<20)))
	r.refused(err, backends.Exhausted, "The VM 100 may be left of it", "qm destroy 100")
	r.sim.ClearFaults()
	proxmox.SetQuiet(r.Backend, 0)
	if _, err := r.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, rawDisk(make([]byte, 1<<20))); err != nil {
		t.Errorf("the next import: %v", err)
	}
}
