package image_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func TestAccImage_url(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	content := disk(1, 3<<20)
	url := s.serve("/debian.raw", content)
	w.Write("main.tf", header+fmt.Sprintf(`
resource "virtrigaud_image" "debian" {
  name     = "debian"
  url      = %q
  checksum = %q
}`, url, sum(content)))

	if out := w.Must("plan"); !strings.Contains(out, "1 to add") {
		t.Errorf("unexpected plan:\n%s", out)
	}
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("the plan asked the server: %v", asked)
	}
	w.Apply()
	got := w.Attributes("virtrigaud_image.debian")
	for name, want := range map[string]any{
		"id": "default/debian", "format": "raw", "target_format": "raw", "storage": "default", "kind": "disk",
		"size_bytes": float64(len(content)), "cached": false, "fingerprint": sum(content),
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if all := images(t, w); len(all) != 1 || all[0].SizeBytes != int64(len(content)) {
		t.Errorf("the hypervisor has %+v", all)
	}

	s.requests()
	w.EmptyPlan()

	// Forgotten by Terraform, found on the hypervisor.
	w.Must("state", "rm", "virtrigaud_image.debian")
	w.Apply()
	if got := w.Attributes("virtrigaud_image.debian"); got["cached"] != true {
		t.Error("the image was not found on the hypervisor")
	}
	w.EmptyPlan()

	// A mirror with the same content, then no checksum: nothing is transferred.
	w.Write("main.tf", header+fmt.Sprintf(`
resource "virtrigaud_image" "debian" {
  name     = "debian"
  url      = %q
  checksum = %q
  timeouts = { create = "5m" }
}`, s.serve("/mirror/debian.raw", content), sum(content)))
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("a mirror was not an update in place:\n%s", out)
	}
	w.EmptyPlan()
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("content that is there was asked for again: %v", asked)
	}

	// Another checksum is another image.
	newer := disk(2, 2<<20)
	w.Write("main.tf", header+fmt.Sprintf(`
resource "virtrigaud_image" "debian" {
  name     = "debian"
  url      = %q
  checksum = %q
}`, s.serve("/debian.raw", newer), sum(newer)))
	if out := w.Must("plan"); !strings.Contains(out, "must be replaced") {
		t.Errorf("another checksum is not a replacement:\n%s", out)
	}
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
	if left := images(t, w); len(left) > 0 {
		t.Errorf("destroy left %+v", left)
	}
}

func TestAccImage_list(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	content := disk(3, 1<<20)
	s.serve("/SHA256SUMS", []byte(strings.TrimPrefix(sum(content), "sha256:")+"  disk.raw\n"))
	w.Write("main.tf", header+fmt.Sprintf(`
resource "virtrigaud_image" "debian" {
  name     = "debian"
  url      = %q
  checksum = "file:%s/SHA256SUMS"
}`, s.serve("/disk.raw", content), s.URL))
	w.Apply()
	if got := w.Attributes("virtrigaud_image.debian")["fingerprint"]; got != sum(content) {
		t.Errorf("fingerprint is %v", got)
	}
	s.requests()
	w.EmptyPlan()
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("an unchanged list was read again: %v", asked)
	}
	w.Destroy()
}

func TestAccImage_localFile(t *testing.T) {
	w := tfrun.New(t)
	file := w.Write("disk.raw", string(disk(1, 1<<20)))
	w.Write("main.tf", header+`
resource "virtrigaud_image" "local" {
  name       = "local"
  local_path = "${path.module}/disk.raw"
}
resource "virtrigaud_vm" "web" {
  name  = "web"
  image = virtrigaud_image.local.id
  disks = { root = { size_gib = 1 } }
}`)
	w.Apply()
	w.EmptyPlan()
	vm := w.Attributes("virtrigaud_vm.web")["id"]

	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
	w.EmptyPlan()

	w.Write("disk.raw", string(disk(2, 1<<20)))
	out := w.Must("plan")
	if !strings.Contains(out, "virtrigaud_image.local must be replaced") || !strings.Contains(out, "fingerprint") {
		t.Errorf("a changed file is not a replacement:\n%s", out)
	}
	w.Apply()
	w.EmptyPlan()
	if now := w.Attributes("virtrigaud_vm.web")["id"]; now != vm {
		t.Errorf("a changed image replaced its VM: %v, before %v", now, vm)
	}
	if got := w.Attributes("virtrigaud_image.local")["fingerprint"]; got != sum(disk(2, 1<<20)) {
		t.Errorf("fingerprint is %v", got)
	}

	// The image outlives the file it came from.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.EmptyPlan()
	w.Destroy()
}

