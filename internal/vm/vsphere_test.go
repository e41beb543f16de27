package vm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// The life of a VM on vSphere: made of a cloud image with all that a VM has, changed while it runs,
// restarted where the plan says so, switched, adopted by imports, destroyed without a trace.
func TestAccVM_vsphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	image := pretended(t, s)
	config := func(lines ...string) string {
		return s.Config(image + web(append(lines,
			`image      = virtrigaud_image.guest.id`,
			`guest_os   = "debian12_64Guest"`,
			`firmware   = "uefi"`,
			`dns        = { servers = ["10.0.0.2"], search = ["example.org"] }`,
			`cloud_init = { hostname = "www", user_data = "#cloud-config\npackage_update: true\n" }`,
			`wait_for   = {}`)...) + "\noutput \"address\" {\n  value = virtrigaud_vm.web.ip_address\n}\n")
	}
	first := func(more ...string) string {
		return config(append(more,
			`description = "Web server"`,
			`tags        = ["production", "blue", "made-up"]`,
			`cpu         = { cores = 2, hot_add = true, shares = 3000 }`,
			`memory      = { size_mib = 1024, hot_add = true }`,
			`disks       = { root = { size_gib = 2, policy = "gold", storage = "fast" }, data = { size_gib = 1, provisioning = "thin", storage = "datastore1" } }`,
			`networks    = {
    lan = { network = "VM Network", ipv4 = { address = "10.0.0.5/24", gateway = "10.0.0.1" } }
    ops = { network = "dv-servers", mac = "00:50:56:1a:2b:3c" }
  }`,
			`placement   = { folder = "prod/web", resource_pool = "production" }`,
			`vsphere     = { hardware_version = 19, extra_config = { "guestinfo.role" = "web" }, custom_attributes = { owner = "me" }, boot_order = ["root", "lan"], boot_delay_ms = 10 }`)...)
	}
	w := workspace(t, first())
	if out := w.Apply(); !strings.Contains(out, `address = "10.0.0.5"`) {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	vm := s.Machine("web")
	if vm.Guest.HostName != "www" || vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn || vm.Config.Annotation != "Web server" {
		t.Errorf("guest %q, %s, annotation %q", vm.Guest.HostName, vm.Runtime.PowerState, vm.Config.Annotation)
	}
	made := w.Attributes(address)
	if tags, _ := made["tags"].([]any); len(tags) != 3 || made["status"] != "running" || inside(made, "guest", "agent_running") != true {
		t.Errorf("state has tags %v, status %v, guest %v", made["tags"], made["status"], made["guest"])
	}

	// Live: what a running VM takes.
	boots := func() int { return s.Calls()["PowerOnVM_Task"] + s.Calls()["ResetVM_Task"] }
	began := boots()
	second := func(more ...string) string {
		return config(append(more,
			`description = "Another"`,
			`tags        = ["test"]`,
			`cpu         = { cores = 4, hot_add = true, shares = 1000 }`,
			`memory      = { size_mib = 2048, hot_add = true }`,
			`disks       = { root = { size_gib = 3, policy = "gold", storage = "fast" }, data = { size_gib = 2, storage = "datastore1" }, logs = { size_gib = 1 } }`,
			`networks    = {
    lan = { network = "Storage Network", ipv4 = { address = "10.0.0.5/24", gateway = "10.0.0.1" } }
    ops = { network = "dv-vlan30", mac = "00:50:56:1a:2b:3c" }
    spare = {}
  }`,
			`placement   = { folder = "prod", resource_pool = "production" }`,
			`vsphere     = { extra_config = { "guestinfo.role" = "db" }, custom_attributes = { owner = "you" } }`)...)
	}
	w.Write("main.tf", second())
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("live changes are announced: %v", found)
	}
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	if boots() != began {
		t.Error("live changes restarted the VM")
	}
	vm = s.Machine("web")
	if vm.Config.Hardware.MemoryMB != 2048 || vm.Config.Hardware.NumCPU != 4 || len(s.Machine("web").Config.Hardware.Device) == 0 {
		t.Errorf("the VM has %d MiB and %d processors", vm.Config.Hardware.MemoryMB, vm.Config.Hardware.NumCPU)
	}
	if role := extra(vm.Config.ExtraConfig, "guestinfo.role"); role != "db" {
		t.Errorf("guestinfo.role is %v", role)
	}

	// Restart: announced, then obeyed.
	w.Write("main.tf", strings.Replace(second(), "size_mib = 2048", "size_mib = 1024", 1))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `This change restarts the VM.*memory\.size_mib`)
	w.Apply()
	w.EmptyPlan()
	if boots() != began+1 {
		t.Errorf("the VM was started %d times", boots()-began)
	}

	// Adopted by its name, its path and its id.
	last := strings.Replace(second(), "size_mib = 2048", "size_mib = 1024", 1)
	for _, id := range []string{"web", "prod/web", "/DC0/vm/prod/web", fmt.Sprint(made["id"])} {
		w.Must("state", "rm", address)
		w.Must("import", address, id)
		w.EmptyPlan()
	}

	// Switched, and by hand where nobody manages it.
	for _, state := range []string{"stopped", "running", "suspended"} {
		w.Write("main.tf", strings.Replace(last, `name = "web"`, "name = \"web\"\n  power_state = \""+state+"\"", 1))
		w.Apply()
		if got := w.Attributes(address)["status"]; got != state {
			t.Errorf("the VM is %v, not %s", got, state)
		}
	}
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}

func extra(all []types.BaseOptionValue, key string) any {
	i := slices.IndexFunc(all, func(o types.BaseOptionValue) bool { return o.GetOptionValue().Key == key })
	if i < 0 {
		return nil
	}
	return all[i].GetOptionValue().Value
}
