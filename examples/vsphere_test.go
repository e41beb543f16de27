package examples

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// setting is a line of the provider block that the simulated vCenter prints.
var setting = regexp.MustCompile(`^\s+(\w+)\s+= "(.*)"$`)

// vcenter starts the simulated vCenter as "make vcsim" does, on a free port, as a process of its own that ends with
// the test. It returns what the provider block that it prints says.
func vcenter(t *testing.T) map[string]string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "vcsim")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../internal/vcsim/cmd/vcsim") //nolint:gosec // a test runs what it wants
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the simulator: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "-listen", "127.0.0.1:0") //nolint:gosec,noctx // it is interrupted below
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the simulator does not end well: %v", err)
		}
	})
	said := map[string]string{}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "}"; {
		if s := setting.FindStringSubmatch(lines.Text()); s != nil {
			said[s[1]] = s[2]
		}
	}
	return said
}

// enter puts where the vCenter is into the environment, as the README says.
func enter(t *testing.T, said map[string]string) {
	t.Helper()
	for variable, name := range map[string]string{
		"VSPHERE_SERVER": "endpoint", "VSPHERE_USER": "username", "VSPHERE_PASSWORD": "password", "VSPHERE_THUMBPRINT": "thumbprint",
	} {
		if said[name] == "" {
			t.Fatalf("the simulator prints no %s: %v", name, said)
		}
		t.Setenv(variable, said[name])
	}
}

// The README's VM is made on the vCenter that anybody can start, planned again without a difference, and destroyed.
func TestAccVSphere_readme(t *testing.T) {
	enter(t, vcenter(t))
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var config string
	for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		if !providerBlock.MatchString(block[1]) || strings.Contains(block[1], "vsphere = {") {
			config += block[1]
		}
	}
	w := tfrun.New(t)
	w.Write("main.tf", requirements+"variable \"key\" {}\n"+config)
	w.Write("main_override.tf", imagesFrom(config, images(t)))
	w.Must("validate")
	vars := flags([]string{"key=" + key})
	if out := w.Apply(vars...); !strings.Contains(out, `address = "10.0.0.5"`) {
		t.Errorf("the VM has not the address that the README gives it:\n%s", out)
	}
	if backend := w.Attributes("virtrigaud_vm.web")["backend"]; backend != "vsphere" {
		t.Errorf("the VM is on %v", backend)
	}
	w.EmptyPlan(vars...)
	w.Destroy(vars...)
}

// The example is applied where it is meant for, not only on the mock.
func TestAccVSphere_example(t *testing.T) {
	enter(t, vcenter(t))
	text, err := os.ReadFile("vsphere-cloud-image/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	w := tfrun.New(t)
	w.Write("main.tf", string(text))
	w.Write("main_override.tf", imagesFrom(string(text), images(t)))
	vars := flags([]string{"ssh_public_key=" + key})
	out := w.Apply(vars...)
	for _, want := range []string{"ubuntu@10.0.0.5", "[fast] ", "[datastore1] "} {
		if !strings.Contains(out, want) {
			t.Errorf("the outputs do not have %q:\n%s", want, out)
		}
	}
	w.EmptyPlan(vars...)
	w.Destroy(vars...)
}

// A VM that was made elsewhere is imported by its name, and written down with the keys that the guide gives.
func TestAccVSphere_import(t *testing.T) {
	enter(t, vcenter(t))
	w := tfrun.New(t)
	w.Write("main.tf", requirements+`
provider "virtrigaud" {
  vsphere = { datacenter = "DC0" }
}

resource "virtrigaud_vm" "web" {
  name     = "vm-one"
  disks    = { ide0-0 = { size_gib = 10 } }
  networks = { ethernet0 = { network = "VM Network" } }
}
`)
	w.Must("import", "virtrigaud_vm.web", "vm-one")
	if out := w.Must("plan"); strings.Contains(out, "must be replaced") || strings.Contains(out, " to add") || !strings.Contains(out, "No changes") {
		t.Errorf("a plan after the import has something to do:\n%s", out)
	}
}
