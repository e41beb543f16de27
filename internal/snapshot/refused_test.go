package snapshot_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

const header = `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

provider "virtrigaud" {
  mock = { state_file = "mock.json" }
}
`

func TestAccSnapshot_refused(t *testing.T) {
	m := acctest.NewMock(t)
	plan := func(config, says string) resource.TestStep {
		return resource.TestStep{Config: m.Config(config), PlanOnly: true, ExpectError: regexp.MustCompile("(?s)" + says)}
	}
	apply := func(config, says string) resource.TestStep {
		return resource.TestStep{Config: m.Config(config), ExpectError: regexp.MustCompile("(?s)" + says)}
	}
	const nobody = "resource \"virtrigaud_snapshot\" \"a\" {\n  vm_id = \"nobody\"\n  name = \"a\"\n}\n"
	keep := "resource \"virtrigaud_disk\" \"keep\" {\n  name = \"keep\"\n  size_gib = 1\n}\n"
	withVolume := strings.Replace(web(), "size_gib = 1 }", "size_gib = 1 }, keep = { volume = virtrigaud_disk.keep.id }", 1)
	acctest.Run(t, resource.TestCase{Steps: []resource.TestStep{
		plan(web()+snap("a", "memory = true", "quiesce = true"), `Both memory and quiesce are set.*quiesce = true`),
		plan(web()+strings.Replace(snap("a"), `name  = "a"`, `name = "a/b"`, 1), `must not contain a slash`),
		plan(web()+strings.Replace(snap("a"), `name  = "a"`, `name = ""`, 1), `name = ""`),
		{
			Config: m.Config(web()+snap("a"), `imitate = "proxmox"`), PlanOnly: true,
			ExpectError: regexp.MustCompile(`(?s)proxmox does not take this value.*name\s+= "a".*2 to 40 letters`),
		},
		plan(web()+snap("a", `revert_power_state = "suspended"`), `revert_power_state`),
		plan(nobody, `No such VM.*vm_id = "nobody"`),
		{Config: m.Config(web(`power_state = "stopped"`))},
		plan(web(`power_state = "stopped"`)+snap("a", "memory = true"), `The VM does not run.*memory = true.*"web" is stopped`),
		// The same plan may switch the VM.
		{Config: m.Config(web(`power_state = "running"`) + snap("a", "memory = true"))},
		plan(web(`power_state = "stopped"`)+snap("a", "memory = true")+snap("b", "memory = true"), `The VM does not run.*memory = true`),
		{Config: m.Config(web(`power_state = "stopped"`))},
		apply(web(`power_state = "stopped"`)+snap("a", "quiesce = true"), `Unable to create snapshot "a".*quiesce = true.*precondition`),
		// Not known to be stopped at plan: the VM is made in the same apply.
		{Config: m.Config("")},
		apply(web(`power_state = "stopped"`)+snap("a", "memory = true"), `memory = true.*is\s+stopped`),
		{Config: m.Config("")},
		apply(keep+withVolume+snap("a", "memory = true"), `memory = true.*"?keep"?.*precondition`),
		{Config: m.Config(keep + withVolume + snap("a"))},
		apply(keep+withVolume+snap("a")+strings.ReplaceAll(snap("b"), `name  = "b"`, `name = "a"`), `name = "a".*conflict`),
	}})
}
