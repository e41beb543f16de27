package vm_test

import (
	"fmt"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// A VM that high availability manages is switched, restarted and removed through its manager, which is told what is wanted and does not
// undo it; that somebody else has it managed is no difference.
func TestAccVM_managedOnProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{Version: 9, Nodes: []string{"pve1", "pve2"}, Guests: true})
	config := func(state string, memory int) string {
		return s.Config(web(`disks = { root = { size_gib = 1, storage = "shared" } }`, `placement = { host = "pve1" }`,
			fmt.Sprintf("power_state = %q", state), fmt.Sprintf("memory = { size_mib = %d }", memory)))
	}
	w := workspace(t, config("running", 1024))
	w.Apply()
	sid := fmt.Sprintf("vm:%d", s.VM("web").VMID)
	if err := s.Do("POST", "/cluster/ha/resources", map[string][]string{"sid": {sid}, "state": {"started"}}, nil); err != nil {
		t.Fatal(err)
	}
	w.EmptyPlan()
	for _, step := range []struct {
		power, manager string
		memory         int
	}{{"stopped", "stopped", 1024}, {"running", "started", 1024}, {"running", "started", 512}} {
		w.Write("main.tf", config(step.power, step.memory))
		w.Apply()
		w.EmptyPlan()
		var resource struct{ State string }
		if err := s.Do("GET", "/cluster/ha/resources/"+sid, nil, &resource); err != nil {
			t.Fatal(err)
		}
		if is := s.VM("web"); is.Status != step.power || is.Node != "pve1" || resource.State != step.manager {
			t.Errorf("the VM is %s at %s and its manager wants it %s; want it %s", is.Status, is.Node, resource.State, step.power)
		}
	}
	if got := s.Hardware("web")["memory"]; got != "512" {
		t.Errorf("the VM has %s MiB", got)
	}
	w.Destroy()
	var left []struct{ SID string }
	if err := s.Do("GET", "/cluster/ha/resources", nil, &left); err != nil || len(left) > 0 {
		t.Errorf("high availability still has %v (%v)", left, err)
	}
	s.AssertEmpty()
}
