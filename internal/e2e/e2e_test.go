// Package e2e proves the whole: a person's commands, the provider as it is
// released, a real libvirtd, and a real Debian guest that boots under QEMU.
package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func TestMain(m *testing.M) { os.Exit(tfrun.Main(m)) }

// settings are what the configuration of the test leaves open.
type settings struct {
	cores, memory, root int
	data                bool

	snapshot bool
	reverts  int
	clone    bool
}

func configuration(lab *libvirtlab.Lab, image string, s settings) string {
	data := ""
	if s.data {
		data = "data = { size_gib = 1 }"
	}
	return fmt.Sprintf(`
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

provider "virtrigaud" {
  libvirt = { uri = %q }
}

resource "virtrigaud_image" "debian" {
  name       = "debian"
  local_path = %q
}

resource "virtrigaud_vm" "web" {
  name        = "web-01"
  description = "A real guest"
  image       = virtrigaud_image.debian.id
  cpu         = { cores = %d }
  memory      = { size_mib = %d, max_mib = 1024 }
  disks = {
    root = { size_gib = %d }
    %s
  }
  networks = {
    lan = { network = "default" }
    san = {
      network = "san"
      ipv4    = { address = "10.77.0.5/24" }
    }
  }
  dns = { servers = ["10.77.0.1"], search = ["example.test"] }
  cloud_init = {
    hostname = "web-from-cloud-init"
    user_data = <<-YAML
      #cloud-config
      write_files:
        - path: /etc/proof
          content: made by cloud-init
      YAML
    users = [{ name = "ops", ssh_authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICy34ZjA9Nyp15K9TV5ln+9ebz0DCgxUzuQx4KzShgj4 ops"] }]
  }
  power_state = "running"
  wait_for    = { agent = true, ipv4 = true, network = "lan", timeout = "5m" }
}

output "address" {
  value = virtrigaud_vm.web.ip_address
}

output "addresses" {
  value = virtrigaud_vm.web.ip_addresses
}
`, lab.URI(), image, s.cores, s.memory, s.root, data) + s.additions()
}

// TestRealGuest follows a VM through its life: created, booted, configured by
// cloud-init, read, taken back to a snapshot, cloned, changed, imported, destroyed.
func TestRealGuest(t *testing.T) {
	lab := libvirtlab.Start(t)
	image := lab.FullImage(t)
	lab.Define(t, "net", `<network><name>san</name><bridge name='virbr-san'/><ip address='10.77.0.1' netmask='255.255.255.0'/></network>`)
	lab.Virsh(t, "net-start", "san")
	w := tfrun.New(t)
	s := settings{cores: 2, memory: 512, root: 2}
	configure := func() { w.Write("main.tf", configuration(lab, image, s)) }

	configure()
	w.Apply()
	g := guest{t: t, lab: lab, domain: "web-01"}

	t.Run("terraform prints the address that the guest got by DHCP", func(t *testing.T) {
		address := strings.TrimSpace(w.Must("output", "-raw", "address"))
		if seen := g.run("ip", "-4", "-o", "addr", "show", "lan"); address == "" || !strings.Contains(seen, " "+address+"/") {
			t.Errorf("output says %q, the guest says %q", address, seen)
		}
	})
	t.Run("cloud-init did its work", func(t *testing.T) {
		g.await("cloud-init", "status", "--wait")
		if got := strings.TrimSpace(g.run("cat", "/proc/sys/kernel/hostname")); got != "web-from-cloud-init" {
			t.Errorf("the host name is %q", got)
		}
		if got := g.run("cat", "/etc/proof"); got != "made by cloud-init" {
			t.Errorf("the file of user_data has %q", got)
		}
		if got := g.run("cat", "/home/ops/.ssh/authorized_keys"); !strings.Contains(got, "ssh-ed25519 ") {
			t.Errorf("the user's keys are %q", got)
		}
		if got := g.run("ip", "-4", "-o", "addr", "show", "san"); !strings.Contains(got, " 10.77.0.5/24 ") {
			t.Errorf("the static address is not there: %q", got)
		}
		if got := g.run("resolvectl", "dns"); !strings.Contains(got, "10.77.0.1") {
			t.Errorf("the DNS server is not there: %q", got)
		}
	})
	t.Run("the root file system has grown with its disk", func(t *testing.T) { g.wantSize("/", 1700) })
	t.Run("terraform knows both addresses", func(t *testing.T) {
		w.Must("apply", "-refresh-only", "-auto-approve")
		if got := w.Must("output", "-json", "addresses"); !strings.Contains(got, "10.77.0.5") {
			t.Errorf("the static address is missing: %s", got)
		}
	})
	w.EmptyPlan()
	snapshotsAndClones(t, lab, w, &s, configure)

	t.Run("memory is raised while the guest runs", func(t *testing.T) {
		booted := g.run("cat", "/proc/sys/kernel/random/boot_id")
		before := g.memory()
		s.memory = 768
		configure()
		w.Apply()
		g.until("the guest has more memory", func() bool { return g.memory() > before+200_000 })
		if g.run("cat", "/proc/sys/kernel/random/boot_id") != booted {
			t.Error("the guest was restarted")
		}
		w.EmptyPlan()
	})
	t.Run("a data disk is added while the guest runs", func(t *testing.T) {
		booted := g.run("cat", "/proc/sys/kernel/random/boot_id")
		disks := g.disks()
		s.data = true
		configure()
		w.Apply()
		g.until("the guest sees the disk", func() bool { return g.disks() == disks+1 })
		if g.run("cat", "/proc/sys/kernel/random/boot_id") != booted {
			t.Error("the guest was restarted")
		}
		w.EmptyPlan()
	})
	t.Run("vCPUs are raised with a restart that the plan announces", func(t *testing.T) {
		s.cores = 3
		configure()
		if out := w.Must("plan"); !strings.Contains(tfrun.Unwrap(out), "restarts the VM") {
			t.Errorf("the plan does not announce the restart:\n%s", out)
		}
		w.Apply()
		if got := strings.TrimSpace(g.run("nproc")); got != "3" {
			t.Errorf("the guest has %s processors", got)
		}
		w.EmptyPlan()
	})
	t.Run("the root disk grows while the guest runs", func(t *testing.T) {
		s.root = 3
		configure()
		w.Apply()
		g.until("the guest sees the size", func() bool {
			return strings.TrimSpace(g.run("cat", "/sys/class/block/vda/size")) == fmt.Sprint(3<<30/512)
		})
		w.EmptyPlan()
	})
	t.Run("an import gives an empty plan", func(t *testing.T) {
		id, _ := w.Attributes("virtrigaud_vm.web")["id"].(string)
		w.Must("state", "rm", "virtrigaud_vm.web")
		w.Must("import", "virtrigaud_vm.web", id)
		w.EmptyPlan()
	})
	w.Destroy()
	lab.AssertEmpty(t)
}
