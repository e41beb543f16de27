package e2e

import (
	"fmt"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// TestVLANsSeparateGuests has three guests on one switch: those with the same tag
// reach each other, the one with another tag reaches nobody.
func TestVLANsSeparateGuests(t *testing.T) {
	lab := libvirtlab.Start(t)
	lab.UseOVS(t)
	w := tfrun.New(t)
	w.Write("main.tf", provider(lab.URI())+fmt.Sprintf(`
resource "virtrigaud_image" "tiny" {
  name       = "tiny"
  local_path = %q
}

locals {
  guests = { a = { tag = 30, host = 1 }, b = { tag = 30, host = 2 }, c = { tag = 31, host = 3 } }
}

resource "virtrigaud_vm" "guest" {
  for_each = local.guests
  name     = each.key
  image    = virtrigaud_image.tiny.id
  memory   = { size_mib = 256 }
  disks    = { root = {} }
  networks = {
    lan = {
      network = "ovs"
      vlan    = each.value.tag
      ipv4    = { address = "10.88.0.${each.value.host}/24" }
    }
  }
  power_state = "running"
  wait_for    = { agent = true, timeout = "4m" }
}
`, lab.TinyImage(t)))
	w.Apply()
	w.EmptyPlan()
	a, c := guest{t: t, lab: lab, domain: "a"}, guest{t: t, lab: lab, domain: "c"}
	reaches := func(g guest, address string) bool {
		_, code := g.exec("ping", "-c", "1", "-W", "2", address)
		return code == 0
	}
	a.until("guests with the same tag reach each other", func() bool { return reaches(a, "10.88.0.2") })
	for range 3 {
		if reaches(a, "10.88.0.3") || reaches(c, "10.88.0.1") || reaches(c, "10.88.0.2") {
			t.Error("guests with different tags reach each other")
		}
	}
	w.Destroy()
	lab.AssertEmpty(t)
}
