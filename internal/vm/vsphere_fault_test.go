package vm_test

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A wrong password is tried once, however many VMs there are, so that no account gets locked.
func TestAccVSphere_wrongPassword(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	w := workspace(t, strings.Replace(s.Config("resource \"virtrigaud_vm\" \"web\" {\n  count = 10\n  name  = \"web-${count.index}\"\n}"), s.Password(), "s3cret-wrong", 1))
	out, err := w.Run("plan", "-parallelism=10")
	if said := tfrun.Unwrap(out); err == nil || strings.Count(said, "Error:") != 1 || !strings.Contains(said, "A login is not tried twice") || strings.Contains(said, "s3cret") {
		t.Errorf("plan (%v) printed\n%s", err, out)
	}
	if n := s.WrongPasswords(); n != 1 || s.Locked() {
		t.Errorf("the password was tried %d times, locked: %t", n, s.Locked())
	}
}

// What vSphere refuses is one error at apply that names object, cause and remedy, and leaves nothing behind; what passes by is waited for.
func TestAccVM_refusedByVSphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	if !s.FillDatastore("small", 1<<20) {
		t.Fatal("no such datastore")
	}
	s.Revoke("VirtualMachine.Config.AddNewDisk", "web") // the pool
	config := s.Config(
		named("vm", "taken", `power_state = "stopped"`) +
			named("vm", "full", `disks = { root = { size_gib = 1, storage = "small", provisioning = "thick" } }`, `power_state = "stopped"`) +
			named("vm", "fine", `placement = { folder = "prod" }`))
	w := workspace(t, strings.Replace(config, `name = "taken"`, `name = "vm-one"`, 1))
	s.Fail("PowerOnVM_Task", "fine", &types.TaskInProgress{}, 2)
	found := w.Diagnostics("apply", "-auto-approve")
	for address, want := range map[string]string{
		"virtrigaud_vm.taken": `Folder "/DC0/vm" has a VM "vm-one" already.*terraform import`,
		"virtrigaud_vm.full":  `small.*(full|free|space)`,
	} {
		errors := found[address][:0:0]
		for _, d := range found[address] {
			if d.Severity == "error" {
				errors = append(errors, d)
			}
		}
		expectOne(t, map[string][]tfrun.Diagnostic{address: errors}, address, "error", want)
	}
	if state := w.State(); len(state) != 1 || state[0] != "virtrigaud_vm.fine" {
		t.Errorf("the state has %v", state)
	}

	// A privilege that is missing is named, with the object.
	s.Grant()
	s.Revoke("VirtualMachine.Config.AddNewDisk", "")
	w.Write("main.tf", s.Config(named("vm", "fine", `placement = { folder = "prod" }`, `disks = { more = { size_gib = 1 } }`)))
	w.Fails([]string{"VirtualMachine.Config.AddNewDisk", `VM "fine"`}, "apply", "-auto-approve")
	s.Grant()
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}

// Names that nothing has are told by the plan, at the attribute.
func TestAccVM_missingOnVSphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	cases := map[string]struct{ line, want string }{
		"template":  {`template = "nothing"`, `no VM or template "nothing"`},
		"image":     {"image = \"vm-9999\"\n  disks = { root = {} }", `no image "vm-9999"`},
		"network":   {`networks = { lan = { network = "nothing" } }`, `no network "nothing".*VM Network`},
		"datastore": {`disks = { root = { size_gib = 1, storage = "nothing" } }`, `no storage "nothing".*datastore1`},
		"place":     {`placement = { storage = "nothing" }`, `no storage "nothing"`},
		"host":      {`placement = { host = "nothing" }`, `no host "nothing".*esx-a1`},
		"folder":    {`placement = { folder = "nothing" }`, `folder.*"nothing"`},
		"pool":      {`placement = { resource_pool = "nothing" }`, `resource pool.*"nothing"`},
		"cluster":   {`placement = { cluster = "nothing" }`, `cluster.*"nothing"`},
		"vm-one":    {``, `VM has this name already.*vm-one.*import`},
	}
	lines := map[string]string{
		"fine":  `disks = { root = { size_gib = 1, storage = "pod" } }`,
		"fine2": "template = \"DC0/vm/golden\"\n  placement = { folder = \"/DC0/vm/prod\", resource_pool = \"production/web\", storage = \"/DC0/datastore/fast\" }",
	}
	for name, c := range cases {
		lines[name] = c.line
	}
	found := workspace(t, s.Config(many(lines))).Diagnostics("plan")
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_vm."+name, "warning", c.want)
	}
	for _, name := range []string{"fine", "fine2"} {
		if d := found["virtrigaud_vm."+name]; d != nil {
			t.Errorf("%s: %v", name, d)
		}
	}
	s.AssertEmpty()
}

// What somebody does to a VM by hand is a difference to repair or none, and never an error.
func TestAccVM_changedByHandOnVSphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	w := workspace(t, s.Config(named("vm", "renamed", `power_state = "stopped"`)+named("vm", "deleted", `power_state = "stopped"`)+
		named("vm", "stopped")+named("vm", "managed", `power_state = "running"`)+named("vm", "moved", `placement = { folder = "prod" }`, `power_state = "stopped"`)+`
resource "virtrigaud_snapshot" "gone" {
  vm_id = virtrigaud_vm.stopped.id
  name  = "gone"
}`))
	w.Apply()
	w.EmptyPlan()
	for _, err := range []error{
		s.RenameVM("renamed", "other"), s.DestroyVM("deleted"), s.PowerOff("stopped"), s.PowerOff("managed"), s.MoveVM("moved", "web"), s.RemoveSnapshot("stopped", "gone"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	out := w.Apply()
	if !strings.Contains(out, "2 added, 3 changed, 0 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	if !s.Has("renamed") || s.Has("other") || !s.Has("deleted") || s.Machine("managed").Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn ||
		s.Machine("stopped").Runtime.PowerState != types.VirtualMachinePowerStatePoweredOff {
		t.Error("the VMs are not as configured")
	}
	w.Destroy()
	s.AssertEmpty()
}
