package vm_test

import (
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

func TestAccVM_networks(t *testing.T) {
	m := acctest.NewMock(t)
	step := func(networks string, action plancheck.ResourceActionType, checks ...plancheck.PlanCheck) resource.TestStep {
		return resource.TestStep{Config: m.Config(web("networks = {" + networks + "}")), ConfigPlanChecks: expect(action, checks...)}
	}
	lanKnown := plancheck.ExpectKnownValue(address, at("networks", "lan", "mac"), knownvalue.NotNull())
	mac := statecheck.CompareValue(compare.ValuesSame())
	keepsMAC := func(s resource.TestStep) resource.TestStep {
		s.ConfigStateChecks = append(s.ConfigStateChecks, mac.AddStateValue(address, at("networks", "lan", "mac")))
		return s
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		keepsMAC(step(`lan = { network = "lan" }`, plancheck.ResourceActionCreate)),
		keepsMAC(step(`lan = { network = "lan" }
dmz = { network = "dmz" }`, plancheck.ResourceActionUpdate, lanKnown,
			plancheck.ExpectUnknownValue(address, at("networks", "dmz", "mac")))),
		keepsMAC(step(`lan = { network = "dmz", connected = false }
dmz = { network = "dmz" }`, plancheck.ResourceActionUpdate, lanKnown)),
		keepsMAC(step(`lan = { network = "dmz", connected = true }`, plancheck.ResourceActionUpdate, lanKnown)),
		keepsMAC(step(`lan = { network = "dmz", connected = true, ipv4 = { address = "10.9.0.5/24" } }`, plancheck.ResourceActionUpdate, lanKnown)),
		keepsMAC(step(`lan = { network = "dmz" }`, plancheck.ResourceActionUpdate, lanKnown)),
		{ // letter case and separators of a MAC mean nothing
			Config:           m.Config(web(`networks = { lan = { network = "dmz", mac = "52:54:00:AA:BB:CC" } }`)),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
		},
		{
			Config:           m.Config(web(`networks = { lan = { network = "dmz", mac = "52-54-00-aa-bb-cc" } }`)),
			ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
	}})
}

func TestAccVM_networkUnknown(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{{
		Config:      m.Config(web(`networks = { lan = { network = "nowhere" } }`)),
		ExpectError: regexp.MustCompile(`no network "nowhere"`),
	}}})
}

func TestAccVM_macTaken(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{{
		Config: m.Config(web(`networks = { lan = { mac = "52:54:00:aa:bb:cc" } }`) + `
resource "virtrigaud_vm" "other" {
  name       = "other"
  networks   = { lan = { mac = "52:54:00:AA:BB:CC" } }
  depends_on = [virtrigaud_vm.web]
}`),
		ExpectError: regexp.MustCompile(`VM "web" has MAC 52:54:00:aa:bb:cc`),
	}}})
}
