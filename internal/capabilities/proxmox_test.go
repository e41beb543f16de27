package capabilities_test

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// Proxmox VE of both versions says what it is, and has what the catalogue says.
func TestAccCapabilities_proxmox(t *testing.T) {
	t.Parallel()
	for version, options := range map[string]pvesim.Options{"8.": {Version: 8}, "9.": {Version: 9}} {
		s := acctest.NewProxmox(t, options)
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
		is, _ := here["version"].(string)
		if here["backend"] != "proxmox" || here["product"] != "Proxmox VE" || !strings.HasPrefix(is, version) {
			t.Errorf("the hypervisor calls itself %v %v %v", here["backend"], here["product"], here["version"])
		}
		same(t, "Proxmox VE "+version, here["capabilities"], catalogues.Proxmox())
	}
}
