package bench

import (
	"flag"
	"fmt"
	"testing"
	"time"

	rpc "github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

var estate = flag.Int("estate", 200, "VMs of BenchmarkEstate")

// BenchmarkEstate measures the refresh of many libvirt VMs against one raw pass
// over them: a client that lists the domains, reads each definition, and asks for
// all states at once. The driver reads them in bulk; terraform, which asks for one VM
// after another, is measured too.
func BenchmarkEstate(b *testing.B) {
	const runs = 3
	lab := libvirtlab.Shared(b)
	w := newWire(b, lab.Socket())
	tf := newWorkspace(b, module)
	tf.write("main.tf", fmt.Sprintf(libvirtConfig, w.uri())+fmt.Sprintf(`
resource "virtrigaud_vm" "all" {
  count       = %d
  name        = "vm-${count.index}"
  memory      = { size_mib = 64 }
  disks       = { root = { size_gib = 1 }, data = { size_gib = 1 } }
  networks    = { lan = {} }
  power_state = "stopped"
}
`, *estate))
	made := tf.terraform("apply", "-auto-approve", "-no-color", "-parallelism=16")
	defer tf.terraform("destroy", "-auto-approve", "-no-color", "-parallelism=16")
	driver, ids := connected(b, w.uri())
	defer driver.Close() //nolint:errcheck // it only ends
	for b.Loop() {
		theirs, raw := best(w, runs, func() { rawPass(b, w.socket) })
		ours, bulk := best(w, runs, func() { bulkPass(b, driver, ids) })
		plan, planned := best(w, runs, func() { tf.terraform("plan", "-detailed-exitcode", "-no-color", "-input=false") })
		n := float64(*estate)
		b.Logf("reading %d VMs with two disks and one interface, best of %d (made in %.1f s)", *estate, runs, made.wall.Seconds())
		b.Logf("  raw pass         %6.2f s  %4d calls, %.2f a VM", theirs.Seconds(), raw.total(), float64(raw.total())/n)
		b.Logf("  driver, in bulk  %6.2f s  %4d calls, %.2f a VM   ratio %.2f in time, %.2f in calls", ours.Seconds(), bulk.total(),
			float64(bulk.total())/n, ratio(ours, theirs), float64(bulk.total())/float64(raw.total()))
		b.Logf("  terraform plan   %6.2f s  %4d calls, %.2f a VM   ratio %.2f in calls", plan.Seconds(), planned.total(),
			float64(planned.total())/n, float64(planned.total())/float64(raw.total()))
		b.Logf("  by procedure, terraform plan: %s", procedures(planned.calls))
		b.ReportMetric(ratio(ours, theirs), "x-raw-time")
		b.ReportMetric(float64(bulk.total())/float64(raw.total()), "x-raw-calls")
	}
}

// best runs work several times and returns the least time and the calls of that run.
func best(w *wire, times int, work func()) (time.Duration, counted) {
	var took time.Duration
	var calls counted
	for range times {
		w.reset()
		start := time.Now()
		work()
		if d := time.Since(start); took == 0 || d < took {
			took, calls = d, w.reset()
		}
	}
	return took, calls
}

func rawPass(b *testing.B, socket string) {
	b.Helper()
	l := rpc.NewWithDialer(dialers.NewLocal(dialers.WithSocket(socket)))
	if err := l.Connect(); err != nil {
		b.Fatal(err)
	}
	defer l.Disconnect() //nolint:errcheck // it only ends
	domains, _, err := l.ConnectListAllDomains(1, 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, d := range domains {
		if _, err := l.DomainGetXMLDesc(d, rpc.DomainXMLInactive); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := l.ConnectGetAllDomainStats(domains, uint32(rpc.DomainStatsState|rpc.DomainStatsBlock), 0); err != nil {
		b.Fatal(err)
	}
}

// connected returns a driver and the ids of all VMs.
func connected(b *testing.B, uri string) (backends.Backend, []backends.ID) {
	b.Helper()
	driver, err := libvirt.Open(b.Context(), libvirt.Config{Config: conn.Config{URI: uri}})
	if err != nil {
		b.Fatal(err)
	}
	all, err := driver.ListVMs(b.Context(), backends.VMFilter{})
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]backends.ID, len(all))
	for i, vm := range all {
		ids[i] = vm.ID
	}
	return driver, ids
}

func bulkPass(b *testing.B, driver backends.Backend, ids []backends.ID) {
	b.Helper()
	got, err := driver.GetVMs(b.Context(), ids, backends.AspectConfig|backends.AspectRuntime|backends.AspectGuest)
	if err != nil {
		b.Fatal(err)
	}
	if len(got) != *estate {
		b.Fatalf("%d VMs were read, want %d", len(got), *estate)
	}
}
