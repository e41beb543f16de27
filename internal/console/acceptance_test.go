package console_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func TestMain(m *testing.M) {
	os.Exit(tfrun.Run(func() int { return libvirtlab.Main(m) }))
}

// config is a VM in a state and a program that is handed the address of its
// console: a provisioner is one of the few places that ephemeral values may go to.
func config(provider, power, vm string) string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

provider "virtrigaud" {
  %s
}

resource "virtrigaud_vm" "web" {
  name        = "web"
  disks       = { root = { size_gib = 1 } }
  power_state = %q
}

ephemeral "virtrigaud_console" "web" {
  vm_id = %s
}

resource "terraform_data" "viewer" {
  provisioner "local-exec" {
    command = "printf '%%s' \"$CONSOLE\" > console.json"
    environment = {
      CONSOLE = jsonencode(ephemeral.virtrigaud_console.web)
    }
  }
}
`, provider, power, vm)
}

const onMock = `mock = { state_file = "mock.json" }`

type seen struct {
	Type, URL, Host, Password string
	Port                      int
	ExpiresAt                 *string `json:"expires_at"`
}

// view is what the program was handed.
func view(t *testing.T, w *tfrun.Workspace) (c seen) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.Dir, "console.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return c
}

func TestAccConsole(t *testing.T) {
	w := tfrun.New(t)
	w.Write("main.tf", config(onMock, "running", "virtrigaud_vm.web.id"))
	plan := w.Must("plan", "-out=saved.tfplan")
	out := w.Apply("saved.tfplan")
	c := view(t, w)
	if c.Type == "" || !strings.Contains(c.URL, "://") || c.Host == "" {
		t.Errorf("the console is %+v", c)
	}
	if c.Port != 0 && !strings.Contains(c.URL, fmt.Sprintf(":%d", c.Port)) {
		t.Errorf("port %d of %s", c.Port, c.URL)
	}
	// It is shown and stored nowhere.
	shown := w.Must("show", "-json", "saved.tfplan")
	state, err := os.ReadFile(filepath.Join(w.Dir, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"plan": plan, "saved plan": shown, "apply": out, "state": string(state)} {
		for _, secret := range []string{c.URL, c.Password} {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("the %s has %q", where, secret)
			}
		}
	}
	w.EmptyPlan()
	w.Destroy()
}

func TestAccConsole_refused(t *testing.T) {
	w := tfrun.New(t)
	w.Write("main.tf", config(onMock, "stopped", "virtrigaud_vm.web.id"))
	w.Fails([]string{"Unable to open the console", `VM "web"`, "precondition"}, "apply", "-auto-approve")
	w.Write("main.tf", config(onMock, "running", "virtrigaud_vm.web.id"))
	w.Fails([]string{"Unable to open the console", "precondition"}, "plan") // it does not run yet
	w.Write("main.tf", config(onMock, "running", "virtrigaud_vm.web.id\n  required = false"))
	w.Must("plan")
	w.Write("main.tf", config(onMock, "stopped", "virtrigaud_vm.web.id\n  required = false"))
	w.Apply()
	if c := view(t, w); c.URL != "" || c.Type != "" || c.Port != 0 {
		t.Errorf("a stopped VM has the console %+v", c)
	}
	w.EmptyPlan()
	w.Write("main.tf", config(onMock, "running", `"nobody"`))
	w.Fails([]string{"Unable to", `"nobody"`, "not_found"}, "plan")
}
