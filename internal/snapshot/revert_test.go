package snapshot_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func triggers(n int) string { return fmt.Sprintf(`revert_triggers = { wanted = "%d" }`, n) }

func TestAccSnapshot_revert(t *testing.T) {
	m := acctest.NewMock(t)
	power := func(want backends.PowerState, current string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			if got := m.VM("web").Power; got != want {
				return fmt.Errorf("the VM is %s, want %s", got, want)
			}
			for name, s := range snapshots(t, m) {
				if s.Current != (name == current) {
					return fmt.Errorf("snapshot %s: current is %t", name, s.Current)
				}
			}
			return nil
		}
	}
	reverting := expect(plancheck.ResourceActionUpdate,
		plancheck.ExpectUnknownValue(address, tfjsonpath.New("current")),
		plancheck.ExpectKnownValue(address, tfjsonpath.New("snapshot_id"), knownvalue.NotNull()),
		plancheck.ExpectResourceAction("virtrigaud_vm.web", plancheck.ResourceActionNoop))
	b := snap("b", "depends_on = [virtrigaud_snapshot.a]")
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web() + snap("a") + b), Check: power(backends.Running, "b")},
		// The first values are remembered, no more.
		{Config: m.Config(web() + snap("a", triggers(1)) + b), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate), Check: power(backends.Running, "b")},
		// In place; the VM goes on as it was, running.
		{
			Config: m.Config(web() + snap("a", triggers(2)) + b), ConfigPlanChecks: reverting, Check: power(backends.Running, "a"),
			ConfigStateChecks: []statecheck.StateCheck{value("current", knownvalue.Bool(true))},
		},
		{Config: m.Config(web() + snap("a", triggers(3), `revert_power_state = "stopped"`) + b), ConfigPlanChecks: reverting, Check: power(backends.Stopped, "a")},
		{Config: m.Config(web() + snap("a", triggers(4)) + b), ConfigPlanChecks: reverting, Check: power(backends.Stopped, "a")},
		{Config: m.Config(web() + snap("a", triggers(5), `revert_power_state = "running"`) + b), ConfigPlanChecks: reverting, Check: power(backends.Running, "a")},
		// No triggers, no revert.
		{Config: m.Config(web() + snap("a") + b), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate), Check: power(backends.Running, "a")},
	}})
}

// A snapshot with memory leaves the VM running, whatever it was.
func TestAccSnapshot_revertMemory(t *testing.T) {
	m := acctest.NewMock(t)
	runs := func(*terraform.State) error {
		if got := m.VM("web").Power; got != backends.Running {
			return fmt.Errorf("the VM is %s", got)
		}
		return nil
	}
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{Config: m.Config(web() + snap("a", "memory = true", triggers(1)))},
		{
			PreConfig:        func() { m.Power("web", backends.PowerOff) },
			Config:           m.Config(web() + snap("a", "memory = true", triggers(2))),
			ConfigPlanChecks: expect(plancheck.ResourceActionUpdate), Check: runs,
		},
	}})
}

// A revert brings the old configuration back: the next plan wants today's again.
func TestAccSnapshot_revertChangedVM(t *testing.T) {
	w := tfrun.New(t)
	write := func(vm, snapshot string) { w.Write("main.tf", header+vm+snapshot) }
	write(web("memory = { size_mib = 512 }"), snap("a", triggers(1)))
	w.Apply()
	write(web("memory = { size_mib = 1024 }"), snap("a", triggers(1)))
	w.Apply()
	w.EmptyPlan()

	write(web("memory = { size_mib = 1024 }"), snap("a", triggers(2)))
	said := tfrun.Unwrap(w.Must("plan"))
	for _, text := range []string{`This change reverts VM "web"`, `returns to snapshot "a" of 20`, "since then is lost", "Its configuration goes back too", "0 to add, 1 to change, 0 to destroy"} {
		if !strings.Contains(said, text) {
			t.Errorf("the plan does not say %q:\n%s", text, said)
		}
	}
	w.Apply()
	if said := tfrun.Unwrap(w.Must("plan")); !strings.Contains(said, "size_mib = 512 -> 1024") {
		t.Errorf("the plan does not want the memory again:\n%s", said)
	}
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
}

// A revert that failed is planned again.
func TestAccSnapshot_revertFails(t *testing.T) {
	w := tfrun.New(t)
	w.Write("main.tf", header+web()+snap("a", triggers(1)))
	w.Apply()
	w.Write("main.tf", faulty(`operation = "RevertSnapshot", code = "exhausted", message = "no space is left"`)+web()+snap("a", triggers(2)))
	w.Fails([]string{"Unable to revert", "No space is left", "exhausted"}, "apply", "-auto-approve")
	w.Write("main.tf", header+web()+snap("a", triggers(2)))
	if said := tfrun.Unwrap(w.Must("plan")); !strings.Contains(said, `This change reverts VM "web"`) {
		t.Errorf("the revert is not planned again:\n%s", said)
	}
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
}
