package vm_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// goldenOnProxmox makes a template behind Terraform's back.
func goldenOnProxmox(t *testing.T, s *acctest.Proxmox) {
	t.Helper()
	if err := s.Do("POST", "/nodes/pve1/qemu", map[string][]string{"vmid": {"9000"}, "name": {"golden"}, "scsi0": {"local:1"}, "scsihw": {"virtio-scsi-single"}, "boot": {"order=scsi0"}}, nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); len(s.Running()) > 0 && time.Now().Before(deadline); {
		<-time.After(5 * time.Millisecond)
	}
	s.Run("POST", "golden", "/template")
}

// Ctrl-C stops the task that Proxmox VE is at. What exists then is in state and is made anew; what does not, is nowhere.
func TestAccVM_interruptedOnProxmox(t *testing.T) {
	t.Parallel()
	for kind, lines := range map[string][]string{
		"qmcreate": {`disks = { root = { size_gib = 1 } }`},
		"qmclone":  {`template = "golden"`},
		"qmstart":  {`disks = { root = { size_gib = 1 } }`},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewProxmox(t, pvesim.Options{})
			goldenOnProxmox(t, s)
			w := workspace(t, s.Config(web(lines...)))
			if kind != "qmstart" {
				s.SetTaskTime(time.Minute)
			} else {
				s.SetTaskTime(time.Second)
			}
			apply := w.Start("apply", "-auto-approve")
			apply.Until("the task runs", s.Busy(kind))
			began := time.Now()
			out := apply.Interrupt()
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("the interrupt took %s", took)
			}
			s.SetTaskTime(0)
			if kind != "qmstart" && s.Busy(kind)() {
				t.Error("the task runs on")
			}
			state, err := os.ReadFile(w.Dir + "/terraform.tfstate")
			if err != nil && s.Has("web") {
				t.Fatal(err)
			}
			if tainted := strings.Contains(string(state), `"status": "tainted"`); tainted != s.Has("web") {
				t.Errorf("Proxmox VE has the VM: %t, the state has it as tainted: %t\n%s\n%s", s.Has("web"), tainted, state, out)
			}
			w.Apply()
			w.EmptyPlan()
			w.Destroy()
			s.Run("DELETE", "golden", "")
			s.AssertEmpty()
		})
	}
}

// Two applies side by side share a range of VMIDs without a clash.
func TestAccVM_twoAppliesOnProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}, Delay: 5 * time.Millisecond})
	config := func(name string) string {
		return s.Config(fmt.Sprintf("resource \"virtrigaud_vm\" \"web\" {\n  count = 10\n  name  = \"%s-${count.index}\"\n  power_state = \"stopped\"\n}", name), `vm_id_range = "300-330"`)
	}
	one, other := workspace(t, config("one")), workspace(t, config("other"))
	first, second := one.Start("apply", "-auto-approve"), other.Start("apply", "-auto-approve")
	if out, err := first.Wait(); err != nil {
		t.Errorf("apply: %v\n%s", err, out)
	}
	if out, err := second.Wait(); err != nil {
		t.Errorf("apply: %v\n%s", err, out)
	}
	if n := len(s.VMs()); n != 20 {
		t.Errorf("there are %d VMs", n)
	}
	for _, vm := range s.VMs() {
		if vm.VMID < 300 || vm.VMID > 330 {
			t.Errorf("%s has the id %d", vm.Name, vm.VMID)
		}
	}
	one.EmptyPlan()
	one.Destroy()
	other.EmptyPlan()
	other.Destroy()
	s.AssertEmpty()
}

// Requests of a plan of fifty VMs on three nodes and of one more VM. What is listed for all serves for two seconds: a run that takes longer lists again.
const (
	mostToListOnProxmox   = 7 // in two seconds
	mostToCreateOnProxmox = 30
)

// traffic is what a run asked for.
type traffic struct {
	own, listed int // of single VMs and tasks, of all
	spells      int // of two seconds that it took, counting those it began
}

func trafficOf(s *acctest.Proxmox, run func()) (t traffic) {
	s.ResetRequests()
	start := time.Now()
	run()
	t.spells = 1 + int(time.Since(start)/(2*time.Second))
	for route, n := range s.Requests() {
		if strings.HasPrefix(route, "GET ") && !strings.Contains(route, "{vmid}") && !strings.Contains(route, "{upid}") {
			t.listed += n
		} else {
			t.own += n
		}
	}
	return t
}

// Fifty VMs at once, on a cluster that is slow and flaky: made, read, and read with few requests.
func TestAccVM_fiftyAtOnceOnProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{Nodes: []string{"pve1", "pve2", "pve3"}, Delay: 20 * time.Millisecond, Guests: true})
	config := func(n int) string {
		return s.Config(fmt.Sprintf(`
resource "virtrigaud_vm" "web" {
  count    = %d
  name     = "web-${100 + count.index}"
  tags     = ["production"]
  disks    = { root = { size_gib = 1 }, data = { size_gib = 1 } }
  networks = { lan = {} }
  wait_for = {}
}`, n))
	}
	w := workspace(t, config(50))
	var seen atomic.Int64
	every := func(n int64) func(*http.Request) bool {
		return func(*http.Request) bool { return seen.Add(1)%n == 0 }
	}
	for _, f := range []pvesim.Fault{
		{Route: "GET", Status: 596, Reason: "Connection timed out", Match: every(23)},
		{Route: "GET", Drop: true, Match: every(29)},
		{Route: "POST", Status: 595, Reason: "Connection refused", Match: every(31)},
	} {
		s.Fault(f)
	}
	if out := w.Apply("-parallelism=50"); !strings.Contains(out, "50 added") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan("-parallelism=50")
	s.ClearFaults()
	if idle := trafficOf(s, func() { w.EmptyPlan() }); idle.own > 2*50 || idle.listed > idle.spells*mostToListOnProxmox {
		t.Errorf("a plan of 50 VMs asks %+v: %v", idle, s.Requests())
	}
	none := trafficOf(s, func() { w.Apply() })
	w.Write("main.tf", config(51))
	one := trafficOf(s, func() { w.Apply() })
	if more := one.own + one.listed - none.own - none.listed; more > mostToCreateOnProxmox+(one.spells-1)*mostToListOnProxmox {
		t.Errorf("one more VM asks %+v, and nothing to do %+v: %v", one, none, s.Requests())
	}
	w.Destroy("-parallelism=50")
	s.AssertEmpty()
}
