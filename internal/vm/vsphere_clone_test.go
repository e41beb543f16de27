package vm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// Everything that a VM can be made of on a vCenter: a VM that runs, its snapshot, a template, an image and an item
// of a content library, as a copy or sharing content. Each is a VM like any other afterwards.
func TestAccClone_vsphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	base := pretended(t, s) + `
resource "virtrigaud_image" "tiny" {
  name            = "tiny-image"
  content_library = "shared/tiny"
}
` + named("vm", "base", `image = virtrigaud_image.guest.id`, `guest_os = "debian12_64Guest"`, `description = "the original"`, `tags = ["production"]`,
		`cpu = { cores = 2 }`, `disks = { root = { size_gib = 1 }, data = { size_gib = 1 } }`,
		`networks = { lan = { network = "VM Network", ipv4 = { address = "10.0.0.5/24" } } }`)
	made := func(more string) string {
		return base + `
resource "virtrigaud_snapshot" "before" {
  vm_id = virtrigaud_vm.base.id
  name  = "before"
}
` + named("clone", "full", `source_vm = virtrigaud_vm.base.id`, `disks = { root = { size_gib = 2 } }`, `placement = { folder = "prod", storage = "fast" }`, `wait_for = {}`) +
			named("clone", "linked", `source_vm = virtrigaud_vm.base.id`, `linked = true`, `wait_for = {}`, more) +
			named("clone", "then", `source_snapshot = virtrigaud_snapshot.before.id`, `linked = true`, `power_state = "stopped"`) +
			named("vm", "deployed", `template = "golden"`, `linked = false`, `wait_for = {}`) +
			named("vm", "sharing", `image = virtrigaud_image.guest.id`, `linked = true`, `disks = { root = {} }`, `networks = { lan = {} }`, `wait_for = {}`) +
			named("vm", "item", `template = virtrigaud_image.tiny.id`, `power_state = "stopped"`)
	}
	w := workspace(t, s.Config(made("")))
	w.Apply()
	w.EmptyPlan()
	ids, macs := map[any]bool{}, map[any]bool{}
	for _, address := range []string{"virtrigaud_vm.base", "virtrigaud_clone.full", "virtrigaud_clone.linked", "virtrigaud_clone.then"} {
		a := w.Attributes(address)
		ids[a["uuid"]], macs[inside(a, "networks", "lan", "mac")] = true, true
	}
	if len(ids) != 4 || len(macs) != 4 {
		t.Errorf("4 VMs have %d UUIDs and %d MACs", len(ids), len(macs))
	}
	for name, shares := range map[string]bool{"full": false, "linked": true, "then": true, "deployed": false, "sharing": true, "item": false} {
		if got := backed(t, s, name); got != shares {
			t.Errorf("%s shares content: %t", name, got)
		}
	}
	full := w.Attributes("virtrigaud_clone.full")
	if inside(full, "disks", "root", "size_gib") != float64(2) || inside(full, "disks", "data", "path") != nil || full["description"] != "the original" || full["ip_address"] == nil {
		t.Errorf("the full clone has the disks %v, description %v, address %v", full["disks"], full["description"], full["ip_address"])
	}

	// It goes its own way, and is adopted like any VM.
	w.Write("main.tf", s.Config(made(`description = "mine"`)))
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	for resource, name := range map[string]string{"virtrigaud_clone.linked": "linked", "virtrigaud_clone.full": fmt.Sprint(full["id"]), "virtrigaud_vm.sharing": "sharing"} {
		w.Must("state", "rm", resource)
		w.Must("import", resource, name)
	}
	w.EmptyPlan()

	// The source cannot go before what shares its content.
	for _, address := range []string{"virtrigaud_clone.linked", "virtrigaud_clone.then"} {
		w.Must("state", "rm", address)
	}
	w.Fails([]string{`Unable to delete snapshot "before" of VM "base"`, "linked", "then"}, "destroy", "-auto-approve", "-target=virtrigaud_vm.base")
	w.Must("import", "virtrigaud_clone.linked", "linked")
	w.Must("import", "virtrigaud_clone.then", "then")
	w.Destroy()
	s.AssertEmpty()
}

// backed reports whether the first disk of a VM shares the content of another.
func backed(t *testing.T, s *acctest.VSphere, name string) bool {
	t.Helper()
	for _, d := range s.Machine(name).Config.Hardware.Device {
		if disk, ok := d.(*types.VirtualDisk); ok {
			b, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
			return ok && b.Parent != nil
		}
	}
	t.Fatalf("%s has no disk", name)
	return false
}
