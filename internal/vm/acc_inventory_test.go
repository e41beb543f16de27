package vm_test

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// Names that the hypervisor does not have, and a VM name that it has, are told
// at plan, at the attribute.
func TestAccVM_planKnowsTheInventory(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ line, want string }{
		"network":    {`networks = { lan = { network = "nowhere" } }`, `No such network.*"nowhere".*"default", "dmz".*"lan"`},
		"storage":    {`disks = { root = { size_gib = 1, storage = "nowhere" } }`, `No such storage.*"nowhere".*"fast"`},
		"placement":  {`placement = { storage = "nowhere" }`, `No such storage.*"nowhere"`},
		"host":       {`placement = { host = "nowhere" }`, `No such host.*"nowhere".*"mock-01"`},
		"folder":     {`placement = { folder = "nowhere" }`, `No such place.*"nowhere"`},
		"pool":       {`placement = { resource_pool = "nowhere" }`, `No such place.*"nowhere"`},
		"image":      {"image = \"default/nothing\"\n  disks = { root = {} }", `No such image.*"default/nothing"`},
		"iso":        {`cdrom = { iso = "default/nothing" }`, `No such image.*"default/nothing"`},
		"legacy-app": {``, `has this name already.*"legacy-app".*import`},
	}
	lines := map[string]string{
		"fine": "image = \"default/debian-12\"\n  disks = { root = { storage = \"fast\" } }\n  cdrom = { iso = \"default/rescue.iso\" }\n" +
			"  networks = { lan = { network = \"lan\" }, dmz = {} }\n  placement = { host = \"mock-01\", storage = \"fast\" }",
		// What the hypervisor lists no name of is not its inventory's to judge.
		"bridged": `networks = { lan = { network = "bridge:br-lab" } }`,
	}
	for name, c := range cases {
		lines[name] = c.line
	}
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(many(lines)))
	found := w.Diagnostics("plan")
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_vm."+name, "warning", c.want)
	}
	for _, name := range []string{"fine", "bridged"} {
		if d := found["virtrigaud_vm."+name]; d != nil {
			t.Errorf("%s: what can be made is warned of: %v", name, d)
		}
	}

	// Nobody is asked where nothing is newly asked for, and an inventory that
	// cannot be read forbids nothing.
	w.Write("main.tf", m.Config(many(lines), `faults = [
      { operation = "Networks", code = "auth" }, { operation = "Storages", code = "unsupported" }, { operation = "Hosts", code = "internal" },
      { operation = "GetImage", code = "auth" }, { operation = "ListVMs", code = "precondition" },
      { operation = "CheckPlacement", code = "auth" },
    ]`))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("an inventory that cannot be read: %v", found)
	}
}

// A change is checked for what it changes, and a VM that is made anew does not
// find its own name taken.
func TestAccVM_planKnowsTheInventory_changes(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(web(`networks = { lan = { network = "lan" } }`)))
	w.Apply()
	w.Write("main.tf", m.Config(web(`networks = { lan = { network = "lan" }, dmz = { network = "nowhere" } }`)))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `No such network.*"nowhere"`)
	w.Write("main.tf", m.Config(`
resource "virtrigaud_vm" "web" {
  name = "db-01"
}`))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `has this name already.*"db-01"`)

	w.Write("main.tf", m.Config(web(`networks = { lan = { network = "lan" } }`)))
	w.Must("taint", address)
	for _, command := range [][]string{{"plan"}, {"apply", "-auto-approve"}} {
		if found := w.Diagnostics(command...); len(found) > 0 {
			t.Errorf("%s of a replacement: %v", command[0], found)
		}
	}
	w.EmptyPlan()
}
