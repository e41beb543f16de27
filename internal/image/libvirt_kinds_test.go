package image_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/ovf/ovftest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func qemuImg(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "qemu-img", args...).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// as makes an image of the workspace's disk.raw in another format.
func as(t *testing.T, w *tfrun.Workspace, file string, args ...string) string {
	t.Helper()
	to := filepath.Join(w.Dir, file)
	qemuImg(t, append(append([]string{"convert", "-f", "raw"}, args...), filepath.Join(w.Dir, "disk.raw"), to)...)
	return to
}

// Formats that QEMU should not run from become qcow2, on the host or on their way.
func TestAccImage_libvirtConversion(t *testing.T) {
	lab := libvirtlab.Shared(t)
	w := tfrun.New(t)
	raw := w.Write("disk.raw", string(disk(1, 5<<20)))
	as(t, w, "disk.vmdk", "-O", "vmdk", "-o", "subformat=streamOptimized")
	as(t, w, "disk.vhdx", "-O", "vhdx")
	w.Write("main.tf", onLibvirt(lab)+`
resource "virtrigaud_image" "vmdk" {
  name       = "acc-image-vmdk"
  local_path = "disk.vmdk"
}
resource "virtrigaud_image" "vhdx" {
  name          = "acc-image-vhdx"
  local_path    = "disk.vhdx"
  target_format = "raw"
}
resource "virtrigaud_image" "again" {
  name       = "acc-image-again"
  local_path = "disk.vmdk"
  depends_on = [virtrigaud_image.vmdk]
}`)
	w.Apply()
	w.EmptyPlan()
	for name, want := range map[string][3]any{
		"vmdk": {"vmdk", "qcow2", false}, "vhdx": {"vhdx", "raw", false}, "again": {"qcow2", "qcow2", true},
	} {
		got := w.Attributes("virtrigaud_image." + name)
		if got["format"] != want[0] || got["target_format"] != want[1] || got["cached"] != want[2] || got["size_bytes"] != float64(5<<20) {
			t.Errorf("%s is %v", name, got)
		}
		qemuImg(t, "compare", "-f", want[1].(string), "-F", "raw", got["path"].(string), raw)
	}
	w.Destroy()
	noVolume(t, lab)
}

// One clear error each, and nothing left in the pool.
func TestAccImage_libvirtBrokenFiles(t *testing.T) {
	lab := libvirtlab.Shared(t)
	dir := lab.DirPool(t, "acc-tiny")
	if _, err := lab.Exec(t.Context(), "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", dir); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := lab.Exec(t.Context(), "umount", "-l", dir); err != nil {
			t.Error(err)
		}
	}()
	lab.Virsh(t, "pool-refresh", "acc-tiny")
	w := tfrun.New(t)
	w.Write("disk.raw", string(disk(1, 5<<20)))
	for _, file := range []string{as(t, w, "disk.qcow2", "-O", "qcow2"), as(t, w, "disk.vmdk", "-O", "vmdk", "-o", "subformat=streamOptimized")} {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w.Write("short-"+filepath.Base(file), string(whole[:len(whole)/2]))
	}
	p := appliance("web")
	files := p.Files()
	w.Write("missing.ova", string(ovftest.Archive(files[0], files[1])))
	w.Write("broken.ova", string(ovftest.Archive(files[0], files[1], ovftest.File{Name: files[2].Name, Content: disk(7, len(files[2].Content))}, ovftest.Manifest("web", files...))))
	for name, tt := range map[string]struct {
		body string
		says []string
	}{
		"truncated qcow2":        {`local_path = "short-disk.qcow2"`, []string{"cut short", "local_path ="}},
		"truncated vmdk":         {`local_path = "short-disk.vmdk"`, []string{"cut short", "local_path ="}},
		"larger than the pool":   {"local_path = \"disk.qcow2\"\nstorage = \"acc-tiny\"", []string{`storage pool "acc-tiny" has`, "needs 6 MiB", "storage ="}},
		"OVA without a disk":     {`local_path = "missing.ova"`, []string{`lacks the file "web-2.raw"`, "local_path ="}},
		"OVA with another disk":  {`local_path = "broken.ova"`, []string{"web-2.raw", "manifest", "local_path ="}},
		"OVA, not what it seems": {"local_path = \"disk.vmdk\"\nkind = \"ova\"", []string{"vmdk image, not an OVA", "local_path ="}},
	} {
		t.Run(name, func(t *testing.T) {
			w.Write("main.tf", onLibvirt(lab)+"resource \"virtrigaud_image\" \"x\" {\n  name = \"acc-image\"\n"+tt.body+"\n}\n")
			w.Fails(append(tt.says, `image "acc-image"`), "apply", "-auto-approve")
			if left := w.State(); len(left) > 0 {
				t.Errorf("the state has %v", left)
			}
			lab.AssertEmpty(t)
		})
	}
}

// An appliance of two VMDKs becomes a template, and a VM is made from that.
func TestAccImage_libvirtAppliance(t *testing.T) {
	lab := libvirtlab.Shared(t)
	w := tfrun.New(t)
	raw := w.Write("disk.raw", string(disk(1, 5<<20)))
	vmdk, err := os.ReadFile(as(t, w, "disk.vmdk", "-O", "vmdk", "-o", "subformat=streamOptimized"))
	if err != nil {
		t.Fatal(err)
	}
	p := appliance("acc-image")
	p.Disks = []ovftest.Disk{
		{File: ovftest.File{Name: "acc-image-disk1.vmdk", Content: vmdk}, Capacity: 5 << 20},
		{Capacity: 2 << 30},
	}
	w.Write("web.ova", string(p.OVA()))
	w.Write("main.tf", onLibvirt(lab)+`
resource "virtrigaud_image" "x" {
  name       = "acc-image"
  local_path = "web.ova"
}
resource "virtrigaud_vm" "x" {
  name        = "acc-image-vm"
  template    = virtrigaud_image.x.id
  power_state = "stopped"
}`)
	w.Apply()
	w.EmptyPlan()
	vm := w.Attributes("virtrigaud_vm.x")
	disks := vm["disks"].(map[string]any)
	root, second := disks["root"].(map[string]any), disks["disk2"].(map[string]any)
	if root["size_gib"] != float64(1) || second["size_gib"] != float64(2) {
		t.Errorf("the disks are %v", disks)
	}
	if memory := vm["memory"].(map[string]any); memory["size_mib"] != float64(320) {
		t.Errorf("the memory is %v", memory)
	}
	qemuImg(t, "compare", "-F", "raw", root["path"].(string), raw)
	id := w.Attributes("virtrigaud_image.x")["id"]
	w.Must("state", "rm", "virtrigaud_image.x")
	w.Must("import", "virtrigaud_image.x", fmt.Sprint(id))
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("the first configuration after an import is not an update in place:\n%s", out)
	}
	w.EmptyPlan()
	w.Destroy()
	lab.AssertEmpty(t)
}
