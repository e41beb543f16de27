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

// A change that fails leaves the VM running and in state, untainted, and the
// next apply makes the change.
func TestAccVM_updateFails(t *testing.T) {
	m := acctest.NewMock(t)
	before, after := web("cpu = { cores = 2 }"), web("cpu = { cores = 1 }", `description = "new"`)
	runs := func(*terraform.State) error {
		if vm := m.VM("web"); vm.Power != backends.Running {
			return fmt.Errorf("the VM is %s", vm.Power)
		}
		return nil
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(before), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			Config:      m.Config(after, `faults = [{ operation = "Reconfigure", code = "exhausted", message = "no room" }]`),
			ExpectError: regexp.MustCompile(`(?s)Unable to change VM "web".*No room`),
		},
		{Config: m.Config(before), ConfigPlanChecks: expect(plancheck.ResourceActionNoop), Check: runs},
		{
			Config: m.Config(after), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate), Check: runs,
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.Int64Exact(1), "cpu", "cores")},
		},
	}})
}

// Everything at once: what is planned is what is made.
func TestAccVM_manyChangesAtOnce(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(web(`cpu = { cores = 2 }`, `memory = { size_mib = 1024 }`,
				`disks = { root = { size_gib = 10 }, a = { size_gib = 1 }, b = { size_gib = 2 }, c = { size_gib = 3 } }`,
				`networks = { lan = { network = "lan" }, dmz = { network = "dmz" } }`)),
			ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
		},
		{
			Config: m.Config(`
resource "virtrigaud_vm" "web" {
  name        = "shop"
  description = "moved"
  cpu         = { cores = 1, sockets = 2 }
  memory      = { size_mib = 4096 }
  disks       = { d = { size_gib = 4 }, c = { size_gib = 5 }, root = { size_gib = 12, bus = "scsi" }, a = { size_gib = 1 } }
  networks    = { wan = { network = "default" }, lan = { network = "vmbr0", vlan = 9 } }
  placement   = { host = "mock-02" }
}`),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{
				value(knownvalue.StringExact("mock-02"), "host"),
				value(knownvalue.MapSizeExact(4), "disks"),
				value(knownvalue.Int64Exact(5), "disks", "c", "size_gib"),
				value(knownvalue.Int64Exact(9), "networks", "lan", "vlan"),
				value(knownvalue.StringExact("running"), "status"),
			},
		},
	}})
}

// A VM that its cluster moved is no difference, unless the host is asked for.
func TestAccVM_movedElsewhere(t *testing.T) {
	m := acctest.NewMock(t)
	move := func(host string) func() {
		return func() {
			if err := m.Backend.Migrate(t.Context(), m.VM("web").ID, backends.PlacementSpec{Host: &host}); err != nil {
				t.Fatal(err)
			}
		}
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web(`placement = { folder = "vm/web" }`)), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			PreConfig:         move("mock-03"),
			Config:            m.Config(web(`placement = { folder = "vm/web" }`)),
			ConfigPlanChecks:  expect(plancheck.ResourceActionNoop),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.StringExact("mock-03"), "host")},
		},
		{
			Config:            m.Config(web(`placement = { folder = "vm/web", host = "mock-01" }`)),
			ConfigPlanChecks:  expect(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.StringExact("mock-01"), "host")},
		},
	}})
}

// A VM suspended by hand is changed and suspended again where nobody manages
// its power.
func TestAccVM_suspendedByHand(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web()), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			PreConfig: func() { m.Power("web", backends.Suspend) },
			Config:    m.Config(web()), ConfigPlanChecks: expect(plancheck.ResourceActionNoop),
		},
		{
			Config: m.Config(web("cpu = { cores = 4 }")), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.StringExact("suspended"), "status")},
		},
	}})
}

// What a destruction that failed could not remove stays in state.
func TestAccVM_deleteFails(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web())},
		{
			Config: m.Config(web(), `faults = [{ operation = "DeleteVM", code = "precondition", message = "a backup runs" }]`), Destroy: true,
			ExpectError: regexp.MustCompile(`(?s)Unable to delete VM "web".*A backup runs`),
		},
		{Config: m.Config(web()), ConfigPlanChecks: expect(plancheck.ResourceActionNoop)},
	}})
}
