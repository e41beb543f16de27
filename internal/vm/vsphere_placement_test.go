package vm_test

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A VM moves to another host, pool, folder and storage in place, while it runs, and one that somebody moved is never
// made anew, and no difference where its place is not configured.
func TestAccVM_movesOnVSphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	image := pretended(t, s)
	config := func(placement, data string) string {
		return s.Config(image + web(`image = virtrigaud_image.guest.id`, `disks = { root = {}, data = { size_gib = 1`+data+` } }`, `networks = { lan = {} }`, placement))
	}
	w := workspace(t, config("", ""))
	w.Apply()
	w.EmptyPlan()
	began := s.Calls()["PowerOnVM_Task"]
	id := w.Attributes(address)["id"]

	// By hand: to the other host, into a folder and a pool, with its disks.
	other := "esx-a1"
	if w.Attributes(address)["host"] == other {
		other = "esx-a2"
	}
	find := func(kind, name string) *types.ManagedObjectReference {
		ref, err := s.Find(kind, name)
		if err != nil {
			t.Fatal(err)
		}
		return &ref
	}
	if err := s.RelocateVM("web", types.VirtualMachineRelocateSpec{Host: find("HostSystem", other), Pool: find("ResourcePool", "web"), Datastore: find("Datastore", "fast")}); err != nil {
		t.Fatal(err)
	}
	if err := s.MoveVM("web", "prod"); err != nil {
		t.Fatal(err)
	}
	if out := w.Must("plan"); strings.Contains(out, "must be replaced") || strings.Contains(out, "to destroy") {
		t.Errorf("a VM that was moved:\n%s", out)
	}
	w.EmptyPlan()

	// Then to where the configuration says, one step after the other and all in one.
	for _, step := range []struct{ placement, data string }{
		{`placement = { host = "esx-a1" }`, ""},
		{`placement = { host = "esx-a2" }`, ""},
		{`placement = { host = "esx-a2", resource_pool = "production" }`, `, storage = "datastore1"`},
		{`placement = { host = "esx-a2", resource_pool = "production", folder = "prod/web", storage = "datastore1" }`, `, storage = "datastore1"`},
		{`placement = { cluster = "cluster-b", folder = "/DC0/vm" }`, `, storage = "fast"`},
	} {
		w.Write("main.tf", config(step.placement, step.data))
		if found := w.Diagnostics("plan"); len(found) > 0 {
			t.Errorf("%s: %v", step.placement, found)
		}
		w.Apply()
		w.EmptyPlan()
	}
	a := w.Attributes(address)
	if a["id"] != id || s.Calls()["PowerOnVM_Task"] != began {
		t.Errorf("the VM is %v, was %v; started %d times", a["id"], id, s.Calls()["PowerOnVM_Task"]-began)
	}
	if host := a["host"]; host != "esx-b1" && host != "esx-b2" {
		t.Errorf("the VM is on %v", host)
	}
	if path, _ := inside(a, "disks", "data", "path").(string); !strings.HasPrefix(path, "[fast] ") {
		t.Errorf("the disk is %s", path)
	}
	w.Destroy()
	s.AssertEmpty()
}
