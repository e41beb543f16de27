package vm_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// A creation that fails half-way leaves a tainted VM, and the next apply cleans
// it up, also where it is protected.
func TestAccVM_createFails(t *testing.T) {
	m := acctest.NewMock(t)
	for name, fault := range map[string]string{
		"unfinished": `{ operation = "CreateVM.finish", code = "exhausted", message = "the pool is full" }`,
		"no start":   `{ operation = "SetPower.start", code = "exhausted", message = "the pool is full" }`,
		"no answer":  `{ operation = "GetVMs", code = "internal", message = "the pool is full" }`,
	} {
		t.Run(name, func(t *testing.T) {
			config := func(options ...string) string {
				return m.Config(`resource "virtrigaud_vm" "web" {
  name      = "`+strings.ReplaceAll(name, " ", "-")+`"
  protected = true
}`, options...)
			}
			acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
				{Config: config("faults = [" + fault + "]"), ExpectError: regexp.MustCompile(`(?s)The\s+pool\s+is\s+full`)},
				{Config: config(), ConfigPlanChecks: expect(plancheck.ResourceActionReplace)},
				{Config: strings.Replace(config(), "protected = true", "", 1)},
			}})
		})
	}
}

// Nothing exists after a creation that was refused at once, so nothing is in state.
func TestAccVM_createRefused(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		{
			Config:      m.Config(web(), `faults = [{ operation = "CreateVM", code = "auth", message = "no privilege" }]`),
			ExpectError: regexp.MustCompile(`(?s)Unable to create VM "web".*No privilege.*provider\s+block`),
		},
		{Config: m.Config(web()), ConfigPlanChecks: expect(plancheck.ResourceActionCreate)},
	}})
}

func TestAccVM_timeout(t *testing.T) {
	m := acctest.NewMock(t)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{{
		Config:      m.Config(web(`timeouts = { create = "200ms" }`), `latency = "5s"`),
		ExpectError: regexp.MustCompile(`timeouts\.create`),
	}}})
}

// When the address does not come in time that is a warning, and the VM is kept.
func TestAccVM_waitTooLong(t *testing.T) {
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(web(`networks = { lan = {} }`, `wait_for = { agent = true, timeout = "1s" }`),
		`faults = [{ operation = "Guest" }]`))
	out := w.Apply()
	if !strings.Contains(out, `The guest agent of VM "web" did not answer within 1s`) || !strings.Contains(out, "1 added") {
		t.Errorf("apply printed\n%s", out)
	}
}

// Ctrl-C while a VM is made: terraform ends soon, the VM is in state and
// tainted, and the next apply makes a whole one.
func TestAccVM_interrupt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ line, option string }{
		"while it is made":       {"", `latency = "5s"`},
		"while it is waited for": {`wait_for = { agent = true, timeout = "5m" }`, `faults = [{ operation = "Guest" }]`},
	} {
		t.Run(name, func(t *testing.T) {
			m := acctest.NewMock(t)
			w := workspace(t, m.Config(web(test.line), test.option))
			apply := w.Start("apply", "-auto-approve")
			apply.Until("the VM exists", func() bool { return contains(m.Names(), "web") })
			out := apply.Interrupt()
			first := m.VM("web").ID
			state, err := os.ReadFile(w.Dir + "/terraform.tfstate")
			if err != nil {
				t.Fatal(err)
			}
			if s := string(state); !strings.Contains(s, `"status": "tainted"`) || !strings.Contains(s, string(first)) {
				t.Errorf("state does not hold the VM as tainted:\n%s\n%s", s, out)
			}
			w.Write("main.tf", m.Config(web()))
			if out := w.Apply(); !strings.Contains(out, "1 added, 0 changed, 1 destroyed") {
				t.Errorf("the next apply printed\n%s", out)
			}
			if m.VM("web").ID == first {
				t.Error("the interrupted VM was kept as if it were whole")
			}
			w.EmptyPlan()
		})
	}
}

