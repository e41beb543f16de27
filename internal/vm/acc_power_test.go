package vm_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

func TestAccVM_powerManaged(t *testing.T) {
	m := acctest.NewMock(t)
	states := []string{"running", "suspended", "running", "stopped", "suspended", "stopped", "running"}
	var steps []resource.TestStep
	for i, s := range states {
		action := plancheck.ResourceActionUpdate
		if i == 0 {
			action = plancheck.ResourceActionCreate
		}
		steps = append(steps, resource.TestStep{
			Config:            m.Config(web("networks = { lan = {} }", fmt.Sprintf("power_state = %q", s))),
			ConfigPlanChecks:  expect(action),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.StringExact(s), "status")},
		})
	}
	steps = append(steps, resource.TestStep{ // off by hand: drift, repaired
		PreConfig:         func() { m.Power("web", backends.PowerOff) },
		Config:            m.Config(web("networks = { lan = {} }", `power_state = "running"`)),
		ConfigPlanChecks:  expect(plancheck.ResourceActionUpdate, plancheck.ExpectUnknownValue(address, at("ip_address"))),
		ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.NotNull(), "ip_address")},
	})
	acctest.Run(t, resource.TestCase{Steps: steps})
}

func TestAccVM_powerUnmanaged(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(web()), ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.StringExact("running"), "status")},
		},
		{
			PreConfig:        func() { m.Power("web", backends.PowerOff) },
			Config:           m.Config(web()),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
		{ // another change does not start it
			Config:            m.Config(web("cpu = { cores = 3 }")),
			ConfigPlanChecks:  expect(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.StringExact("stopped"), "status")},
		},
	}})
}

func TestAccVM_restart(t *testing.T) {
	m := acctest.NewMock(t)
	const lan = "networks = { lan = {} }"
	unknownAddress := plancheck.ExpectUnknownValue(address, at("ip_address"))
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web(lan, "cpu = { cores = 2 }")), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			Config:      m.Config(web(lan, "cpu = { cores = 1 }", `restart_policy = "never"`)),
			ExpectError: regexp.MustCompile(`(?s)needs a restart.*VM "web".*cpu\.cores.*restart_policy`),
		},
		{
			Config:            m.Config(web(lan, "cpu = { cores = 1 }")),
			ConfigPlanChecks:  expect(plancheck.ResourceActionUpdate, unknownAddress),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.StringExact("running"), "status")},
		},
		{ // deferred: nothing restarts, so nothing becomes unknown
			Config: m.Config(web(lan, "cpu = { cores = 2 }", `restart_policy = "defer"`)),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate,
				plancheck.ExpectKnownValue(address, at("ip_address"), knownvalue.NotNull())),
		},
		{
			Config:           m.Config(web(lan, "cpu = { cores = 2 }", `reboot_triggers = { config = "1" }`)),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate, plancheck.ExpectKnownValue(address, at("ip_address"), knownvalue.NotNull())),
		},
		{
			Config:           m.Config(web(lan, "cpu = { cores = 2 }", `reboot_triggers = { config = "2" }`)),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate, unknownAddress),
			Check: func(*terraform.State) error {
				if m.VM("web").Power != backends.Running {
					return fmt.Errorf("after the reboot the VM is %s", m.VM("web").Power)
				}
				return nil
			},
		},
	}})
}
