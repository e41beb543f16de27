package vm_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

const address = "virtrigaud_vm.web"

func at(first any, more ...any) tfjsonpath.Path {
	var p tfjsonpath.Path
	for i, step := range append([]any{first}, more...) {
		switch s := step.(type) {
		case string:
			if i == 0 {
				p = tfjsonpath.New(s)
			} else {
				p = p.AtMapKey(s)
			}
		case int:
			p = p.AtSliceIndex(s)
		}
	}
	return p
}

func value(check knownvalue.Check, first any, more ...any) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, at(first, more...), check)
}

// expect is a step's plan: what happens to the VM, then nothing more.
func expect(action plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             append([]plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}, more...),
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

func TestAccVM_basic(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(`
resource "virtrigaud_vm" "web" {
  name   = "web"
  image  = "default/debian-12"
  cpu    = { cores = 2, max_cores = 4 }
  memory = { size_mib = 2048, max_mib = 8192 }
  disks  = { root = { size_gib = 20 } }
  networks = { lan = { network = "lan" } }
  tags = ["prod", "blue"]
}`),
			ConfigPlanChecks: expect(plancheck.ResourceActionCreate,
				plancheck.ExpectUnknownValue(address, at("id")),
				plancheck.ExpectUnknownValue(address, at("ip_address"))),
			ConfigStateChecks: []statecheck.StateCheck{
				value(knownvalue.NotNull(), "id"),
				value(knownvalue.StringExact("running"), "status"),
				value(knownvalue.StringExact("running"), "power_state"),
				value(knownvalue.NotNull(), "ip_address"),
				value(knownvalue.NotNull(), "networks", "lan", "mac"),
				value(knownvalue.NotNull(), "disks", "root", "device"),
				value(knownvalue.StringExact("mock"), "backend"),
				value(knownvalue.Bool(true), "guest", "agent_running"),
			},
		},
		{ // hot: nothing computed becomes unknown
			Config: m.Config(`
resource "virtrigaud_vm" "web" {
  name   = "web"
  image  = "default/debian-12"
  cpu    = { cores = 4, max_cores = 4 }
  memory = { size_mib = 4096, max_mib = 8192 }
  disks  = { root = { size_gib = 30 } }
  networks = { lan = { network = "lan" } }
  tags = ["prod"]
  description = "front"
}`),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate,
				plancheck.ExpectKnownValue(address, at("status"), knownvalue.StringExact("running")),
				plancheck.ExpectKnownValue(address, at("ip_address"), knownvalue.NotNull()),
				plancheck.ExpectKnownValue(address, at("networks", "lan", "mac"), knownvalue.NotNull()),
				plancheck.ExpectKnownValue(address, at("host"), knownvalue.NotNull())),
			ConfigStateChecks: []statecheck.StateCheck{
				value(knownvalue.Int64Exact(4), "cpu", "cores"),
				value(knownvalue.Int64Exact(30), "disks", "root", "size_gib"),
			},
		},
	}})
	_ = backends.Running
}
