package bench

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var (
	vms      = flag.Int("vms", 1000, "how many VMs to plan")
	planRuns = flag.Int("runs", 2, "how often to plan, of which the best counts")
)

const module = "github.com/virtrigaud/terraform-provider-virtrigaud"

const planConfig = `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
provider "virtrigaud" {
  mock = { state_file = %q }
}
resource "virtrigaud_vm" "all" {
  count = %d
  name  = "vm-${count.index}"
  %s
}
`

const planBody = `
  cpu      = { cores = 2 }
  memory   = { size_mib = 1024 }
  disks    = { root = { size_gib = 8 }, data = { size_gib = 4 } }
  networks = { lan = {} }
`

// BenchmarkPlan measures terraform plan, with its refresh, over many VMs on the
// mock, against two providers that do nothing: one with the same schema, and one
// whose resource has a name and an id.
func BenchmarkPlan(b *testing.B) {
	ours, same := newWorkspace(b, module), newWorkspace(b, module+"/internal/bench/floor")
	tiny := newWorkspace(b, module+"/internal/bench/floor", "FLOOR_TINY=1")
	mock := filepath.Join(b.TempDir(), "mock.json")
	ours.write("main.tf", fmt.Sprintf(planConfig, mock, *vms, planBody))
	tiny.write("main.tf", fmt.Sprintf(planConfig, mock, *vms, ""))
	made := ours.terraform("apply", "-auto-approve", "-no-color", "-parallelism=50")
	tiny.terraform("apply", "-auto-approve", "-no-color", "-parallelism=50")
	for _, name := range []string{"main.tf", "terraform.tfstate"} {
		text, err := os.ReadFile(filepath.Join(ours.dir, name))
		if err != nil {
			b.Fatal(err)
		}
		same.write(name, string(text))
	}
	for b.Loop() {
		plan := []string{"plan", "-detailed-exitcode", "-no-color", "-input=false"}
		us, floor, least := ours.best(*planRuns, plan...), same.best(*planRuns, plan...), tiny.best(*planRuns, plan...)
		b.Logf("terraform plan of %d VMs on the mock, refreshed, nothing to change, best of %d", *vms, *planRuns)
		b.Logf("  apply, once              %7.2f s wall %7.2f s CPU", made.wall.Seconds(), made.cpu.Seconds())
		b.Logf("  this provider            %7.2f s wall %7.2f s CPU", us.wall.Seconds(), us.cpu.Seconds())
		b.Logf("  nothing, same schema     %7.2f s wall %7.2f s CPU   ratio %.2f wall, %.2f CPU", floor.wall.Seconds(), floor.cpu.Seconds(),
			ratio(us.wall, floor.wall), ratio(us.cpu, floor.cpu))
		b.Logf("  nothing, two attributes  %7.2f s wall %7.2f s CPU   ratio %.2f wall, %.2f CPU", least.wall.Seconds(), least.cpu.Seconds(),
			ratio(us.wall, least.wall), ratio(us.cpu, least.cpu))
		b.ReportMetric(ratio(us.wall, floor.wall), "x-floor-wall")
		b.ReportMetric(ratio(us.cpu, floor.cpu), "x-floor-cpu")
	}
}

func ratio[T ~int64](a, b T) float64 { return float64(a) / float64(b) }
