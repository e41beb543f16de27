package vm_test

import (
	"os"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// vCenter customizes guests of Linux and Windows. What the guest says of a failure is the error, and its VM is in
// state; the other family's settings are refused.
func TestAccVM_customizedOnVSphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	static := `networks = { lan = { ipv4 = { address = "10.0.0.9/24", gateway = "10.0.0.1" } } }`
	fine := pretended(t, s) +
		named("vm", "lin", `template = "golden"`, static, `customization = { hostname = "lin-01", domain = "example.org", time_zone = "Europe/Zurich" }`, `wait_for = {}`) +
		named("vm", "win", `image = virtrigaud_image.guest.id`, `guest_os = "windows2019srv_64Guest"`, `disks = { root = {} }`, `networks = { lan = {} }`, `wait_for = {}`,
			`customization = { hostname = "win-01", windows = { organization = "Example", workgroup = "WG", admin_password_wo = "s3cret-w", secrets_wo_version = 1, run_once = ["cmd /c one"] } }`)
	sick := named("vm", "sick", `template = "golden"`, static, `customization = { hostname = "sick" }`)
	w := workspace(t, s.Config(named("vm", "wrong", `template = "golden"`, static, `customization = { windows = { workgroup = "WG" } }`)+
		named("vm", "other", `guest_os = "windows2019srv_64Guest"`, `customization = { hostname = "other" }`)))
	found := w.Diagnostics("plan")
	expectOne(t, found, "virtrigaud_vm.wrong", "error", `other5xLinux64Guest.*sysprep exists on Windows only.*guest_os`)
	expectOne(t, found, "virtrigaud_vm.other", "error", `windows2019srv_64Guest.*customization\.windows`)
	s.FailCustomization("sick", "no space left on device")
	w.Write("main.tf", s.Config(fine+sick))
	out := w.Fails([]string{"no space left on device", "toolsDeployPkg.log"}, "apply", "-auto-approve")
	if strings.Contains(out, "s3cret") {
		t.Error("the output has a secret")
	}
	if got := inside(w.Attributes("virtrigaud_vm.lin"), "guest", "hostname"); got != "lin-01.example.org" || w.Attributes("virtrigaud_vm.lin")["ip_address"] != "10.0.0.9" {
		t.Errorf("the guest of lin is %v at %v", got, w.Attributes("virtrigaud_vm.lin")["ip_address"])
	}
	if got := inside(w.Attributes("virtrigaud_vm.win"), "guest", "hostname"); got != "win-01" {
		t.Errorf("the guest of win is %v", got)
	}
	state, err := os.ReadFile(w.Dir + "/terraform.tfstate")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(state); strings.Count(text, `"status": "tainted"`) != 1 || strings.Contains(text, "s3cret") {
		t.Errorf("the state holds a secret, or not the VM that failed as tainted:\n%s", text)
	}
	w.Write("main.tf", s.Config(fine))
	if out := w.Apply(); !strings.Contains(out, "0 added, 0 changed, 1 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	w.Must("state", "rm", "virtrigaud_vm.win")
	w.Must("import", "virtrigaud_vm.win", "win")
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}
