package vm_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// Calls that a plan of fifty VMs makes, and those of one more VM beyond, its plan and a second session included. They are
// what is measured with some room for the order in which reads come; they must not grow with the number of VMs.
const (
	mostToPlan   = 24
	mostToCreate = 40
)

// Fifty VMs at once, on a vCenter that is slow and flaky: made, read, and read with few calls.
func TestAccVM_fiftyAtOnceOnVSphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	image := pretended(t, s)
	config := func(n int) string {
		return s.Config(image + fmt.Sprintf(`
resource "virtrigaud_vm" "web" {
  count      = %d
  name       = "web-${100 + count.index}"
  image      = virtrigaud_image.guest.id
  tags       = ["production"]
  disks      = { root = { size_gib = 1 }, data = { size_gib = 1 } }
  networks   = { lan = {} }
  cloud_init = { hostname = "web-${100 + count.index}" }
}`, n))
	}
	w := workspace(t, config(50))
	w.Apply("-target=virtrigaud_image.guest") // an upload that breaks is another test's
	s.Delay("*", 20*time.Millisecond)
	s.Flaky(0.02, 7)
	if out := w.Apply("-parallelism=50"); !strings.Contains(out, "50 added") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan("-parallelism=50")
	w.EmptyPlan("-parallelism=50")
	s.ClearFaults()

	calls := func(run func()) int {
		s.ResetCalls()
		run()
		return s.TotalCalls()
	}
	idle := calls(func() { w.EmptyPlan() })
	if idle > mostToPlan {
		t.Errorf("a plan of 50 VMs takes %d calls: %v", idle, s.Calls())
	}
	none := calls(func() { w.Apply() })
	w.Write("main.tf", config(51))
	if one := calls(func() { w.Apply() }); one-none > mostToCreate {
		t.Errorf("one more VM takes %d calls, and nothing to do %d: %v", one, none, s.Calls())
	}
	w.EmptyPlan()
	w.Destroy("-parallelism=50")
	s.AssertEmpty()
}
