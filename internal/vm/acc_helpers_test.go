package vm_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

const address = "virtrigaud_vm.web"

func at(first string, more ...string) tfjsonpath.Path {
	p := tfjsonpath.New(first)
	for _, step := range more {
		p = p.AtMapKey(step)
	}
	return p
}

func value(check knownvalue.Check, first string, more ...string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, at(first, more...), check)
}

// expect is a step's plan: what happens to the VM, and after it nothing more.
func expect(action plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return expectOf(address, action, more...)
}

func expectOf(address string, action plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             append([]plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}, more...),
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

// web is a small VM with further lines.
func web(lines ...string) string {
	return `
resource "virtrigaud_vm" "web" {
  name = "web"
  ` + strings.Join(lines, "\n  ") + `
}`
}

func contains(all []string, one string) bool { return slices.Contains(all, one) }

// workspace is a directory in which terraform runs as a user runs it, with the
// provider as a program of its own.
func workspace(t *testing.T, config string) *tfrun.Workspace {
	t.Helper()
	w := tfrun.New(t)
	w.Write("versions.tf", `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}`)
	w.Write("main.tf", config)
	return w
}

// expectOne demands one diagnostic at an address, and that it reads as wanted.
func expectOne(t *testing.T, all map[string][]tfrun.Diagnostic, where, severity, want string) {
	t.Helper()
	got := all[where]
	if len(got) == 0 {
		t.Errorf("%s: no %s; want %s", where, severity, want)
		return
	}
	if d := got[0]; d.Severity != severity || !regexp.MustCompile("(?s)"+want).MatchString(d.Summary+" "+d.Detail) {
		t.Errorf("%s: want %s %s, got\n%s", where, severity, want, d)
	}
	if len(got) > 1 {
		t.Errorf("%s: more than one diagnostic: %v", where, got)
	}
}
