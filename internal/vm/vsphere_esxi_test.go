package vm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A host without a vCenter runs VMs of images, changes and adopts them; what only a vCenter can is refused by the plan, with that reason.
func TestAccVM_esxi(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{ESXi: true})
	image := pretended(t, s)
	config := func(memory int, data string) string {
		return s.Config(image + web(`image = virtrigaud_image.guest.id`, `guest_os = "linux"`, fmt.Sprintf("memory = { size_mib = %d, hot_add = true }", memory),
			`disks = { root = { size_gib = 1 }`+data+` }`, `networks = { lan = { ipv4 = { address = "10.0.0.5/24" } } }`, `cloud_init = { hostname = "www" }`, `wait_for = {}`))
	}
	w := workspace(t, config(1024, ""))
	w.Apply()
	w.EmptyPlan()
	made := w.Attributes(address)
	if made["ip_address"] != "10.0.0.5" || inside(made, "guest", "hostname") != "www" {
		t.Errorf("the VM has %v and %v", made["ip_address"], made["guest"])
	}
	w.Write("main.tf", config(2048, ", data = { size_gib = 1 }"))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("live changes: %v", found)
	}
	w.Apply()
	w.EmptyPlan()
	if n := s.Calls()["PowerOnVM_Task"]; n != 1 {
		t.Errorf("the VM was started %d times", n)
	}
	for _, id := range []string{"web", fmt.Sprint(made["id"])} {
		w.Must("state", "rm", address)
		w.Must("import", address, id)
	}
	w.EmptyPlan()

	w.Write("main.tf", config(2048, ", data = { size_gib = 1 }")+named("clone", "copy", `source_vm = virtrigaud_vm.web.id`)+named("vm", "placed", `placement = { folder = "prod" }`))
	found := w.Diagnostics("plan")
	expectOne(t, found, "virtrigaud_clone.copy", "error", `not supported.*(vCenter)`)
	expectOne(t, found, "virtrigaud_vm.placed", "error", `placement\.folder.*stand-alone`)
	w.Write("main.tf", config(2048, ", data = { size_gib = 1 }"))
	if out := w.Must("plan"); !strings.Contains(out, "No changes") {
		t.Errorf("plan printed\n%s", out)
	}
	w.Destroy()
	s.AssertEmpty()
}
