package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// additions are what the configuration of the test has beside the VM.
func (s settings) additions() (text string) {
	if s.snapshot {
		text += fmt.Sprintf(`
resource "virtrigaud_snapshot" "before" {
  vm_id           = virtrigaud_vm.web.id
  name            = "before"
  description     = "Before the change"
  memory          = true
  revert_triggers = { wanted = "%d" }
}
`, s.reverts)
	}
	if s.clone {
		text += `
resource "virtrigaud_clone" "web2" {
  name      = "web-02"
  source_vm = virtrigaud_vm.web.id
  linked    = true
  networks = {
    lan = { network = "default" }
    san = {
      network = "san"
      ipv4    = { address = "10.77.0.6/24" }
    }
  }
  power_state = "running"
  wait_for    = { agent = true, ipv4 = true, network = "lan", timeout = "5m" }
}
`
	}
	return text
}

// snapshotsAndClones takes a running Debian back to a snapshot with its memory, and makes a linked clone of it that is a machine of its own.
func snapshotsAndClones(t *testing.T, lab *libvirtlab.Lab, w *tfrun.Workspace, s *settings, configure func()) {
	web := guest{t: t, lab: lab, domain: "web-01"}
	t.Run("a snapshot with memory brings the old content back", func(t *testing.T) {
		booted := web.run("cat", "/proc/sys/kernel/random/boot_id")
		web.run("sh", "-c", "echo old > /root/content; echo old > /dev/shm/content; sync")
		s.snapshot = true
		configure()
		w.Apply()
		w.EmptyPlan()
		web.run("sh", "-c", "echo new > /root/content; echo new > /dev/shm/content; sync")
		w.EmptyPlan()
		s.reverts++
		configure()
		if out := w.Must("plan"); !strings.Contains(tfrun.Unwrap(out), "revert") {
			t.Errorf("the plan does not say that the VM is reverted:\n%s", out)
		}
		w.Apply()
		for _, file := range []string{"/root/content", "/dev/shm/content"} {
			if got := strings.TrimSpace(web.run("cat", file)); got != "old" {
				t.Errorf("after the revert %s has %q", file, got)
			}
		}
		if web.run("cat", "/proc/sys/kernel/random/boot_id") != booted {
			t.Error("the guest was started anew, so its memory is lost")
		}
		w.EmptyPlan()
	})
	t.Run("a linked clone is a machine of its own", func(t *testing.T) {
		s.clone = true
		configure()
		w.Apply()
		clone := guest{t: t, lab: lab, domain: "web-02"}
		clone.await("cloud-init", "status", "--wait")
		if got := strings.TrimSpace(clone.run("cat", "/proc/sys/kernel/hostname")); got != "web-02" {
			t.Errorf("the clone's host name is %q", got)
		}
		if got := strings.TrimSpace(clone.run("cat", "/root/content")); got != "old" {
			t.Errorf("the clone's copy of the file has %q", got)
		}
		var addresses []string
		for _, name := range []string{"virtrigaud_vm.web", "virtrigaud_clone.web2"} {
			address, _ := w.Attributes(name)["ip_address"].(string)
			addresses = append(addresses, address)
		}
		if addresses[0] == "" || addresses[1] == "" || addresses[0] == addresses[1] {
			t.Errorf("the addresses of VM and clone are %q", addresses)
		}
		if seen := clone.run("ip", "-4", "-o", "addr"); !strings.Contains(seen, " "+addresses[1]+"/") {
			t.Errorf("terraform says %q, the clone says %q", addresses[1], seen)
		}
		if web.run("cat", "/etc/machine-id") == clone.run("cat", "/etc/machine-id") {
			t.Error("VM and clone have the same machine id")
		}
		clone.run("sh", "-c", "echo clone > /root/content; sync")
		if got := strings.TrimSpace(web.run("cat", "/root/content")); got != "old" {
			t.Errorf("what the clone writes shows in its source: %q", got)
		}
		w.EmptyPlan()
	})
	t.Run("the last clone takes its base with it", func(t *testing.T) {
		s.clone = false
		configure()
		w.Apply()
		if got := strings.TrimSpace(web.run("cat", "/root/content")); got != "old" {
			t.Errorf("the source has %q after its clone is gone", got)
		}
		w.EmptyPlan()
	})
	t.Run("without the snapshot the VM has one volume again", func(t *testing.T) {
		s.snapshot = false
		configure()
		w.Apply()
		w.EmptyPlan()
		var mine []string
		for _, name := range lab.Volumes(t, libvirtlab.Pool) {
			if strings.HasPrefix(name, "web-01") && !strings.Contains(name, "seed") {
				mine = append(mine, name)
			}
		}
		if len(mine) != 1 {
			t.Errorf("the VM's volumes are %q", mine)
		}
	})
}

// TestDataOutlivesItsVM replaces a VM while its data disk stays.
func TestDataOutlivesItsVM(t *testing.T) {
	lab := libvirtlab.Start(t)
	w := tfrun.New(t)
	configure := func(resource, vm string) {
		w.Write("main.tf", provider(lab.URI())+fmt.Sprintf(`
resource "virtrigaud_image" "tiny" {
  name       = "tiny"
  local_path = %q
}

resource "virtrigaud_disk" "data" {
  name     = "pgdata"
  size_gib = 1
}

resource "virtrigaud_vm" %q {
  name        = %q
  image       = virtrigaud_image.tiny.id
  memory      = { size_mib = 256 }
  disks       = { root = {}, data = { volume = virtrigaud_disk.data.id } }
  networks    = { lan = { network = "default" } }
  power_state = "running"
  wait_for    = { agent = true, timeout = "3m" }
}
`, lab.TinyImage(t), resource, vm))
	}
	read := func(domain string) string {
		g := guest{t: t, lab: lab, domain: domain}
		return strings.TrimSpace(g.run("dd", "if=/dev/vdb", "bs=16", "count=1", "status=none"))
	}
	configure("a", "db-a")
	w.Apply()
	first := guest{t: t, lab: lab, domain: "db-a"}
	first.run("sh", "-c", "printf 'what must remain' | dd of=/dev/vdb conv=fsync")

	w.Must("apply", "-auto-approve", "-replace=virtrigaud_vm.a")
	w.EmptyPlan()
	if got := read("db-a"); got != "what must remain" {
		t.Errorf("after the replacement the disk holds %q", got)
	}
	// Another resource, another VM: the disk goes from the one to the other in one apply.
	configure("b", "db-b")
	w.Apply()
	w.EmptyPlan()
	if got := read("db-b"); got != "what must remain" {
		t.Errorf("at the successor the disk holds %q", got)
	}
	if domains := lab.Domains(t); !slices.Equal(domains, []string{"db-b"}) {
		t.Errorf("the VMs are %q", domains)
	}
	w.Destroy()
	lab.AssertEmpty(t)
}
