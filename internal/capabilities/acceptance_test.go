package capabilities_test

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// A module asks for what the hypervisor has and leaves out what it lacks.
const module = `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
data "virtrigaud_capabilities" "here" {}
resource "virtrigaud_vm" "app" {
  name = "app"
  cpu  = { cores = 1, reservation_mhz = data.virtrigaud_capabilities.here.capabilities["resource_reservations"].level == "full" ? 500 : null }
}
output "reservation" { value = virtrigaud_vm.app.cpu.reservation_mhz }
`

func config(first, second string) string {
	return `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
provider "virtrigaud" {
  alias = "plain"
  mock  = { state_file = "` + first + `" }
}
provider "virtrigaud" {
  alias = "libvirt"
  mock  = { state_file = "` + second + `", imitate = "libvirt" }
}
module "plain" {
  source    = "./module"
  providers = { virtrigaud = virtrigaud.plain }
}
module "libvirt" {
  source    = "./module"
  providers = { virtrigaud = virtrigaud.libvirt }
}
output "reservations" { value = [module.plain.reservation, module.libvirt.reservation] }
`
}

func TestAccCapabilities(t *testing.T) {
	w := tfrun.New(t)
	w.Write("module/main.tf", module)
	w.Write("main.tf", config("plain.json", "libvirt.json"))
	w.Must("get")
	w.Apply()
	w.EmptyPlan()

	plain, libvirt := w.Attributes("module.plain.data.virtrigaud_capabilities.here"), w.Attributes("module.libvirt.data.virtrigaud_capabilities.here")
	if plain["backend"] != "mock" || plain["product"] == "" || plain["version"] == "" {
		t.Errorf("the hypervisor calls itself %v %v %v", plain["backend"], plain["product"], plain["version"])
	}
	for got, want := range map[string]backends.Catalogue{"plain": catalogues.Mock(), "libvirt": catalogues.Libvirt()} {
		data := plain
		if got == "libvirt" {
			data = libvirt
		}
		same(t, got, data["capabilities"], want)
	}
	everything, ok := plain["all_backends"].(map[string]any)
	if !ok || len(everything) != len(catalogues.All()) {
		t.Fatalf("all_backends is %v", plain["all_backends"])
	}
	for kind, want := range catalogues.All() {
		same(t, "all_backends."+string(kind), everything[string(kind)], want)
	}

	if got := w.Attributes("module.plain.virtrigaud_vm.app")["cpu"].(map[string]any)["reservation_mhz"]; got != 500.0 {
		t.Errorf("where reservations work the module got %v", got)
	}
	if got := w.Attributes("module.libvirt.virtrigaud_vm.app")["cpu"].(map[string]any)["reservation_mhz"]; got != nil && got != 0.0 {
		t.Errorf("where reservations do not work in full the module got %v", got)
	}
	w.Destroy()
}

// same holds a map of capabilities against a catalogue, feature by feature.
func same(t *testing.T, name string, got any, want backends.Catalogue) {
	t.Helper()
	all, _ := got.(map[string]any)
	if len(all) != len(backends.Features()) {
		t.Errorf("%s has %d capabilities, want %d", name, len(all), len(backends.Features()))
	}
	for _, f := range backends.Features() {
		entry, _ := all[string(f.ID)].(map[string]any)
		s := want.For(f.ID)
		if entry["group"] != f.Group || entry["capability"] != f.Name || entry["level"] != string(s.Level) || entry["note"] != s.Note {
			t.Errorf("%s[%q] is %v, want %v %v", name, f.ID, entry, f, s)
		}
	}
}
