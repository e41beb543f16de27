package vm_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// errorsOf are the errors among what was found at a resource.
func errorsOf(found map[string][]tfrun.Diagnostic, address string) map[string][]tfrun.Diagnostic {
	var errors []tfrun.Diagnostic
	for _, d := range found[address] {
		if d.Severity == "error" {
			errors = append(errors, d)
		}
	}
	return map[string][]tfrun.Diagnostic{address: errors}
}

// Wrong credentials are one error, however many VMs there are, tried once and never shown.
func TestAccProxmox_wrongCredentials(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	ten := "resource \"virtrigaud_vm\" \"web\" {\n  count = 10\n  name  = \"web-${count.index}\"\n}"
	for login, remedy := range map[string]string{
		`api_token = "root@pam!tf=s3cret-wrong"`:                       "Check api_token",
		"username = \"root@pam\"\n    password = \"s3cret-wrong\"":     "A login is not tried twice",
		"username = \"nobody@pve\"\n    password = \"s3cret-nothing\"": "Check username",
	} {
		s.Login = login
		before := s.RefusedLogins()
		out, err := workspace(t, s.Config(ten)).Run("plan", "-parallelism=10")
		said := tfrun.Unwrap(out)
		if err == nil || strings.Count(said, "Error:") != 1 || !strings.Contains(said, remedy) || strings.Contains(said, "s3cret") {
			t.Errorf("plan (%v) printed\n%s", err, out)
		}
		if n := s.RefusedLogins() - before; n > 1 {
			t.Errorf("the password was tried %d times", n)
		}
	}
}

// A certificate that is not trusted is refused with what would make it so, and a fingerprint does.
func TestAccProxmox_certificates(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	config := func(line string) string {
		c := s.Config(`data "virtrigaud_hosts" "all" {}`)
		return regexp.MustCompile(`(?s)ca_certificate = .*?EOT\n.*?EOT\n`).ReplaceAllString(c, line+"\n")
	}
	w := workspace(t, config(""))
	w.Fails([]string{"certificate", "ca_certificate", s.Fingerprint()}, "plan")
	w.Write("main.tf", config(fmt.Sprintf("fingerprint = %q", strings.ToLower(s.Fingerprint()))))
	w.Must("plan")
	w.Write("main.tf", config(`insecure = true`))
	w.Must("plan")
	w.Write("main.tf", config(`fingerprint = "`+strings.Repeat("00", 32)+`"`))
	w.Fails([]string{"is not the one that fingerprint names"}, "plan")
}

// A privilege that is missing is named, with where it is missing and how it is given; the rest of the apply goes on.
func TestAccProxmox_missingPrivilege(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	s.AddUser("tester@pve", "pass-word")
	token := s.AddToken("tester@pve", "tf", false)
	s.Login = fmt.Sprintf("api_token = %q", token)
	s.Grant("tester@pve", "/", "Sys.Audit", "Datastore.Audit", "VM.Audit", "VM.Allocate", "VM.Config.Options", "VM.Config.Disk", "VM.Config.CPU",
		"VM.Config.Network", "VM.Config.HWType", "VM.PowerMgmt", "Datastore.AllocateSpace", "SDN.Use")
	w := workspace(t, s.Config(named("vm", "plain")+named("vm", "small", `memory = { size_mib = 256 }`)))
	out := w.Fails([]string{"VM.Config.Memory", `VM "small"`, "pveum"}, "apply", "-auto-approve")
	if _, secret, _ := strings.Cut(token, "="); strings.Contains(out, secret) {
		t.Error("the error shows the token")
	}
	s.Grant("tester@pve", "/", "Sys.Audit", "Datastore.Audit", "VM.Audit", "VM.Allocate", "VM.Config.Options", "VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory",
		"VM.Config.Network", "VM.Config.HWType", "VM.PowerMgmt", "Datastore.AllocateSpace", "SDN.Use")
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}

