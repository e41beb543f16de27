package vm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// The life of a VM on Proxmox VE 8 and 9: made with all that a VM has, changed while it runs, restarted where the plan says so,
// switched, adopted by imports, destroyed without a trace.
func TestAccVM_proxmox(t *testing.T) {
	t.Parallel()
	for _, o := range []pvesim.Options{
		{Version: 8, Nodes: []string{"pve1", "pve2", "pve3"}, Guests: true},
		{Version: 9, Nodes: []string{"pve1"}, Guests: true},
	} {
		t.Run(fmt.Sprintf("%d nodes of version %d", len(o.Nodes), o.Version), func(t *testing.T) {
			t.Parallel()
			liveOnProxmox(t, acctest.NewProxmox(t, o))
		})
	}
}

func liveOnProxmox(t *testing.T, s *acctest.Proxmox) {
	if err := s.Do("POST", "/pools", map[string][]string{"poolid": {"web"}}, nil); err != nil {
		t.Fatal(err)
	}
	config := func(lines ...string) string {
		return s.Config(web(append(lines,
			`firmware   = "uefi"`,
			`tpm        = true`,
			`dns        = { servers = ["10.10.0.1"], search = ["example.org"] }`,
			`cloud_init = { hostname = "web" }`,
			`wait_for   = {}`)...) + "\noutput \"address\" {\n  value = virtrigaud_vm.web.ip_address\n}\n")
	}
	first := config(
		`description = "Web server"`,
		`tags        = ["production", "blue"]`,
		`cpu         = { cores = 2, sockets = 1, model = "host-model", max_cores = 8, shares = 300, limit_mhz = 1000 }`,
		`memory      = { size_mib = 1024, max_mib = 4096, reservation_mib = 512, shares = 2000 }`,
		`disks       = {
    root = { size_gib = 2, storage = "local", format = "qcow2", cache = "writeback", discard = true, ssd = true, iothread = true, iops_limit = 500 }
    data = { size_gib = 1, storage = "local-lvm", bus = "virtio", options = { backup = "0" } }
  }`,
		`networks    = {
    lan = { network = "vmbr0", ipv4 = { address = "10.10.0.55/24", gateway = "10.10.0.1" } }
    ops = { network = "vmbr2", vlan = 30, mac = "bc:24:11:1a:2b:3c", bandwidth_mbps = 100, mtu = 1400, options = { firewall = "1" } }
  }`,
		`placement   = { host = "pve1", pool = "web" }`,
		`watchdog    = "reset"`,
		`rng         = true`,
		`console     = { type = "spice" }`,
		`proxmox     = { vm_id = 4711, machine = "q35", scsi_controller = "virtio-scsi-single", autostart = true, boot_order = ["root", "lan"], options = { tablet = "0" } }`)
	w := workspace(t, first)
	if out := w.Apply(); !strings.Contains(out, `address = "10.10.0.55"`) {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	made := w.Attributes(address)
	if made["id"] != "4711" || made["backend"] != "proxmox" || made["host"] != "pve1" || made["status"] != "running" || made["console_type"] != "spice" ||
		inside(made, "guest", "agent_running") != true || inside(made, "guest", "hostname") != "web" || !strings.HasPrefix(fmt.Sprint(inside(made, "guest", "os")), "Debian") {
		t.Errorf("state has %v %v %v %v %v %v", made["id"], made["backend"], made["host"], made["status"], made["console_type"], made["guest"])
	}
	hw := s.Hardware("web")
	for key, want := range map[string]string{
		"cores": "8", "vcpus": "2", "bios": "ovmf", "onboot": "1", "tablet": "0", "scsi0": "cache=writeback", "virtio0": "local-lvm:", "net1": "tag=30", "net0": "bridge=vmbr0",
		"ipconfig0": "10.10.0.55/24", "watchdog": "i6300esb", "rng0": "urandom", "tpmstate0": "v2.0", "efidisk0": "local", "tags": "blue;production",
	} {
		if !strings.Contains(hw[key], want) {
			t.Errorf("%s is %q, want %q", key, hw[key], want)
		}
	}
	if vm := s.VM("web"); vm.Pool != "web" {
		t.Errorf("the VM is in pool %q", vm.Pool)
	}

	// Live: what a running VM takes.
	boots := func() int { return s.Sum("POST /nodes/{node}/qemu/{vmid}/status/") }
	began := boots()
	second := config(
		`description = "Another"`,
		`tags        = ["test"]`,
		`cpu         = { cores = 4, sockets = 1, model = "host-model", max_cores = 8, shares = 100, limit_mhz = 2000 }`,
		`memory      = { size_mib = 1536, max_mib = 4096, reservation_mib = 256, shares = 1000 }`,
		`disks       = {
    root = { size_gib = 3, storage = "local", format = "qcow2", cache = "writeback", discard = true, ssd = true, iothread = true, iops_limit = 900 }
    data = { size_gib = 2, storage = "local-lvm", bus = "virtio", options = { backup = "1" } }
    logs = { size_gib = 1, bus = "scsi" }
  }`,
		`networks    = {
    lan = { network = "vmbr0", ipv4 = { address = "10.10.0.55/24", gateway = "10.10.0.1" } }
    ops = { network = "vmbr2", vlan = 31, mac = "bc:24:11:1a:2b:3c", bandwidth_mbps = 50, mtu = 1400, options = { firewall = "0" } }
    spare = { network = "vmbr1" }
  }`,
		`placement   = { host = "pve1" }`,
		`watchdog    = "reset"`,
		`rng         = true`,
		`console     = { type = "spice" }`,
		`proxmox     = { vm_id = 4711, machine = "q35", scsi_controller = "virtio-scsi-single", autostart = false, options = { tablet = "0" } }`)
	w.Write("main.tf", second)
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("live changes are announced: %v", found)
	}
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	if n := boots() - began; n != 0 {
		t.Errorf("live changes switched the VM %d times", n)
	}

	// Restart: announced, then obeyed.
	last := strings.Replace(second, "size_mib = 1536", "size_mib = 1024", 1)
	w.Write("main.tf", last)
	expectOne(t, w.Diagnostics("plan"), address, "warning", `This change restarts the VM.*memory\.size_mib`)
	w.Apply()
	w.EmptyPlan()
	if boots() == began {
		t.Error("the VM was not restarted")
	}

	// Adopted by its name and its id.
	for _, id := range []string{"web", "4711"} {
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

// What somebody does to a VM by hand is a difference to repair or none, and never an error.
func TestAccVM_changedByHandOnProxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}, Guests: true})
	w := workspace(t, s.Config(named("vm", "renamed", `power_state = "stopped"`)+named("vm", "deleted", `power_state = "stopped"`)+
		named("vm", "stopped")+named("vm", "managed", `power_state = "running"`)+named("vm", "moved", `power_state = "stopped"`)+
		named("vm", "smaller", `cpu = { cores = 2 }`, `power_state = "stopped"`), `storage = "shared"`))
	w.Apply()
	w.EmptyPlan()
	s.Change("renamed", "name", "other")
	s.Change("smaller", "cores", "1")
	s.Run("DELETE", "deleted", "")
	s.Run("POST", "stopped", "/status/stop")
	s.Run("POST", "managed", "/status/stop")
	target := "pve2"
	if s.VM("moved").Node == "pve2" {
		target = "pve1"
	}
	s.Run("POST", "moved", "/migrate", "target", target)
	out := w.Apply()
	if !strings.Contains(out, "1 added, 3 changed, 0 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	if !s.Has("renamed") || s.Has("other") || !s.Has("deleted") || s.VM("managed").Status != "running" || s.VM("stopped").Status != "stopped" ||
		s.Hardware("smaller")["cores"] != "2" || s.VM("moved").Node != target || w.Attributes("virtrigaud_vm.moved")["host"] != target {
		t.Errorf("the VMs are not as configured: %+v", s.VMs())
	}
	w.Destroy()
	s.AssertEmpty()
}
