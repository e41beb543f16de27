package snapshot_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

const address = "virtrigaud_snapshot.a"

// web is a small VM that runs, with further lines.
func web(lines ...string) string {
	return `
resource "virtrigaud_vm" "web" {
  name  = "web"
  disks = { root = { size_gib = 1 } }
  ` + strings.Join(lines, "\n  ") + `
}
`
}

// snap is a snapshot of it.
func snap(name string, lines ...string) string {
	return fmt.Sprintf("\nresource \"virtrigaud_snapshot\" %q {\n  vm_id = virtrigaud_vm.web.id\n  name  = %q\n  %s\n}\n", name, name, strings.Join(lines, "\n  "))
}

func value(attribute string, check knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), check)
}

func expect(action plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             append([]plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}, more...),
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

// snapshots are those of the VM "web", by name.
func snapshots(t *testing.T, m *acctest.Mock) map[string]backends.Snapshot {
	t.Helper()
	all, err := m.Backend.ListSnapshots(t.Context(), m.VM("web").ID)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]backends.Snapshot{}
	for _, s := range all {
		named[s.Name] = s
	}
	return named
}

func TestAccSnapshot(t *testing.T) {
	m := acctest.NewMock(t)
	id := statecheck.CompareValue(compare.ValuesSame())
	const lines = "description = \"Before the upgrade\""
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config:           m.Config(web() + snap("a", lines)),
			ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{
				id.AddStateValue(address, tfjsonpath.New("id")),
				value("snapshot_id", knownvalue.NotNull()),
				value("created_at", knownvalue.StringRegexp(regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`))),
				value("parent_id", knownvalue.Null()),
				value("current", knownvalue.Bool(true)),
				value("memory", knownvalue.Bool(false)),
				value("quiesce", knownvalue.Bool(false)),
				value("remove_children", knownvalue.Bool(false)),
			},
			Check: func(s *terraform.State) error {
				r := s.RootModule().Resources[address].Primary
				if want := r.Attributes["vm_id"] + "/" + r.Attributes["snapshot_id"]; r.ID != want {
					return fmt.Errorf("the id is %q, want %q", r.ID, want)
				}
				if got := snapshots(t, m)["a"]; got.Description != "Before the upgrade" {
					return fmt.Errorf("the hypervisor has %+v", got)
				}
				return nil
			},
		},
		// What is Terraform's own changes in place and touches nothing.
		{
			Config: m.Config(web() + snap("a", lines, `remove_children = true`, `revert_power_state = "stopped"`, `timeouts = { delete = "5m" }`)),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate,
				plancheck.ExpectKnownValue(address, tfjsonpath.New("current"), knownvalue.Bool(true))),
			ConfigStateChecks: []statecheck.StateCheck{id.AddStateValue(address, tfjsonpath.New("id"))},
		},
		{
			Config:           m.Config(web() + snap("a", lines)),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
		},
		{ResourceName: address, ImportState: true, ImportStateVerify: true},
		// A description changes in place, and one that was edited elsewhere is put right.
		{
			Config:            m.Config(web() + snap("a", `description = "Kept"`)),
			ConfigPlanChecks:  expect(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{id.AddStateValue(address, tfjsonpath.New("id"))},
		},
		{
			PreConfig: func() {
				vm := m.VM("web")
				if err := m.Backend.DescribeSnapshot(t.Context(), vm.ID, snapshots(t, m)["a"].ID, "elsewhere"); err != nil {
					t.Fatal(err)
				}
			},
			Config:           m.Config(web() + snap("a")),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
			Check: func(*terraform.State) error {
				if all := snapshots(t, m); len(all) != 1 || all["a"].Description != "" {
					return fmt.Errorf("the hypervisor has %+v", all)
				}
				return nil
			},
		},
		{
			Config: m.Config(web()),
			Check: func(*terraform.State) error {
				if all := snapshots(t, m); len(all) != 0 {
					return fmt.Errorf("the hypervisor still has %+v", all)
				}
				return nil
			},
		},
	}})
}

// Each way to name a snapshot imports it, and the configuration that made it
// finds nothing to do then.
func TestAccSnapshot_import(t *testing.T) {
	m := acctest.NewMock(t)
	config := m.Config(web() + snap("a", `memory = true`, `description = "x"`))
	forget := resource.TestStep{Config: m.Config(web() + "removed {\n  from = " + address + "\n  lifecycle { destroy = false }\n}\n")}
	adopt := func(id func() string) []resource.TestStep {
		return []resource.TestStep{
			forget,
			{
				ResourceName: address, Config: config, ImportState: true, ImportStatePersist: true,
				ImportStateIdFunc: func(*terraform.State) (string, error) { return id(), nil },
			},
			{Config: config, ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}},
		}
	}
	fails := func(id, says string) resource.TestStep {
		return resource.TestStep{ResourceName: address, Config: config, ImportState: true, ImportStateId: id, ExpectError: regexp.MustCompile("(?s)" + says)}
	}
	steps := []resource.TestStep{{Config: config}}
	steps = append(steps, adopt(func() string { return "web/a" })...)
	steps = append(steps, adopt(func() string { return string(m.VM("web").ID) + "/" + snapshots(t, m)["a"].ID })...)
	steps = append(steps,
		fails("web", `Unable to find snapshot "web".*VM/SNAPSHOT`),
		fails("web/none", `Unable to find snapshot "none".*no\s+snapshot`),
		fails("none/a", `Unable to find VM "none"`),
	)
	acctest.Run(t, resource.TestCase{Steps: steps})
}

// A snapshot that is gone, or whose VM is gone, is planned again; deleting it succeeds.
func TestAccSnapshot_disappears(t *testing.T) {
	m := acctest.NewMock(t)
	config := m.Config(web() + snap("a"))
	remove := func() {
		if err := m.Backend.DeleteSnapshot(t.Context(), m.VM("web").ID, snapshots(t, m)["a"].ID, false); err != nil {
			t.Fatal(err)
		}
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: config},
		{PreConfig: remove, Config: config, ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
		{
			PreConfig: func() { m.Delete("web") }, Config: config,
			ConfigPlanChecks: expect(plancheck.ResourceActionCreate, plancheck.ExpectResourceAction("virtrigaud_vm.web", plancheck.ResourceActionCreate)),
		},
		{PreConfig: remove, Config: config, Destroy: true},
	}})
}

// Several snapshots of one VM in one apply, and what others change of each
// other's computed values, leave nothing to do.
func TestAccSnapshot_several(t *testing.T) {
	m := acctest.NewMock(t)
	ordered := snap("a") + snap("b", "depends_on = [virtrigaud_snapshot.a]") + snap("c", "depends_on = [virtrigaud_snapshot.b]")
	empty := resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	has := func(want map[string]string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			all := snapshots(t, m)
			if len(all) != len(want) {
				return fmt.Errorf("the hypervisor has %+v", all)
			}
			for name, parent := range want {
				if all[name].Parent != all[parent].ID {
					return fmt.Errorf("the parent of %s is %q in %+v", name, all[name].Parent, all)
				}
			}
			return nil
		}
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web() + snap("a") + snap("b") + snap("c")), ConfigPlanChecks: empty},
		{Config: m.Config(web()), ConfigPlanChecks: empty, Check: has(nil)},
		{Config: m.Config(web() + ordered), ConfigPlanChecks: empty, Check: has(map[string]string{"a": "", "b": "a", "c": "b"})},
		// The one in the middle goes, its child stays.
		{Config: m.Config(web() + snap("a") + snap("c")), ConfigPlanChecks: empty, Check: has(map[string]string{"a": "", "c": "a"})},
		// With its children, which their own resources then want again.
		{Config: m.Config(web() + snap("a", "remove_children = true") + snap("c")), ConfigPlanChecks: empty},
		{Config: m.Config(web() + snap("c")), ExpectNonEmptyPlan: true, Check: has(nil)},
		{Config: m.Config(web() + snap("c")), ConfigPlanChecks: empty, Check: has(map[string]string{"c": ""})},
	}})
}
