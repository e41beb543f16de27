package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func provider(uri string) string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

provider "virtrigaud" {
  libvirt = { uri = %q }
}
`, uri)
}

// TestInterruptedUploadLeavesNothing stops an apply while an image is on its way.
func TestInterruptedUploadLeavesNothing(t *testing.T) {
	lab := libvirtlab.Start(t)
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(64<<20))
		if r.Method == http.MethodHead {
			return
		}
		_, _ = io.CopyN(w, zeroless{}, 16<<20)
		w.(http.Flusher).Flush()
		select { // the rest never comes
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)

	w := tfrun.New(t)
	w.Write("main.tf", provider(lab.URI())+fmt.Sprintf(`
resource "virtrigaud_image" "slow" {
  name = "slow"
  url  = "%s/slow.raw"
}
`, server.URL))
	apply := w.Start("apply", "-auto-approve")
	apply.Until("a volume takes the upload", func() bool {
		return slices.ContainsFunc(lab.Volumes(t, libvirtlab.Pool), func(name string) bool { return strings.HasPrefix(name, "slow") })
	})
	apply.Interrupt()
	lab.AssertEmpty(t)
	if left := w.State(); len(left) > 0 {
		t.Errorf("state has %v", left)
	}
}

// zeroless is data without holes.
type zeroless struct{}

func (zeroless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)%255 + 1
	}
	return len(p), nil
}

// TestInterruptedCreationIsKept stops an apply while it waits for an address
// that never comes: the VM is in state, tainted, and the next apply replaces it.
func TestInterruptedCreationIsKept(t *testing.T) {
	lab := libvirtlab.Start(t)
	w := tfrun.New(t)
	configure := func(wait string) {
		w.Write("main.tf", provider(lab.URI())+fmt.Sprintf(`
resource "virtrigaud_vm" "blank" {
  name     = "blank"
  memory   = { size_mib = 128 }
  disks    = { root = { size_gib = 1 } }
  networks = { lan = { network = "default" } }
  shutdown = { timeout = "0s" }
  %s
}
`, wait))
	}
	configure(`wait_for = { agent = true, timeout = "10m" }`)
	apply := w.Start("apply", "-auto-approve")
	apply.Until("the VM runs", func() bool {
		return strings.Contains(lab.Virsh(t, "list", "--name"), "blank")
	})
	apply.Interrupt()
	if got := w.State(); !slices.Equal(got, []string{"virtrigaud_vm.blank"}) {
		t.Fatalf("state has %v", got)
	}
	configure("")
	if out := w.Must("plan"); !strings.Contains(out, "is tainted") {
		t.Errorf("the VM is not tainted:\n%s", out)
	}
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
	lab.AssertEmpty(t)
}

// TestDaemonRestartsDuringApply takes libvirtd away while VMs are made, and again
// while they get another disk. What cannot be finished says why, nothing is
// forgotten or made twice, and the next apply heals.
func TestDaemonRestartsDuringApply(t *testing.T) {
	lab := libvirtlab.Start(t)
	w := tfrun.New(t)
	configure := func(more string) {
		w.Write("main.tf", provider(lab.URI())+fmt.Sprintf(`
resource "virtrigaud_image" "tiny" {
  name       = "tiny"
  local_path = %q
}

resource "virtrigaud_vm" "many" {
  count    = 6
  name     = "many-${count.index}"
  image    = virtrigaud_image.tiny.id
  memory   = { size_mib = 128 }
  disks = {
    root = { size_gib = 1 }
    %s
  }
  networks = { lan = { network = "default" } }
  shutdown = { timeout = "0s" }
  power_state = "stopped"
}
`, lab.TinyImage(t), more))
	}
	volumes := func(part string) (n int) {
		for _, name := range lab.Volumes(t, libvirtlab.Pool) {
			if strings.Contains(name, part) {
				n++
			}
		}
		return n
	}
	interrupted := func(what string, begun func() bool) {
		t.Helper()
		apply := w.Start("apply", "-auto-approve")
		apply.Until(what, begun)
		lab.Restart(t)
		if out, err := apply.Wait(); err != nil && !strings.Contains(tfrun.Unwrap(out), "connection to libvirtd") {
			t.Errorf("the failure does not name the cause:\n%s", out)
		}
		w.Apply()
		w.EmptyPlan()
	}
	configure("")
	interrupted("the first VM exists", func() bool { return len(lab.Domains(t)) > 0 })
	if got := len(lab.Domains(t)); got != 6 {
		t.Errorf("%d VMs exist, want 6", got)
	}
	configure("data = { size_gib = 1 }")
	interrupted("the first disk is there", func() bool { return volumes("data") > 0 })
	if got := volumes("data"); got != 6 {
		t.Errorf("%d data disks exist, want 6", got)
	}
	w.Destroy()
	lab.AssertEmpty(t)
}

// TestDeletedBehindOurBack removes things with another tool: the next plan makes
// them anew and says nothing of errors.
func TestDeletedBehindOurBack(t *testing.T) {
	lab := libvirtlab.Start(t)
	w := tfrun.New(t)
	w.Write("main.tf", provider(lab.URI())+`
