package console_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// Proxmox VE's consoles are pages of its own; SPICE's is a file for remote-viewer with a ticket, which is in no plan or state.
func TestAccConsole_proxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	before, after, _ := strings.Cut(config("MARK", "running", "virtrigaud_vm.web.id"), "provider \"virtrigaud\" {\n  MARK\n}")
	of := func(kind, vm string) string {
		text := strings.Replace(after, `name        = "web"`, fmt.Sprintf("name = \"web\"\n  console = { type = %q }\n  restart_policy = \"when_required\"\n  shutdown = { timeout = \"0s\" }", kind), 1)
		// The program is started anew for each kind.
		text = strings.Replace(text, `"viewer" {`, fmt.Sprintf("\"viewer\" {\n  triggers_replace = %q", kind), 1)
		return before + s.Config(strings.Replace(text, "vm_id = virtrigaud_vm.web.id", "vm_id = "+vm, 1))
	}
	w := tfrun.New(t)
	vm := "virtrigaud_vm.web.id"
	for _, kind := range []string{"vnc", "serial", "spice"} {
		w.Write("main.tf", of(kind, vm))
		out := w.Apply()
		c := view(t, w)
		if c.Type != kind {
			t.Fatalf("the console is %+v, not %s", c, kind)
		}
		if kind == "spice" {
			spice(t, c)
			for where, text := range map[string]string{"apply": out, "state": w.Must("state", "pull")} {
				if strings.Contains(text, c.Password) || strings.Contains(text, c.URL) {
					t.Errorf("the %s has the ticket", where)
				}
			}
			continue
		}
		at, err := url.Parse(c.URL)
		if err != nil {
			t.Fatal(err)
		}
		page := map[string]string{"vnc": "novnc", "serial": "xtermjs"}[kind]
		if q := at.Query(); !strings.HasPrefix(c.URL, s.URL()+"/") || q.Get("vmid") != fmt.Sprint(s.VM("web").VMID) || q.Get("node") != "pve1" || q.Get(page) != "1" {
			t.Errorf("the console is at %s", c.URL)
		}
	}
	w.EmptyPlan()
	s.Run("POST", "web", "/status/stop")
	w.Fails([]string{"Unable to open the console", `VM "web"`, "stopped", "precondition"}, "plan")
	w.Write("main.tf", of("spice", vm+"\n  required = false"))
	w.Must("plan")
	w.Destroy()
	s.AssertEmpty()
}

// spice holds what was handed out against what remote-viewer opens.
func spice(t *testing.T, c seen) {
	t.Helper()
	_, packed, _ := strings.Cut(c.URL, "base64,")
	file, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[virt-viewer]\n", "\ntype=spice\n", "\npassword=" + c.Password + "\n", "\nproxy=http://"} {
		if c.Password == "" || !strings.Contains(string(file), want) {
			t.Errorf("the file for remote-viewer lacks %q:\n%s", want, file)
		}
	}
	if c.ExpiresAt == nil {
		t.Fatal("the ticket does not say when it ends")
	}
	if _, err := time.Parse(time.RFC3339, *c.ExpiresAt); err != nil {
		t.Error(err)
	}
}