// Names that nothing has are told by the plan, at the attribute.
func TestAccVM_missingOnProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}, VMs: 1})
	cases := map[string]struct{ line, want string }{
		"template":  {`template = "nothing"`, `no VM or template "nothing"`},
		"image":     {"image = \"local:import/nothing.qcow2\"\n  disks = { root = {} }", `no image "local:import/nothing.qcow2"`},
		"network":   {`networks = { lan = { network = "vmbr9" } }`, `no network "vmbr9".*vmbr0`},
		"storage":   {`disks = { root = { size_gib = 1, storage = "nothing" } }`, `no storage "nothing".*local-lvm`},
		"host":      {`placement = { host = "pve9" }`, `no host "pve9".*pve1`},
		"pool":      {`placement = { pool = "nothing" }`, `pool.*"nothing"`},
		"bulk-0000": {``, `VM has this name already.*bulk-0000.*import`},
	}
	lines := map[string]string{"fine": `networks = { lan = { network = "vmbr2", vlan = 5 } }`}
	for name, c := range cases {
		lines[name] = c.line
	}
	found := workspace(t, s.Config(many(lines))).Diagnostics("plan")
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_vm."+name, "warning", c.want)
	}
	if d := found["virtrigaud_vm.fine"]; d != nil {
		t.Errorf("fine: %v", d)
	}
	s.AssertEmpty()
}

// What Proxmox VE refuses is one error that names object, cause and remedy, and leaves nothing behind.
func TestAccVM_refusedByProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{VMs: 1, Examples: true})
	s.SetStorageSpace("lvm", 50<<30)
	lines := map[string]string{
		"full":  `disks = { root = { size_gib = 100, storage = "lvm" } }`,
		"wire":  `networks = { lan = { network = "vmbr9" } }`,
		"taken": "proxmox = { vm_id = " + fmt.Sprint(s.VM("bulk-0000").VMID) + " }",
		"kind":  `disks = { root = { size_gib = 1, storage = "local-lvm", format = "qcow2" } }`,
		"fine":  `disks = { root = { size_gib = 1 } }`,
	}
	w := workspace(t, strings.Replace(s.Config(many(lines)), `name = "wire"`, "power_state = \"stopped\"\n  name = \"wire\"", 1))
	found := w.Diagnostics("apply", "-auto-approve")
	for name, want := range map[string]string{
		"full": `VM "full".*space`, "wire": `vmbr9.*vmbr0`, "taken": `proxmox\.vm_id|bulk-0000|taken|already`, "kind": `lvmthin have disks as raw`,
	} {
		expectOne(t, errorsOf(found, "virtrigaud_vm."+name), "virtrigaud_vm."+name, "error", want)
	}
	if state := w.State(); len(state) != 1 || state[0] != "virtrigaud_vm.fine" {
		t.Errorf("the state has %v", state)
	}
	w.Write("main.tf", s.Config(many(map[string]string{"fine": lines["fine"]})))
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}

// An agent that hangs costs a refresh a bounded time, takes nothing out of state, and is no difference.
func TestAccVM_hangingAgentOnProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	w := workspace(t, s.Config(web(`disks = { root = { size_gib = 1 } }`, `networks = { lan = {} }`, `wait_for = {}`)+"\noutput \"address\" {\n  value = virtrigaud_vm.web.ip_address\n}\n"))
	w.Apply()
	before := w.Attributes(address)
	s.Guest("web").SetHanging(true)
	w.EmptyPlan()
	w.Must("apply", "-refresh-only", "-auto-approve")
	after := w.Attributes(address)
	if after["ip_address"] == nil || after["ip_address"] != before["ip_address"] || inside(after, "guest", "os") != inside(before, "guest", "os") || inside(after, "guest", "agent_running") != false {
		t.Errorf("the address %v became %v, the guest %v became %v", before["ip_address"], after["ip_address"], before["guest"], after["guest"])
	}
	w.Destroy()
	s.AssertEmpty()
}