func TestAccVM_fiftyAtOnce(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(`
resource "virtrigaud_vm" "web" {
  count    = 50
  name     = "web-${100 + count.index}"
  networks = { lan = {} }
  disks    = { root = { size_gib = 1 } }
}`, `latency = "20ms"`))
	out := w.Apply("-parallelism=50")
	if !strings.Contains(out, "50 added") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	macs, addresses := map[string]bool{}, map[string]bool{}
	for i := range 50 {
		nic := m.VM(fmt.Sprintf("web-%d", 100+i)).Networks["lan"]
		macs[nic.MAC], addresses[strings.Join(nic.Addresses, " ")] = true, true
	}
	if len(macs) != 50 || len(addresses) != 50 {
		t.Errorf("50 VMs have %d MACs and %d addresses", len(macs), len(addresses))
	}
	if out := w.Must("destroy", "-auto-approve", "-parallelism=50"); !strings.Contains(out, "50 destroyed") {
		t.Errorf("destroy printed\n%s", out)
	}
}

// A restart and bad user data are announced; a plan that can be carried out
// live says nothing.
func TestAccVM_announcements(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(web("cpu = { cores = 2, max_cores = 4 }")))
	w.Apply()
	w.Write("main.tf", m.Config(web("cpu = { cores = 4, max_cores = 4 }")))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("a live change is announced: %v", found)
	}
	w.Write("main.tf", m.Config(web("cpu = { cores = 1, max_cores = 4 }")))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `This change restarts the VM.*VM "web".*cpu\.cores`)
	w.Write("main.tf", m.Config(web("cpu = { cores = 1, max_cores = 4 }", `power_state = "stopped"`)))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("a restart is announced of a VM that is to be stopped: %v", found)
	}
	w.Write("main.tf", m.Config(web("cpu = { cores = 2, max_cores = 4 }", `reboot_triggers = { a = "1" }`)))
	w.Apply()
	w.Write("main.tf", m.Config(web("cpu = { cores = 2, max_cores = 4 }", `reboot_triggers = { a = "2" }`)))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `This change restarts the VM.*reboot_triggers`)
}

// Many VMs, one hypervisor that refuses: one error, and all stay in state.
func TestAccVM_refusedOnce(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	body := `
resource "virtrigaud_vm" "web" {
  count = 10
  name  = "web-1${count.index}"
}`
	w := workspace(t, m.Config(body))
	w.Apply()
	w.Write("main.tf", m.Config(body, `faults = [{ operation = "Info", code = "auth", message = "wrong password" }]`))
	var all []tfrun.Diagnostic
	for _, found := range w.Diagnostics("apply", "-auto-approve") {
		all = append(all, found...)
	}
	expectOne(t, map[string][]tfrun.Diagnostic{"apply": all}, "apply", "error", `Wrong password.*provider block`)
	if left := w.State(); len(left) != 10 {
		t.Errorf("state has only %v", left)
	}
	w.Write("main.tf", m.Config(body))
	w.EmptyPlan()
}

// One wrong address is one clear error, which names what to look at.
func TestAccVM_wrongProvider(t *testing.T) {
	t.Parallel()
	w := workspace(t, `
provider "virtrigaud" {
  libvirt = { uri = "qemu+tcp://127.0.0.1:1/system" }
}
resource "virtrigaud_vm" "web" {
  count = 20
  name  = "web-${count.index}"
}`)
	var all []tfrun.Diagnostic
	for _, found := range w.Diagnostics("plan") {
		all = append(all, found...)
	}
	expectOne(t, map[string][]tfrun.Diagnostic{"plan": all}, "plan", "error", `Unable to connect to .*127\.0\.0\.1:1.*refused`)

	provider := func() map[string][]tfrun.Diagnostic {
		t.Helper()
		for where, found := range w.Diagnostics("plan") {
			if strings.HasPrefix(where, "provider[") {
				return map[string][]tfrun.Diagnostic{"provider": found}
			}
		}
		return nil
	}
	w.Write("main.tf", `
provider "virtrigaud" {
  libvirt = {}
  mock    = {}
}`+web())
	expectOne(t, provider(), "provider", "error", `More than one hypervisor`)
	w.Write("main.tf", `provider "virtrigaud" {}`+web())
	expectOne(t, provider(), "provider", "error", `No hypervisor is configured.*VIRTRIGAUD_BACKEND`)
}
