package image_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// On Proxmox VE: images of a disk, raw and qcow2, sent and fetched by the node, of an ISO, of an appliance and of a VM; taken over by
// imports, gone afterwards with the files that they came in.
func TestAccImage_proxmox(t *testing.T) {
	t.Parallel()
	s, site, w := acctest.NewProxmox(t, pvesim.Options{}), newSite(t), tfrun.New(t)
	content := disk(1, 5<<20)
	w.Write("disk.qcow2", string(asQCOW2(content)))
	w.Write("box.ova", string(appliance("box").OVA()))
	iso := make([]byte, 64<<10)
	copy(iso[0x8000:], "\x01CD001\x01")
	w.Write("rescue.iso", string(iso))
	requirement, _, _ := strings.Cut(header, "provider \"virtrigaud\" {")
	w.Write("main.tf", requirement+s.Config(fmt.Sprintf(`
resource "virtrigaud_image" "cloud" {
  name       = "cloud"
  local_path = "${path.module}/disk.qcow2"
}
resource "virtrigaud_image" "fetched" {
  name    = "fetched"
  url     = %q
  storage = "local-lvm"
}
resource "virtrigaud_image" "rescue" {
  name       = "rescue"
  kind       = "iso"
  local_path = "${path.module}/rescue.iso"
}
resource "virtrigaud_image" "box" {
  name       = "box"
  local_path = "${path.module}/box.ova"
}
resource "virtrigaud_vm" "web" {
  name        = "web"
  image       = virtrigaud_image.cloud.id
  disks       = { root = { size_gib = 1 } }
  cdrom       = { iso = virtrigaud_image.rescue.id }
  power_state = "stopped"
}
resource "virtrigaud_vm" "thin" {
  name        = "thin"
  image       = virtrigaud_image.fetched.id
  disks       = { root = {} }
  power_state = "stopped"
}
resource "virtrigaud_vm" "app" {
  name        = "app"
  template    = virtrigaud_image.box.id
  networks    = { net1 = { network = "vmbr1" } }
  power_state = "stopped"
}
resource "virtrigaud_image" "golden" {
  name  = "golden"
  kind  = "template"
  vm_id = virtrigaud_vm.web.id
}
`, site.serve("/disk.raw", content))))
	w.Apply()
	w.EmptyPlan()
	if got := s.Sum("download-url"); got != 1 {
		t.Errorf("the node fetched %d files by itself, not the one that has a URL", got)
	}
	for _, vm := range []string{"web", "thin"} {
		volume, _, _ := strings.Cut(s.Hardware(vm)["scsi0"], ",")
		if got, err := s.ReadVolume("", volume, 0, len(content)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("the disk %q of %s has other content than the image (%v)", volume, vm, err)
		}
	}
	if app := s.Hardware("app"); app["cores"] != "2" || app["memory"] != "320" || !strings.Contains(app["net0"], "vmbr1") || app["scsi1"] == "" {
		t.Errorf("what was made of the appliance is %v", app)
	}
	for _, volume := range s.Volumes("", "local") {
		if strings.Contains(volume, ":import/") {
			t.Errorf("on its way a disk left %s", volume)
		}
	}
	for name, want := range map[string]struct {
		kind, format, target string
		bytes                float64
	}{
		"cloud": {"disk", "qcow2", "qcow2", 5 << 20}, "rescue": {"iso", "iso", "iso", 64 << 10},
		"fetched": {"disk", "raw", "raw", 8 << 20}, // LVM gives whole extents
	} {
		a := w.Attributes("virtrigaud_image." + name)
		if a["kind"] != want.kind || a["format"] != want.format || a["target_format"] != want.target || a["size_bytes"] != want.bytes {
			t.Errorf("the image %s is %v", name, a)
		}
	}

	for _, name := range []string{"cloud", "rescue", "box"} {
		address := "virtrigaud_image." + name
		before := w.Attributes(address)
		w.Must("state", "rm", address)
		w.Must("import", address, before["id"].(string))
		if after := w.Attributes(address); after["fingerprint"] != before["fingerprint"] || after["name"] != before["name"] || after["kind"] != before["kind"] {
			t.Errorf("after an import the image %v is %v", before, after)
		}
	}
	if out := w.Apply(); !strings.Contains(out, "0 added") || !strings.Contains(out, "0 destroyed") {
		t.Errorf("the first configuration after imports is not an update in place:\n%s", out)
	}
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}

// asQCOW2 is an image of version 2 of a disk of up to 512 MiB, without compression.
func asQCOW2(disk []byte) []byte {
	const cluster = 64 << 10
	be := binary.BigEndian
	image := make([]byte, 5*cluster, 6*cluster+len(disk))
	copy(image, "QFI\xfb")
	be.PutUint32(image[4:], 2)                  // version
	be.PutUint32(image[20:], 16)                // bits of a cluster
	be.PutUint64(image[24:], uint64(len(disk))) // what a guest sees
	be.PutUint32(image[36:], 1)                 // entries of the first table
	be.PutUint64(image[40:], 3*cluster)         // where it is
	be.PutUint64(image[48:], cluster)           // where the table of counts is
	be.PutUint32(image[56:], 1)                 // how many clusters that has
	be.PutUint64(image[cluster:], 2*cluster)    // the counts themselves
	be.PutUint64(image[3*cluster:], 4*cluster|1<<63)
	for at := 0; at < len(disk); at += cluster {
		be.PutUint64(image[4*cluster+at/cluster*8:], uint64(len(image))|1<<63)
		image = append(image, disk[at:at+cluster]...)
	}
	return image
}
