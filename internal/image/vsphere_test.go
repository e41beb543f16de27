package image_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// On vSphere: images of a disk, raw and qcow2, of an ISO, of a VM, and of an item of a content library; taken over by imports,
// replaced when the file changes, gone afterwards.
func TestAccImage_vsphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	w := tfrun.New(t)
	w.Write("disk.raw", string(disk(1, 5<<20)))
	iso := make([]byte, 64<<10)
	copy(iso[0x8000:], "\x01CD001\x01")
	w.Write("rescue.iso", string(iso))
	requirement, _, _ := strings.Cut(header, "provider \"virtrigaud\" {")
	config := `
resource "virtrigaud_image" "raw" {
  name       = "raw"
  local_path = "${path.module}/disk.raw"
}
resource "virtrigaud_image" "iso" {
  name       = "rescue.iso"
  kind       = "iso"
  local_path = "${path.module}/rescue.iso"
  storage    = "fast"
}
resource "virtrigaud_image" "item" {
  name            = "item"
  content_library = "shared/tiny"
}
resource "virtrigaud_vm" "web" {
  name        = "web"
  image       = virtrigaud_image.raw.id
  disks       = { root = {} }
  cdrom       = { iso = virtrigaud_image.iso.id }
  power_state = "stopped"
}
resource "virtrigaud_image" "golden" {
  name  = "golden-web"
  kind  = "template"
  vm_id = virtrigaud_vm.web.id
}
`
	addresses := []string{"virtrigaud_image.raw", "virtrigaud_image.iso", "virtrigaud_image.item", "virtrigaud_image.golden"}
	if path, err := exec.LookPath("qemu-img"); err == nil {
		if out, err := exec.CommandContext(t.Context(), path, "convert", "-f", "raw", "-O", "qcow2", filepath.Join(w.Dir, "disk.raw"), filepath.Join(w.Dir, "disk.qcow2")).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		config += `
resource "virtrigaud_image" "cloud" {
  name       = "cloud"
  local_path = "${path.module}/disk.qcow2"
  storage    = "fast"
}
resource "virtrigaud_vm" "cloud" {
  name        = "cloud-vm"
  image       = virtrigaud_image.cloud.id
  disks       = { root = {} }
  power_state = "stopped"
}
`
		addresses = append(addresses, "virtrigaud_image.cloud")
	}
	w.Write("main.tf", requirement+s.Config(config))
	w.Apply()
	w.EmptyPlan()
	for _, name := range []string{"web", "cloud-vm"} {
		if !s.Has(name) {
			continue
		}
		if got, err := s.ReadDisk(name, 0, 0, 5<<20); err != nil || !bytes.Equal(got, disk(1, 5<<20)) {
			t.Errorf("the disk of %s has other content than the image (%v)", name, err)
		}
	}
	if a := w.Attributes("virtrigaud_image.raw"); a["format"] != "raw" || a["target_format"] != "vmdk" || a["size_bytes"] != float64(5<<20) {
		t.Errorf("the image is %v", a)
	}
	for _, address := range addresses {
		before := w.Attributes(address)
		w.Must("state", "rm", address)
		w.Must("import", address, before["id"].(string))
		if after := w.Attributes(address); after["fingerprint"] != before["fingerprint"] {
			t.Errorf("%s has the fingerprint %v after an import, had %v", address, after["fingerprint"], before["fingerprint"])
		}
	}
	if out := w.Apply(); !strings.Contains(out, "0 added") || !strings.Contains(out, "0 destroyed") {
		t.Errorf("the first configuration after imports is not an update in place:\n%s", out)
	}
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}