resource "virtrigaud_vm" "blank" {
  name   = "blank"
  memory = { size_mib = 128 }
  disks = {
    root = { size_gib = 1 }
    data = { size_gib = 1 }
  }
  power_state = "stopped"
}
`)
	w.Apply()
	w.EmptyPlan()

	t.Run("a volume", func(t *testing.T) {
		var data string
		for _, name := range lab.Volumes(t, libvirtlab.Pool) {
			if strings.Contains(name, "data") {
				data = name
			}
		}
		lab.Virsh(t, "vol-delete", "--pool", libvirtlab.Pool, data)
		if out := w.Must("plan"); !strings.Contains(out, "will be updated in-place") {
			t.Errorf("the plan does not bring the disk back:\n%s", out)
		}
		w.Apply()
		w.EmptyPlan()
		if !slices.ContainsFunc(lab.Volumes(t, libvirtlab.Pool), func(name string) bool { return strings.Contains(name, "data") }) {
			t.Error("the volume did not come back")
		}
	})
	t.Run("the VM", func(t *testing.T) {
		lab.Virsh(t, "undefine", "blank")
		for _, name := range lab.Volumes(t, libvirtlab.Pool) {
			lab.Virsh(t, "vol-delete", "--pool", libvirtlab.Pool, name)
		}
		if out := w.Must("plan"); !strings.Contains(out, "virtrigaud_vm.blank will be created") {
			t.Errorf("the plan does not create it:\n%s", out)
		}
		w.Apply()
		w.EmptyPlan()
	})
	w.Destroy()
	lab.AssertEmpty(t)
}

// TestBadInput asks for what cannot be: one clear error each, nothing left behind.
func TestBadInput(t *testing.T) {
	lab := libvirtlab.Start(t)
	vm := func(more string) string {
		return provider(lab.URI()) + fmt.Sprintf(`
resource "virtrigaud_vm" "x" {
  name        = "x"
  memory      = { size_mib = 128 }
  power_state = "stopped"
  %s
}
`, more)
	}
	tests := []struct {
		name, config string
		says         []string
	}{
		{"wrong URI", provider("qemu+ftp://host/system") + `data "virtrigaud_capabilities" "x" {}`, []string{`"ftp" is no transport`, "qemu+ssh://"}},
		{"refused connection", provider("qemu+unix:///system?socket=/nowhere/sock") + `data "virtrigaud_capabilities" "x" {}`, []string{"/nowhere/sock"}},
		{"unknown pool", vm(`disks = { root = { size_gib = 1, storage = "nowhere" } }`), []string{"nowhere", "default", `disks`}},
		{"unknown network", vm(`networks = { lan = { network = "nowhere" } }`), []string{"nowhere", "default"}},
		{"unknown image", vm("image = \"default/nothing\"\n  disks = { root = { size_gib = 1 } }"), []string{"default/nothing"}},
		{"size zero", vm(`disks = { root = { size_gib = 0 } }`), []string{"size_gib", "between 1 and"}},
		{"unknown key of a disk", vm(`disks = { data = { size = 2 } }`), []string{`disks["data"]`, "size_gib"}},
		{"gateway outside", vm(`networks = { lan = { network = "default", ipv4 = { address = "10.0.0.5/24", gateway = "10.9.0.1" } } }`), []string{"10.9.0.1"}},
		{"what libvirt has not", vm(`fault_tolerance = true`), []string{"Fault Tolerance", "libvirt"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := tfrun.New(t)
			w.Write("main.tf", tt.config)
			out := w.Fails(tt.says, "apply", "-auto-approve")
			if n := strings.Count(out, "Error: "); n != 1 {
				t.Errorf("%d errors, want one clear one:\n%s", n, out)
			}
			if left := w.State(); len(left) > 0 {
				t.Errorf("state has %v", left)
			}
		})
	}
	lab.AssertEmpty(t)
}

// TestMisspeltKey has a key that Terraform drops: the plan says that nothing is left.
func TestMisspeltKey(t *testing.T) {
	w := tfrun.New(t)
	w.Write("main.tf", `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}

provider "virtrigaud" {
  mock = {}
}

resource "virtrigaud_vm" "x" {
  name = "x"
  cpu  = { coers = 2 }
}
`)
	if out := tfrun.Unwrap(w.Must("plan")); !strings.Contains(out, "cpu sets nothing") || !strings.Contains(out, "cores") {
		t.Errorf("the plan does not speak of it:\n%s", out)
	}
}

// TestTakenName finds a VM of the same name that is not ours.
func TestTakenName(t *testing.T) {
	lab := libvirtlab.Start(t)
	lab.Define(t, "", `<domain type='qemu'><name>x</name><uuid>0b2f3c4e-6b11-4d38-9d0c-1f6d7c0e5a77</uuid><memory>131072</memory><os><type>hvm</type></os></domain>`)
	w := tfrun.New(t)
	w.Write("main.tf", provider(lab.URI())+`
resource "virtrigaud_vm" "x" {
  name        = "x"
  memory      = { size_mib = 128 }
  power_state = "stopped"
}
`)
	w.Fails([]string{"0b2f3c4e-6b11-4d38-9d0c-1f6d7c0e5a77", "import"}, "apply", "-auto-approve")
	if got := lab.Domains(t); !slices.Equal(got, []string{"x"}) {
		t.Errorf("domains are %v", got)
	}
	lab.Virsh(t, "undefine", "x")
}
