package capabilities_test

import (
	"fmt"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// A real hypervisor says what it is, and every capability that it has.
func TestAccCapabilities_libvirt(t *testing.T) {
	lab := libvirtlab.Shared(t)
	w := tfrun.New(t)
	w.Write("main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
provider "virtrigaud" {
  libvirt = { uri = %q }
}
data "virtrigaud_capabilities" "here" {}
`, lab.URI()))
	w.Apply()
	w.EmptyPlan()
	here := w.Attributes("data.virtrigaud_capabilities.here")
	if here["backend"] != "libvirt" || here["product"] != "QEMU" || here["version"] == "" {
		t.Errorf("the hypervisor calls itself %v %v %v", here["backend"], here["product"], here["version"])
	}
	all, _ := here["capabilities"].(map[string]any)
	for _, f := range backends.Features() {
		entry, _ := all[string(f.ID)].(map[string]any)
		if entry["level"] == nil || entry["level"] == "" {
			t.Errorf("nothing is said of %s", f.ID)
		}
	}
}