func TestAccImage_import(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	content := disk(1, 1<<20)
	config := header + fmt.Sprintf(`
resource "virtrigaud_image" "debian" {
  name = "debian"
  url  = %q
}`, s.serve("/debian.raw", content))
	w.Write("main.tf", config)
	w.Apply()
	before := w.Attributes("virtrigaud_image.debian")
	w.Must("state", "rm", "virtrigaud_image.debian")
	w.Must("import", "virtrigaud_image.debian", "default/debian")
	after := w.Attributes("virtrigaud_image.debian")
	for _, name := range []string{"id", "name", "storage", "kind", "format", "target_format", "size_bytes", "path", "fingerprint"} {
		if after[name] != before[name] {
			t.Errorf("%s is %v after the import, was %v", name, after[name], before[name])
		}
	}
	s.requests()
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("the first configuration after an import is not an update in place:\n%s", out)
	}
	w.EmptyPlan()
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("an imported image was asked for again: %v", asked)
	}
	w.Destroy()
	w.Fails([]string{"Cannot import non-existent remote object"}, "import", "virtrigaud_image.debian", "default/none")
}

func TestAccImage_disappears(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	w.Write("main.tf", header+fmt.Sprintf(`
resource "virtrigaud_image" "debian" {
  name = "debian"
  url  = %q
}`, s.serve("/debian.raw", disk(1, 1<<20))))
	w.Apply()
	if err := world(t, w).DeleteImage(t.Context(), "default/debian"); err != nil {
		t.Fatal(err)
	}
	if out := w.Must("plan"); !strings.Contains(out, "1 to add, 0 to change, 0 to destroy") {
		t.Errorf("an image that is gone is not planned again:\n%s", out)
	}
	w.Apply()
	if err := world(t, w).DeleteImage(t.Context(), "default/debian"); err != nil {
		t.Fatal(err)
	}
	w.Destroy("-refresh=false") // deleting what is gone succeeds
}

func TestAccImage_planErrors(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	url := s.serve("/debian.raw", disk(1, 1<<20))
	w.Write("disk.raw", string(disk(1, 1<<20)))
	w.Write("page.html", "<!DOCTYPE html><html><body>Not found</body></html>"+strings.Repeat(" ", 4096))
	iso := make([]byte, 40<<10)
	copy(iso[32769:], "CD001")
	w.Write("rescue.iso", string(iso))
	tests := []struct {
		name, body string
		says       []string
	}{
		{"no source", ``, []string{"none of url, local_path, vm_id and content_library"}},
		{"two sources", `
  url        = "` + url + `"
  local_path = "disk.raw"`, []string{"both url and local_path", "local_path = "}},
		{"URL of another kind", `
  url = "ftp://images.example.com/a.qcow2"`, []string{"Invalid URL", `scheme "ftp"`, `url = "ftp:`}},
		{"URL with a password", `
  url = "https//user:hunter2@images.example.com/a.qcow2"`, []string{"Invalid URL"}},
		{"checksum without algorithm", `
  url      = "` + url + `"
  checksum = "` + strings.Repeat("ab", 32) + `"`, []string{"Invalid checksum", "sha256:"}},
		{"checksum too short", `
  url      = "` + url + `"
  checksum = "sha256:abcd"`, []string{"Invalid checksum", "64 hexadecimal digits"}},
		{"unknown storage", `
  url     = "` + url + `"
  storage = "fsat"`, []string{`no storage "fsat"`, `"fast"`, `storage = "fsat"`}},
		{"missing file", `
  local_path = "nowhere.raw"`, []string{"no such file", `local_path = "nowhere.raw"`}},
		{"directory", `
  local_path = "."`, []string{"a directory", `local_path = "."`}},
		{"a web page", `
  local_path = "page.html"`, []string{`local_path = "page.html"`}},
		{"ISO as disk", `
  local_path = "rescue.iso"`, []string{"is an ISO image, not a disk", `kind = "iso"`}},
		{"disk as ISO", `
  local_path = "disk.raw"
  kind       = "iso"`, []string{"not an ISO", `kind = "disk"`}},
		{"empty name", `
  url  = "` + url + `"
  name = ""`, []string{`name = ""`}},
		{"name with a slash", `
  url  = "` + url + `"
  name = "a/b"`, []string{"must not contain a slash"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := `
  name = "x"`
			if strings.Contains(tt.body, "name = ") {
				name = ""
			}
			w.Write("main.tf", header+`resource "virtrigaud_image" "x" {`+name+tt.body+"\n}\n")
			out := w.Fails(tt.says, "plan")
			if strings.Contains(strings.SplitN(out, "on main.tf", 2)[0], "hunter2") {
				t.Error("the message shows a password")
			}
		})
	}
	if asked := s.requests(); len(asked) > 0 {
		t.Errorf("a plan asked the server: %v", asked)
	}
}
