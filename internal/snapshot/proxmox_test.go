package snapshot_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// On Proxmox VE: snapshots of a VM that runs, one with its memory, in a tree; a revert brings content and power back, one that
// somebody removed is taken again, and importing and destroying them leaves the VM whole.
func TestAccSnapshot_proxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	w := tfrun.New(t)
	configure := func(more ...string) {
		w.Write("main.tf", required+s.Config(web(`power_state = "running"`, `shutdown = { timeout = "0s" }`)+strings.Join(more, "")))
	}
	triggers := func(n int) string { return fmt.Sprintf("revert_triggers = { n = %d }", n) }
	volume := func() string {
		v, _, _ := strings.Cut(s.Hardware("web")["scsi0"], ",")
		return v
	}
	write := func(word string) {
		if err := s.WriteVolume("", volume(), 1<<20, []byte(word)); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(word string) bool {
		got, err := s.ReadVolume("", volume(), 1<<20, len(word))
		if err != nil {
			t.Fatal(err)
		}
		return string(got) == word
	}
	taken := func() map[string]bool {
		var all []struct {
			Name    string
			VMState int
		}
		vm := s.VM("web")
		if err := s.Do("GET", fmt.Sprintf("/nodes/%s/qemu/%d/snapshot", vm.Node, vm.VMID), nil, &all); err != nil {
			t.Fatal(err)
		}
		memory := map[string]bool{}
		for _, one := range all {
			if one.Name != "current" {
				memory[one.Name] = one.VMState == 1
			}
		}
		return memory
	}
	configure()
	w.Apply()
	write("first.")
	two := func(n int) []string {
		first := snap("a", "memory = true", triggers(n))
		last := snap("b", `description = "The last one"`)
		return []string{strings.Replace(first, `"a"`+"\n", "\"first\"\n", 1), strings.Replace(last, `"b"`+"\n", "\"last\"\n", 1)} // one letter is no name there
	}
	configure(two(1)...)
	w.Apply()
	w.EmptyPlan()
	if all := taken(); len(all) != 2 || !all["first"] || all["last"] {
		t.Errorf("Proxmox VE has the snapshots %v", all)
	}

	write("second")
	configure(two(2)...)
	if said := tfrun.Unwrap(w.Must("plan")); !strings.Contains(said, `This change reverts VM "web"`) {
		t.Errorf("the plan does not announce the revert:\n%s", said)
	}
	w.Apply()
	w.EmptyPlan()
	if !holds("first.") || s.VM("web").Status != "running" {
		t.Errorf("after the revert the old content is there: %t, and the VM is %s", holds("first."), s.VM("web").Status)
	}

	s.Run("DELETE", "web", "/snapshot/last")
	if out := w.Apply(); !strings.Contains(out, "1 added, 0 changed, 0 destroyed") {
		t.Errorf("a snapshot that is gone is not taken again:\n%s", out)
	}
	id := fmt.Sprint(w.Attributes(address)["id"])
	w.Must("state", "rm", address)
	w.Must("import", address, id)
	w.Apply() // revert_triggers are nowhere but in the configuration
	w.EmptyPlan()
	configure()
	w.Apply()
	w.EmptyPlan()
	if all := taken(); len(all) > 0 || !holds("first.") {
		t.Errorf("the VM has the snapshots %v and the content: %t", all, holds("first."))
	}
	w.Destroy()
	s.AssertEmpty()
}
