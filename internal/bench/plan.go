package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// vms is how many VMs are planned.
var vms = flag.Int("vms", 1000, "how many VMs to plan")

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

// plan measures terraform plan, with its refresh, over many VMs on the mock,
// against two providers that do nothing: one with the same schema, and one whose
// resource has a name and an id.
func plan(ctx context.Context, dir string) error {
	fmt.Printf("terraform plan of %d VMs on the mock, refresh included, nothing to change (best of %d)\n", *vms, planRuns)
	mockState := filepath.Join(dir, "mock.json")
	ours, err := newWorkspace(ctx, dir, ".")
	if err != nil {
		return err
	}
	if err := ours.write("main.tf", fmt.Sprintf(planConfig, mockState, *vms, planBody)); err != nil {
		return err
	}
	made, err := ours.terraform(ctx, "apply", "-auto-approve", "-no-color", "-parallelism=50")
	if err != nil {
		return err
	}
	fmt.Printf("  apply, once:               %6.2f s\n", made.wall.Seconds())

	same, err := newWorkspace(ctx, dir, "./internal/bench/floor")
	if err != nil {
		return err
	}
	if err := copyInto(same.dir, ours.dir, "main.tf", "terraform.tfstate"); err != nil {
		return err
	}
	tiny, err := newWorkspace(ctx, dir, "./internal/bench/floor", "FLOOR_TINY=1")
	if err != nil {
		return err
	}
	if err := tiny.write("main.tf", fmt.Sprintf(planConfig, mockState, *vms, "")); err != nil {
		return err
	}
	if _, err := tiny.terraform(ctx, "apply", "-auto-approve", "-no-color", "-parallelism=50"); err != nil {
		return err
	}
	return comparePlans(ctx, ours, same, tiny)
}

const planRuns = 3

func comparePlans(ctx context.Context, ours, same, tiny *workspace) error {
	results := make([]cost, 3)
	for i, w := range []*workspace{ours, same, tiny} {
		c, err := w.best(ctx, planRuns, "plan", "-detailed-exitcode", "-no-color", "-input=false")
		if err != nil {
			return err
		}
		results[i] = c
	}
	us := results[0]
	fmt.Printf("  this provider:             %6.2f s wall, %6.2f s CPU\n", us.wall.Seconds(), us.cpu.Seconds())
	fmt.Printf("  nothing, the same schema:  %6.2f s wall, %6.2f s CPU   ratio %.2f wall, %.2f CPU\n",
		results[1].wall.Seconds(), results[1].cpu.Seconds(), ratio(us.wall, results[1].wall), ratio(us.cpu, results[1].cpu))
	fmt.Printf("  nothing, two attributes:   %6.2f s wall, %6.2f s CPU   ratio %.2f wall, %.2f CPU\n",
		results[2].wall.Seconds(), results[2].cpu.Seconds(), ratio(us.wall, results[2].wall), ratio(us.cpu, results[2].cpu))
	return nil
}

func ratio[T ~int64](a, b T) float64 { return float64(a) / float64(b) }

func copyInto(to, from string, names ...string) error {
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(from, name)) //nolint:gosec // a file of ours
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
