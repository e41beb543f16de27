package bench

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// BenchmarkVSphere measures, on a simulated vCenter, a terraform plan over 50 and over 1,000 VMs against a govmomi client that
// reads the same properties of the same VMs in one traversal; and what it costs to make one VM more, and to change one.
func BenchmarkVSphere(b *testing.B) {
	for _, n := range []int{50, 1000} {
		b.Run(fmt.Sprintf("plan-%d", n), func(b *testing.B) { planVSphere(b, n) })
	}
	b.Run("one", oneVSphere)
}

// vcenterVMs is a configuration of n VMs with two disks and one interface each, and more.
func vcenterVMs(n int, more string) string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

resource "virtrigaud_vm" "all" {
  count       = %d
  name        = "vm-${count.index}"
  memory      = { size_mib = 64 }
  disks       = { root = { size_gib = 1 }, data = { size_gib = 1 } }
  networks    = { lan = {} }
  power_state = "stopped"
}
%s`, n, more)
}

func planVSphere(b *testing.B, n int) {
	const runs = 2
	v := acctest.NewVSphere(b, vcsim.Options{})
	tf := newWorkspace(b, module)
	tf.write("main.tf", v.Config(vcenterVMs(n, "")))
	made := tf.terraform("apply", "-auto-approve", "-no-color", "-parallelism=16")
	for b.Loop() {
		raw := simulated(v, runs, func() cost { return rawVSphere(b, v, n) })
		plan := simulated(v, runs, func() cost {
			return tf.terraform("plan", "-detailed-exitcode", "-no-color", "-input=false")
		})
		b.Logf("reading %d VMs with two disks and one interface, best of %d (made in %.1f s)", n, runs, made.wall.Seconds())
		b.Logf("  govmomi, one traversal  %s", raw)
		b.Logf("  terraform plan          %s", plan)
		b.Logf("  calls beyond govmomi's: %d; the goal is at most %d in all", plan.calls-raw.calls, 10+n/100)
		b.Logf("  by method: %v", plan.methods)
		b.ReportMetric(float64(plan.calls), "calls")
		b.ReportMetric(float64(plan.bytes)/float64(raw.bytes), "x-raw-bytes")
	}
}

// oneVSphere makes one VM beside others, and changes it: what that costs beyond a run that has nothing to do.
func oneVSphere(b *testing.B) {
	const runs = 2
	v := acctest.NewVSphere(b, vcsim.Options{})
	tf := newWorkspace(b, module)
	one := func(description string) string {
		return fmt.Sprintf(`
resource "virtrigaud_vm" "one" {
  name        = "one"
  description = %q
  memory      = { size_mib = 64 }
  disks       = { root = { size_gib = 1 } }
  networks    = { lan = {} }
  power_state = "stopped"
}
`, description)
	}
	apply := func() cost { return tf.terraform("apply", "-auto-approve", "-no-color", "-input=false") }
	tf.write("main.tf", v.Config(vcenterVMs(2, "")))
	apply()
	for b.Loop() {
		tf.write("main.tf", v.Config(vcenterVMs(2, "")))
		apply()
		idle := simulated(v, runs, apply)
		tf.write("main.tf", v.Config(vcenterVMs(2, one("first"))))
		made := simulated(v, 1, apply)
		idleWithOne := simulated(v, runs, apply)
		tf.write("main.tf", v.Config(vcenterVMs(2, one("second"))))
		changed := simulated(v, 1, apply)
		b.Logf("apply with nothing to do  %s", idle)
		// An apply with something to do starts the provider twice, to plan and to apply.
		create, update := made.calls-idle.calls-idle.sessions(), changed.calls-idleWithOne.calls-idle.sessions()
		b.Logf("apply that makes one VM   %s   %d calls for it and %d for another session; the goal is 12", made, create, idle.sessions())
		b.Logf("  by method: %v", made.methods)
		b.Logf("apply that changes one    %s   %d calls for it and %d for another session, in %.2f s", changed, update, idle.sessions(), (changed.wall - idleWithOne.wall).Seconds())
		b.Logf("  by method: %v", changed.methods)
		b.ReportMetric(float64(create), "calls/create")
		b.ReportMetric(float64(update), "calls/update")
	}
}

// traffic is what a piece of work cost the simulator and the machine.
type traffic struct {
	cost
	calls   int
	bytes   int64
	methods map[string]int
}

// sessions counts the calls that open and end sessions.
func (t traffic) sessions() int {
	n := 0
	for method, calls := range t.methods {
		if method == "Login" || method == "Logout" || method == "RetrieveServiceContent" || strings.HasSuffix(method, "/cis/session") {
			n += calls
		}
	}
	return n
}

func (t traffic) String() string {
	return fmt.Sprintf("%7.2f s  %7.2f CPU-s  %4d calls  %9.2f KiB", t.wall.Seconds(), t.cpu.Seconds(), t.calls, float64(t.bytes)/1024)
}

// simulated does work several times and returns the run that took the least time.
func simulated(v *acctest.VSphere, times int, work func() cost) traffic {
	var least traffic
	for i := range times {
		v.ResetCalls()
		t := traffic{cost: work()}
		t.calls, t.bytes, t.methods = v.TotalCalls(), v.Bytes(), v.Calls()
		if i == 0 || t.wall < least.wall {
			least = t
		}
	}
	return least
}

// rawVSphere is the least that reading all VMs can be: login, a view, one paged traversal with the properties that the driver
// reads, and logout.
func rawVSphere(b *testing.B, v *acctest.VSphere, n int) cost {
	b.Helper()
	ctx := context.Background()
	start := time.Now()
	u, err := url.Parse(v.Endpoint())
	if err != nil {
		b.Fatal(err)
	}
	u.User = url.UserPassword(v.Username(), v.Password())
	client, err := govmomi.NewClient(ctx, u, true)
	if err != nil {
		b.Fatal(err)
	}
	all, err := view.NewManager(client.Client).CreateContainerView(ctx, client.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		b.Fatal(err)
	}
	var vms []mo.VirtualMachine
	if err := all.Retrieve(ctx, []string{"VirtualMachine"}, []string{"name", "config", "runtime", "guest", "layoutEx", "parent", "resourcePool"}, &vms); err != nil {
		b.Fatal(err)
	}
	if len(vms) < n {
		b.Fatalf("govmomi found %d VMs", len(vms))
	}
	if err := client.Logout(ctx); err != nil {
		b.Fatal(err)
	}
	return cost{wall: time.Since(start)}
}
