package image_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func onLibvirt(lab *libvirtlab.Lab) string {
	return strings.Replace(header, `mock = { state_file = "mock.json" }`, fmt.Sprintf("libvirt = { uri = %q }", lab.URI()), 1)
}

// On a real libvirtd: streamed into a pool, believed by the next plan, taken
// over by an import, replaced when the file changes, and gone afterwards.
func TestAccImage_libvirt(t *testing.T) {
	lab := libvirtlab.Shared(t)
	w := tfrun.New(t)
	w.Write("disk.raw", string(disk(1, 5<<20)))
	config := onLibvirt(lab) + `
resource "virtrigaud_image" "x" {
  name       = "acc-image"
  local_path = "${path.module}/disk.raw"
  storage    = var.storage
}
variable "storage" {
  type    = string
  default = "default"
}`
	w.Write("main.tf", config)
	w.Apply()
	w.EmptyPlan()
	before := w.Attributes("virtrigaud_image.x")
	if before["id"] != "default/acc-image" || before["size_bytes"] != float64(5<<20) || before["format"] != "raw" {
		t.Errorf("got %v", before)
	}
	if stored, err := os.ReadFile(before["path"].(string)); err != nil || !bytes.Equal(stored, disk(1, 5<<20)) {
		t.Errorf("the pool has other content: %d bytes, %v", len(stored), err)
	}

	w.Must("state", "rm", "virtrigaud_image.x")
	w.Must("import", "virtrigaud_image.x", "default/acc-image")
	if after := w.Attributes("virtrigaud_image.x"); after["fingerprint"] != before["fingerprint"] {
		t.Errorf("the fingerprint is %v after an import, was %v", after["fingerprint"], before["fingerprint"])
	}
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("the first configuration after an import is not an update in place:\n%s", out)
	}
	w.EmptyPlan()

	w.Write("disk.raw", string(disk(2, 5<<20)))
	if out := w.Apply(); !strings.Contains(out, "1 added, 0 changed, 1 destroyed") {
		t.Errorf("a changed file is not a replacement:\n%s", out)
	}
	w.EmptyPlan()
	w.Fails([]string{"no storage", "var.storage"}, "plan", "-var", "storage=nowhere")
	w.Destroy()
	noVolume(t, lab)
}

// Ctrl-C and a wrong checksum leave no volume in the pool.
func TestAccImage_libvirtFailures(t *testing.T) {
	lab := libvirtlab.Shared(t)
	w, s := tfrun.New(t), newSite(t)
	content := disk(1, 5<<20)
	halfway := make(chan struct{})
	var once sync.Once
	stuck := s.handle("/stuck.raw", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		if r.Method != http.MethodGet {
			return
		}
		_, _ = w.Write(content[:len(content)-512])
		w.(http.Flusher).Flush()
		once.Do(func() { close(halfway) })
		<-r.Context().Done()
	})
	resource := func(body string) string {
		return onLibvirt(lab) + "resource \"virtrigaud_image\" \"x\" {\n  name = \"acc-image\"\n" + body + "\n}\n"
	}
	w.Write("main.tf", resource(fmt.Sprintf("  url = %q", stuck)))
	apply := w.Start("apply", "-auto-approve")
	apply.UntilClosed("most of the image is sent", halfway)
	out := apply.Interrupt()
	if said := tfrun.Unwrap(out); !strings.Contains(said, "error code: canceled") {
		t.Errorf("the apply does not say that it was interrupted:\n%s", out)
	}
	if left := w.State(); len(left) > 0 {
		t.Errorf("the state has %v", left)
	}
	noVolume(t, lab)

	w.Write("main.tf", resource(fmt.Sprintf("  url      = %q\n  checksum = %q", s.serve("/good.raw", content), sum([]byte("other")))))
	w.Fails([]string{"checksum does not match", "checksum ="}, "apply", "-auto-approve")
	noVolume(t, lab)

	w.Write("main.tf", resource(fmt.Sprintf("  url      = %q\n  checksum = %q", s.URL+"/good.raw", sum(content))))
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
	noVolume(t, lab)
}

func noVolume(t *testing.T, lab *libvirtlab.Lab) {
	t.Helper()
	left := slices.DeleteFunc(lab.Volumes(t, libvirtlab.Pool), func(name string) bool { return !strings.Contains(name, "acc-image") })
	if len(left) > 0 {
		t.Errorf("the pool still has %v", left)
	}
}
