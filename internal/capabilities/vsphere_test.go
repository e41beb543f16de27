package capabilities_test

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A vCenter clones and a stand-alone host says why it does not; both say something of everything.
func TestAccCapabilities_vsphere(t *testing.T) {
	t.Parallel()
	for name, esxi := range map[string]bool{"VMware vCenter Server": false, "VMware ESXi": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewVSphere(t, vcsim.Options{ESXi: esxi})
			w := tfrun.New(t)
			w.Write("main.tf", `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
`+s.Config(`data "virtrigaud_capabilities" "here" {}`))
			w.Apply()
			w.EmptyPlan()
			here := w.Attributes("data.virtrigaud_capabilities.here")
			if here["backend"] != "vsphere" || here["product"] != name || here["version"] == "" {
				t.Errorf("the hypervisor calls itself %v %v %v", here["backend"], here["product"], here["version"])
			}
			all, _ := here["capabilities"].(map[string]any)
			for _, f := range backends.Features() {
				entry, _ := all[string(f.ID)].(map[string]any)
				if entry["level"] == nil || entry["level"] == "" {
					t.Errorf("nothing is said of %s", f.ID)
				}
			}
			clones, _ := all[string(backends.FeatureFullClone)].(map[string]any)
			if refused := clones["level"] == "unsupported"; refused != esxi || esxi && clones["note"] == "" {
				t.Errorf("cloning is %v", clones)
			}
			s.AssertEmpty()
		})
	}
}
