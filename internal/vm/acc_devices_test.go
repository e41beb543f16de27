package vm_test

import (
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// Limits are raised and taken away while the VM runs; zero and unset differ.
func TestAccVM_limits(t *testing.T) {
	m := acctest.NewMock(t)
	config := func(disk, nic string) string {
		return m.Config(web(`disks = { root = { size_gib = 1 `+disk+` } }`, `networks = { lan = { network = "lan" `+nic+` } }`))
	}
	step := func(disk, nic string, action plancheck.ResourceActionType, iops, throughput, bandwidth knownvalue.Check) resource.TestStep {
		return resource.TestStep{
			Config: config(disk, nic),
			ConfigPlanChecks: expect(action,
				plancheck.ExpectKnownValue(address, at("status"), knownvalue.StringExact("running"))),
			ConfigStateChecks: []statecheck.StateCheck{
				value(iops, "disks", "root", "iops_limit"),
				value(throughput, "disks", "root", "throughput_mib"),
				value(bandwidth, "networks", "lan", "bandwidth_mbps"),
			},
		}
	}
	first := step("", "", plancheck.ResourceActionCreate, knownvalue.Int64Exact(0), knownvalue.Int64Exact(0), knownvalue.Int64Exact(0))
	first.ConfigPlanChecks = expect(plancheck.ResourceActionCreate)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		first,
		step(", iops_limit = 1000, throughput_mib = 50", ", bandwidth_mbps = 200", plancheck.ResourceActionUpdate,
			knownvalue.Int64Exact(1000), knownvalue.Int64Exact(50), knownvalue.Int64Exact(200)),
		step(", iops_limit = 0, throughput_mib = 80", ", bandwidth_mbps = 100", plancheck.ResourceActionUpdate,
			knownvalue.Int64Exact(0), knownvalue.Int64Exact(80), knownvalue.Int64Exact(100)),
		// Taken out of the configuration, a limit stays as it is.
		step(", iops_limit = 0", ", bandwidth_mbps = 0", plancheck.ResourceActionUpdate,
			knownvalue.Int64Exact(0), knownvalue.Int64Exact(80), knownvalue.Int64Exact(0)),
		{
			ResourceName: address, ImportState: true, ImportStateVerify: true,
			Config: config(", iops_limit = 0", ", bandwidth_mbps = 0"),
		},
	}})
}

func TestAccVM_watchdogAndRNG(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config: m.Config(web(`watchdog = "reset"`, `rng = true`)), ConfigPlanChecks: expect(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.StringExact("reset"), "watchdog"), value(knownvalue.Bool(true), "rng")},
		},
		{Config: m.Config(web(`watchdog = "reset"`, `rng = true`)), ResourceName: address, ImportState: true, ImportStateVerify: true},
		{Config: m.Config(web(`watchdog = "poweroff"`)), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate)},
		{
			Config: m.Config(web(`watchdog = ""`, `rng = false`)), ConfigPlanChecks: expect(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{value(knownvalue.StringExact(""), "watchdog"), value(knownvalue.Bool(false), "rng")},
		},
	}})
}

// A console's password is never in state; another one needs no restart, other
// things of a console do, and the plan says so.
func TestAccVM_console(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	console := func(kind, password, version string) string {
		return m.Config(web(`console = { type = "` + kind + `", address = "127.0.0.1", port = 0, tls = false, password_wo = "` + password + `", password_wo_version = ` + version + ` }`))
	}
	w := workspace(t, console("vnc", "s3cret-1", "1"))
	w.Apply()
	w.EmptyPlan()
	if a := w.Attributes(address); a["console_type"] != "vnc" || a["console"].(map[string]any)["password_wo"] != nil {
		t.Errorf("the console is %v, of type %v", a["console"], a["console_type"])
	}
	w.Write("main.tf", console("vnc", "s3cret-2", "1")) // only the version counts
	w.EmptyPlan()
	w.Write("main.tf", console("vnc", "s3cret-2", "2"))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("another password: %v", found)
	}
	if out := w.Apply(); !strings.Contains(out, "1 changed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	for _, id := range []string{"web", string(m.VM("web").ID)} {
		w.Must("state", "rm", address)
		w.Must("import", address, id)
		w.EmptyPlan()
	}
	w.Write("main.tf", console("spice", "s3cret-2", "2"))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `This change restarts the VM.*console\.type from vnc to spice`)
	w.Apply()
	w.EmptyPlan()
	w.Write("main.tf", m.Config(web())) // left as it is
	w.Apply()
	w.EmptyPlan()
	if c := m.VM("web").Config.Console; c == nil || *c.Type != "spice" {
		t.Errorf("a console that is managed no longer is %+v", c)
	}
	state, err := os.ReadFile(w.Dir + "/terraform.tfstate")
	if err != nil || strings.Contains(string(state), "s3cret") {
		t.Errorf("the state holds the password (error %v)", err)
	}
}

// A VM that shares its image or template cannot outlive it.
func TestAccVM_linked(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	linked := func(source string, lines ...string) string {
		return m.Config(web(append(lines, source, "linked = true")...))
	}
	for name, source := range map[string]string{
		"image":    "image = \"default/debian-12\"\n  disks = { root = { size_gib = 8 } }",
		"template": `template = "debian-12-template"`,
	} {
		w := workspace(t, linked(source))
		w.Apply()
		w.EmptyPlan()
		if m.VM("web").Disks["root"].Backing == "" {
			t.Errorf("%s: the disk shares nothing", name)
		}
		w.Must("state", "rm", address)
		w.Must("import", address, "web")
		w.EmptyPlan()
		w.Write("main.tf", m.Config(web(source, "linked = false")))
		if out := w.Apply(); !strings.Contains(out, "1 changed") {
			t.Errorf("%s: linked at a VM that exists is not ignored:\n%s", name, out)
		}
		w.EmptyPlan()
		w.Destroy()
	}
	w := workspace(t, linked(""))
	expectOne(t, w.Diagnostics("validate"), address, "error", `Nothing to link to`)
}