// Another operation's lock is waited for, and named where the time is over first.
func TestAccVM_lockedOnProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	config := func(cores int, more ...string) string {
		return s.Config(web(append(more, fmt.Sprintf("cpu = { cores = %d }", cores), `power_state = "stopped"`)...))
	}
	w := workspace(t, config(1))
	w.Apply()
	id := s.VM("web").VMID
	s.SetLock(id, "backup")
	w.EmptyPlan()
	w.Write("main.tf", config(2, `timeouts = { update = "3s" }`))
	w.Fails([]string{`VM "web"`, "locked (backup)", "qm unlock"}, "apply", "-auto-approve")
	w.Write("main.tf", config(2))
	apply := w.Start("apply", "-auto-approve")
	s.ResetRequests()
	apply.Until("the change was tried", func() bool {
		return s.Sum("POST /nodes/{node}/qemu/{vmid}/config")+s.Sum("PUT /nodes/{node}/qemu/{vmid}/config") > 1
	})
	s.SetLock(id, "")
	if out, err := apply.Wait(); err != nil {
		t.Errorf("apply: %v\n%s", err, out)
	}
	if got := s.Hardware("web")["cores"]; got != "2" {
		t.Errorf("the VM has %s cores", got)
	}
	s.SetLock(id, "snapshot")
	destroy := w.Start("destroy", "-auto-approve")
	destroy.Until("the removal was tried", func() bool { return s.Sum("DELETE /nodes/{node}/qemu/{vmid}") > 1 })
	s.SetLock(id, "")
	if out, err := destroy.Wait(); err != nil {
		t.Errorf("destroy: %v\n%s", err, out)
	}
	s.AssertEmpty()
}

// VMs of a node that is down stay in state; when it is back there is nothing to do.
func TestAccVM_nodeDownOnProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}})
	w := workspace(t, s.Config(named("vm", "here", `placement = { host = "pve1" }`)+named("vm", "there", `placement = { host = "pve2" }`)))
	w.Apply()
	s.SetNodeOnline("pve2", false)
	w.Fails([]string{`pve2`}, "plan")
	if state := w.State(); len(state) != 2 {
		t.Errorf("the state has %v", state)
	}
	s.SetNodeOnline("pve2", true)
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}

// A ticket that ends, and a proxy that starts anew, in the middle of an apply: it goes on.
func TestAccVM_sessionLostOnProxmox(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(*acctest.Proxmox) error{
		"expired":   func(s *acctest.Proxmox) error { s.ExpireTickets(); return nil },
		"restarted": func(s *acctest.Proxmox) error { return s.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewProxmox(t, pvesim.Options{})
			s.Login = fmt.Sprintf("username = \"root@pam\"\n    password = %q", s.Password())
			w := workspace(t, s.Config(web()+"\n"+named("vm", "next", `depends_on = [virtrigaud_vm.web]`, `power_state = "stopped"`)))
			s.SetTaskTime(500 * time.Millisecond)
			apply := w.Start("apply", "-auto-approve")
			apply.Until("the VM is made", s.Busy("qmcreate"))
			if err := happens(s); err != nil {
				t.Fatal(err)
			}
			apply.Until("the VM starts", s.Busy("qmstart"))
			if err := happens(s); err != nil {
				t.Fatal(err)
			}
			if out, err := apply.Wait(); err != nil {
				t.Fatalf("apply: %v\n%s", err, out)
			}
			s.SetTaskTime(0)
			w.EmptyPlan()
			if n := s.Logins(); n > 8 {
				t.Errorf("%d logins", n)
			}
			w.Destroy()
			s.AssertEmpty()
		})
	}
}

// What a task of Proxmox VE warns of, which it succeeds with, is shown.
func TestAccProxmox_warnings(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	config := func(power string) string {
		return s.Config("resource \"virtrigaud_vm\" \"web\" {\n  name = \"web\"\n  power_state = \"" + power + "\"\n}")
	}
	w := workspace(t, config("stopped"))
	w.Apply()
	s.Change("web", "bios", "ovmf") // whose variables nothing keeps
	w.Write("main.tf", config("running"))
	said := tfrun.Unwrap(w.Apply())
	for _, part := range []string{"Warning: Proxmox VE warns of VM \"web\"", "no efidisk configured", ":qmstart:"} {
		if !strings.Contains(said, part) {
			t.Errorf("apply does not say %q:\n%s", part, said)
		}
	}
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}
