package vm_test

import (
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

const address = "virtrigaud_vm.web"

func at(first string, more ...string) tfjsonpath.Path {
	p := tfjsonpath.New(first)
	for _, step := range more {
		p = p.AtMapKey(step)
	}
	return p
}

func value(check knownvalue.Check, first string, more ...string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, at(first, more...), check)
}

// expect is a step's plan: what happens to the VM, and after it nothing more.
func expect(action plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             append([]plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}, more...),
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

// web is a small VM with further lines.
func web(lines ...string) string {
	return `
resource "virtrigaud_vm" "web" {
  name = "web"
  ` + strings.Join(lines, "\n  ") + `
}`
}

func contains(all []string, one string) bool { return slices.Contains(all, one) }
