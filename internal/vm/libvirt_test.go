package vm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func onLibvirt(lab *libvirtlab.Lab, body string) string {
	return fmt.Sprintf("provider \"virtrigaud\" {\n  libvirt = { uri = %q }\n}\n", lab.URI()) + body
}

// golden is a VM of the tiny guest, and what is made of it.
func golden(lab *libvirtlab.Lab, t *testing.T, description string) string {
	return fmt.Sprintf(`
resource "virtrigaud_image" "tiny" {
  name       = "acc-tiny"
  local_path = %q
}
resource "virtrigaud_vm" "golden" {
  name        = "acc-golden"
  description = %q
  image       = virtrigaud_image.tiny.id
  cpu         = { cores = 1, max_cores = 2 }
  memory      = { size_mib = 192, max_mib = 256 }
  disks       = { root = { size_gib = 1 }, data = { size_gib = 1 } }
  networks    = { lan = { network = "default" } }
  cloud_init  = { hostname = "golden" }
  power_state = "stopped"
  shutdown    = { timeout = "0s" }
}
`, lab.TinyImage(t), description)
}

// On a real libvirtd: a full clone, a linked one whose guest boots with its own
// name and address, and a VM from a template; changed, imported and destroyed
// like any VM, with nothing left of their disks and bases.
func TestAccClone_libvirt(t *testing.T) {
	lab := libvirtlab.Start(t)
	made := func(more string) string {
		return fmt.Sprintf(`
resource "virtrigaud_clone" "full" {
  name        = "acc-full"
  source_vm   = virtrigaud_vm.golden.id
  disks       = { root = { size_gib = 2 } }
  power_state = "stopped"
  shutdown    = { timeout = "0s" }
}
resource "virtrigaud_clone" "linked" {
  name      = "acc-linked"
  source_vm = virtrigaud_vm.golden.id
  linked    = true
  wait_for  = { agent = true, ipv4 = true, timeout = "3m" }
  shutdown  = { timeout = "0s" }
  %s
}
resource "virtrigaud_vm" "deployed" {
  name        = "acc-deployed"
  template    = "acc-golden"
  power_state = "stopped"
  shutdown    = { timeout = "0s" }
  depends_on  = [virtrigaud_vm.golden]
}
`, more)
	}
	w := workspace(t, onLibvirt(lab, golden(lab, t, "first")+made("")))
	w.Apply()
	w.EmptyPlan()

	base, full, linked, deployed := w.Attributes("virtrigaud_vm.golden"), w.Attributes("virtrigaud_clone.full"), w.Attributes("virtrigaud_clone.linked"), w.Attributes("virtrigaud_vm.deployed")
	ids := map[any]bool{base["uuid"]: true, full["uuid"]: true, linked["uuid"]: true, deployed["uuid"]: true}
	macs := map[string]bool{}
	for _, vm := range []map[string]any{base, full, linked, deployed} {
		macs[fmt.Sprint(inside(vm, "networks", "lan", "mac"))] = true
	}
	if len(ids) != 4 || len(macs) != 4 {
		t.Errorf("4 VMs have %d UUIDs and %d MACs", len(ids), len(macs))
	}
	if got := inside(full, "disks", "root", "size_gib"); got != float64(2) || inside(full, "disks", "data", "path") != nil {
		t.Errorf("the full clone has the disks %v", full["disks"])
	}
	if inside(linked, "guest", "hostname") != "acc-linked" || linked["ip_address"] == nil || linked["status"] != "running" {
		t.Errorf("the linked clone is %v with guest %v and address %v", linked["status"], linked["guest"], linked["ip_address"])
	}
	if inside(deployed, "memory", "size_mib") != float64(192) || inside(deployed, "disks", "data", "path") == nil {
		t.Errorf("of the template are memory %v and disks %v", deployed["memory"], deployed["disks"])
	}
	if x := lab.Virsh(t, "dumpxml", "acc-linked"); !strings.Contains(x, "<backingStore type='file'") {
		t.Errorf("the linked clone shares nothing:\n%s", x)
	}

	// Each goes its own way: the clone while it runs, the source beside it.
	began := lab.Virsh(t, "domid", "acc-linked")
	w.Write("main.tf", onLibvirt(lab, golden(lab, t, "second")+made("cpu = { cores = 2 }\n  disks = { root = { size_gib = 2 }, data = {}, logs = { size_gib = 1 } }")))
	if out := w.Apply(); !strings.Contains(out, "0 added, 2 changed, 0 destroyed") {
		t.Errorf("the change printed\n%s", out)
	}
	w.EmptyPlan()
	if now := lab.Virsh(t, "domid", "acc-linked"); now != began {
		t.Error("the clone was restarted")
	}

	for resource, name := range map[string]string{"virtrigaud_clone.linked": "acc-linked", "virtrigaud_clone.full": fmt.Sprint(full["id"])} {
		w.Must("state", "rm", resource)
		w.Must("import", resource, name)
	}
	w.EmptyPlan()

	// The source cannot go before what is linked to it.
	w.Must("state", "rm", "virtrigaud_clone.linked")
	w.Write("main.tf", onLibvirt(lab, ""))
	w.Fails([]string{"acc-golden", "acc-linked"}, "apply", "-auto-approve")
	lab.Virsh(t, "domid", "acc-linked")
	w.Write("main.tf", onLibvirt(lab, golden(lab, t, "second")+made("cpu = { cores = 2 }\n  disks = { root = { size_gib = 2 }, data = {}, logs = { size_gib = 1 } }")))
	w.Must("import", "virtrigaud_clone.linked", "acc-linked")
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
	lab.AssertEmpty(t)
}

// inside is the value at a path of a resource's attributes, nil where there is none.
func inside(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// On a real libvirtd a disk goes from a VM to its successor in one apply, and two
// that want it at once are not both given it.
func TestAccVM_diskIsHandedOver_libvirt(t *testing.T) {
	lab := libvirtlab.Start(t)
	vm := func(name string) string {
		return fmt.Sprintf(`
resource "virtrigaud_vm" %[1]q {
  name     = "acc-%[1]s"
  memory   = { size_mib = 64 }
  disks    = { data = { volume = virtrigaud_disk.data.id } }
  networks = {}
  shutdown = { timeout = "0s" }
  timeouts = { create = "20s" }
}
`, name)
	}
	const disk = "resource \"virtrigaud_disk\" \"data\" {\n  name = \"acc-data\"\n  size_gib = 1\n}\n"
	w := workspace(t, onLibvirt(lab, disk+vm("old")))
	w.Apply()
	w.EmptyPlan()
	w.Write("main.tf", onLibvirt(lab, disk+vm("new")))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("a hand-over is warned of: %v", found)
	}
	if out := w.Apply(); !strings.Contains(out, "1 added, 0 changed, 1 destroyed") {
		t.Errorf("a hand-over printed\n%s", out)
	}
	w.EmptyPlan()
	w.Write("main.tf", onLibvirt(lab, disk))
	w.Apply()
	w.Write("main.tf", onLibvirt(lab, disk+vm("one")+vm("two")))
	w.Fails([]string{"acc-one", "acc-two", "attached to VM"}, "apply", "-auto-approve")
	if domains := lab.Domains(t); len(domains) != 1 {
		t.Errorf("one disk is in %v", domains)
	}
	w.Destroy()
	lab.AssertEmpty(t)
}
