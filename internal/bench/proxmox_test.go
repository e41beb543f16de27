package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// aCall is how long the simulated Proxmox VE takes for a call.
const aCall = 20 * time.Millisecond

// BenchmarkProxmox measures, on a simulated Proxmox VE that takes 20 ms for each call, a terraform plan over VMs that run with their
// agents, against an HTTP client that makes the same reads and no other, and against a provider that does nothing; what it costs to
// make them; and a linked clone.
func BenchmarkProxmox(b *testing.B) {
	for _, n := range []int{50, 1000} {
		b.Run(fmt.Sprintf("plan-%d", n), func(b *testing.B) { planProxmox(b, n) })
	}
	b.Run("clone", cloneProxmox)
}

// proxmoxSite is the simulator with what is between it and terraform.
type proxmoxSite struct {
	*acctest.Proxmox
	meter *meter
}

func newProxmoxSite(b *testing.B) proxmoxSite {
	b.Helper()
	p := acctest.NewProxmox(b, pvesim.Options{Guests: true, Delay: aCall})
	return proxmoxSite{p, newMeter(b, p.URL())}
}

// config is body under a provider block whose calls are counted.
func (s proxmoxSite) config(body string) string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

provider "virtrigaud" {
  proxmox = {
    endpoint    = %q
    api_token   = %q
    fingerprint = %q
    storage     = "local-lvm"
    bridge      = "vmbr0"
  }
}
%s`, s.meter.url, s.Token(), s.Fingerprint(), body)
}

// simulated does work several times and returns the run that took the least time.
func (s proxmoxSite) simulated(times int, work func() cost) traffic {
	var least traffic
	for i := range times {
		s.ResetRequests()
		s.meter.bytes.Store(0)
		t := traffic{cost: work()}
		t.calls, t.bytes, t.methods = s.Sum(""), s.meter.bytes.Load(), s.Requests()
		if i == 0 || t.wall < least.wall {
			least = t
		}
	}
	return least
}

// proxmoxVMs are n VMs that run, with two disks, one interface and an agent each.
func proxmoxVMs(n int) string {
	return fmt.Sprintf(`
resource "virtrigaud_vm" "all" {
  count    = %d
  name     = "vm-${count.index}"
  memory   = { size_mib = 64 }
  disks    = { root = { size_gib = 1 }, data = { size_gib = 1 } }
  networks = { lan = {} }
  shutdown = { timeout = "0s" }
}
`, n)
}

func planProxmox(b *testing.B, n int) {
	const runs = 2
	s := newProxmoxSite(b)
	tf, nothing := newWorkspace(b, module), newWorkspace(b, module+"/internal/bench/floor")
	apply := func() cost {
		return tf.terraform("apply", "-auto-approve", "-no-color", "-input=false", "-parallelism=16")
	}
	plan := []string{"plan", "-detailed-exitcode", "-no-color", "-input=false"}
	tf.write("main.tf", s.config(proxmoxVMs(0)))
	idle := s.simulated(1, apply)
	tf.write("main.tf", s.config(proxmoxVMs(n)))
	made := s.simulated(1, apply)
	tf.terraform("apply", "-refresh-only", "-auto-approve", "-no-color") // what the agents say since they answer
	for _, name := range []string{"main.tf", "terraform.tfstate"} {
		text, err := os.ReadFile(filepath.Join(tf.dir, name))
		if err != nil {
			b.Fatal(err)
		}
		nothing.write(name, string(text))
	}
	for b.Loop() {
		raw := s.simulated(runs, func() cost { return rawProxmox(b, s, n) })
		ours := s.simulated(runs, func() cost { return tf.terraform(plan...) })
		floor := nothing.best(runs, plan...)
		each := float64(made.calls-idle.calls) / float64(n)
		b.Logf("%d VMs with two disks, one interface and an agent that answers, 20 ms a call, best of %d", n, runs)
		b.Logf("  HTTP client, the same reads  %s", raw)
		b.Logf("  terraform plan               %s   %.2f requests a VM; the goal is at most %d requests", ours, float64(ours.calls)/float64(n), 2*n+5)
		b.Logf("  terraform, doing nothing     %7.2f s  %7.2f CPU-s   the plan takes %.2f s more; the goal is 1 for 50", floor.wall.Seconds(), floor.cpu.Seconds(), (ours.wall - floor.wall).Seconds())
		b.Logf("  by route, plan: %v", ours.methods)
		b.Logf("  apply that makes them        %s   %.2f requests a VM; the goal is 8", made, each)
		b.Logf("  by route, apply: %v", made.methods)
		b.ReportMetric(float64(ours.calls)/float64(n), "calls/VM")
		b.ReportMetric((ours.wall - floor.wall).Seconds(), "s-beyond-floor")
		b.ReportMetric(float64(ours.bytes)/float64(raw.bytes), "x-raw-bytes")
		b.ReportMetric(each, "calls/create")
	}
}

// cloneProxmox makes a linked clone beside its template: what that costs beyond a run that has nothing to do.
func cloneProxmox(b *testing.B) {
	s := newProxmoxSite(b)
	tf := newWorkspace(b, module)
	apply := func() cost { return tf.terraform("apply", "-auto-approve", "-no-color", "-input=false") }
	const template = `
resource "virtrigaud_vm" "golden" {
  name        = "golden"
  memory      = { size_mib = 64 }
  disks       = { root = { size_gib = 1 } }
  networks    = { lan = {} }
  power_state = "stopped"
}

resource "virtrigaud_image" "golden" {
  name  = "golden-1"
  kind  = "template"
  vm_id = virtrigaud_vm.golden.id
}
`
	const clone = `
resource "virtrigaud_clone" "one" {
  name      = "one"
  source_vm = virtrigaud_image.golden.id
  linked    = true
  shutdown  = { timeout = "0s" }
}
`
	for b.Loop() {
		tf.write("main.tf", s.config(template))
		apply()
		idle := s.simulated(2, apply)
		tf.write("main.tf", s.config(template+clone))
		made := s.simulated(1, apply)
		b.Logf("apply with nothing to do       %s", idle)
		b.Logf("apply that makes a linked clone %s   %d requests beyond", made, made.calls-idle.calls)
		b.Logf("  by route: %v", made.methods)
		b.ReportMetric(float64(made.calls-idle.calls), "calls/clone")
	}
}

// rawProxmox is the least that reading all VMs can be: one listing, and of each VM its configuration with what waits, and its
// agent's interfaces; sixteen at a time, like the provider.
func rawProxmox(b *testing.B, s proxmoxSite, n int) cost {
	b.Helper()
	start := time.Now()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.CACertificate()))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 16}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	get := func(ctx context.Context, path string, into any) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.meter.url+"/api2/json"+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "PVEAPIToken="+s.Token())
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, res.Status)
		}
		if into == nil {
			_, err = io.Copy(io.Discard, res.Body)
			return err
		}
		return json.NewDecoder(res.Body).Decode(into)
	}
	var all struct{ Data []acctest.ProxmoxVM }
	if err := get(b.Context(), "/cluster/resources?type=vm", &all); err != nil {
		b.Fatal(err)
	}
	if len(all.Data) != n {
		b.Fatalf("the client found %d VMs", len(all.Data))
	}
	g, ctx := errgroup.WithContext(b.Context())
	g.SetLimit(16)
	for _, vm := range all.Data {
		for _, what := range []string{"pending", "agent/network-get-interfaces"} {
			g.Go(func() error { return get(ctx, fmt.Sprintf("/nodes/%s/qemu/%d/%s", vm.Node, vm.VMID, what), nil) })
		}
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return cost{wall: time.Since(start)}
}
