package snapshot_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

const required = `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
`

// On vSphere: snapshots of a VM that runs, one with its memory, in a tree; a revert brings content and power back, one that
// somebody removed is taken again, and importing and destroying them leaves the VM whole.
func TestAccSnapshot_vsphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	w := tfrun.New(t)
	configure := func(more ...string) {
		w.Write("main.tf", required+s.Config(web(`power_state = "running"`)+strings.Join(more, "")))
	}
	triggers := func(n int) string { return fmt.Sprintf("revert_triggers = { n = %d }", n) }
	write := func(word string) {
		if err := s.WriteDisk("web", 0, 1<<20, []byte(word)); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(word string) bool {
		got, err := s.ReadDisk("web", 0, 1<<20, len(word))
		if err != nil {
			t.Fatal(err)
		}
		return string(got) == word
	}
	configure()
	w.Apply()
	write("first.")
	two := func(n int) []string {
		return []string{snap("a", "memory = true", triggers(n)), snap("b", `description = "The last one"`)}
	}
	configure(two(1)...)
	w.Apply()
	w.EmptyPlan()
	if m := s.Machine("web").Snapshot; m == nil || len(m.RootSnapshotList) != 1 || m.RootSnapshotList[0].State != types.VirtualMachinePowerStatePoweredOn && m.RootSnapshotList[0].ChildSnapshotList[0].State != types.VirtualMachinePowerStatePoweredOn {
		t.Errorf("vSphere has the snapshots %+v", m)
	}

	write("second")
	configure(two(2)...)
	if said := tfrun.Unwrap(w.Must("plan")); !strings.Contains(said, `This change reverts VM "web"`) {
		t.Errorf("the plan does not announce the revert:\n%s", said)
	}
	w.Apply()
	w.EmptyPlan()
	if !holds("first.") || s.Machine("web").Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn {
		t.Errorf("after the revert the old content is there: %t, and the VM is %s", holds("first."), s.Machine("web").Runtime.PowerState)
	}

	if err := s.RemoveSnapshot("web", "b"); err != nil {
		t.Fatal(err)
	}
	if out := w.Apply(); !strings.Contains(out, "1 added, 0 changed, 0 destroyed") {
		t.Errorf("a snapshot that is gone is not taken again:\n%s", out)
	}
	w.EmptyPlan()
	id := fmt.Sprint(w.Attributes(address)["id"])
	w.Must("state", "rm", address)
	w.Must("import", address, id)
	w.Apply() // revert_triggers are nowhere but in the configuration
	w.EmptyPlan()
	configure()
	w.Apply()
	w.EmptyPlan()
	if m := s.Machine("web").Snapshot; m != nil && len(m.RootSnapshotList) > 0 || !holds("first.") {
		t.Errorf("the VM has the snapshots %+v and the content: %t", m, holds("first."))
	}
	w.Destroy()
	s.AssertEmpty()
}
