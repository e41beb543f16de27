package vm_test

import (
	"fmt"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// What VMs cost in requests, whatever terraform's parallelism makes of the listings that they share.
func TestAccVM_requestsOnProxmox(t *testing.T) {
	t.Parallel()
	const n = 20
	s := acctest.NewProxmox(t, pvesim.Options{})
	config := func(n int) string {
		return s.Config(fmt.Sprintf(`
resource "virtrigaud_vm" "web" {
  count    = %d
  name     = "web-${count.index}"
  memory   = { size_mib = 64 }
  disks    = { root = { size_gib = 1 }, data = { size_gib = 1 } }
  networks = { lan = {} }
  shutdown = { timeout = "0s" }
}`, n))
	}
	w := workspace(t, config(n))
	s.ResetRequests()
	w.Apply()
	// The listings are shared, and an agent is asked once in a VM's life for what does not change.
	own := s.Requests()["POST /nodes/{node}/qemu"] + s.Sum("/qemu/{vmid}") - s.Sum("/agent/") + s.Sum("/tasks/")
	if own > 8*n {
		t.Errorf("%d VMs are made with %d requests of their own: %v", n, own, s.Requests())
	}
	if got := s.Sum("/agent/"); got > 4*n {
		t.Errorf("the agents of %d VMs are asked %d times: %v", n, got, s.Requests())
	}
	w.Apply("-refresh-only") // what agents say since they answer

	s.ResetRequests()
	w.EmptyPlan()
	for route, most := range map[string]int{
		"/pending": n, "/agent/": n, // one each, of a VM
		"/qemu/{vmid}": 2 * n, // and nothing else of it
	} {
		if got := s.Sum(route); got > most {
			t.Errorf("a plan of %d VMs makes %d requests of %s: %v", n, got, route, s.Requests())
		}
	}
	w.Destroy()
	s.AssertEmpty()
}
