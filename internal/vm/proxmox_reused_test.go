package vm_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// A VMID that was given to another VM does not make that one Terraform's: it is neither changed nor removed.
func TestAccProxmox_reusedID(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	w := workspace(t, s.Config(web(`power_state = "stopped"`)))
	w.Apply()
	id := s.VM("web").VMID
	s.Run("DELETE", "web", "")
	if err := s.Do("POST", "/nodes/pve1/qemu", url.Values{"vmid": {fmt.Sprint(id)}, "name": {"stranger"}}, nil); err != nil {
		t.Fatal(err)
	}
	w.Fails([]string{`VM "web"`, `"stranger"`, "terraform state rm"}, "plan")
	w.Fails([]string{`"stranger"`}, "destroy", "-auto-approve")
	if state := w.State(); len(state) != 1 || !s.Has("stranger") {
		t.Errorf("the state has %v, the hypervisor %v", state, s.VMs())
	}
	w.Must("state", "rm", address)
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
	if !s.Has("stranger") {
		t.Error("the other VM is gone")
	}
}
