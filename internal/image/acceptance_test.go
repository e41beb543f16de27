package image_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

const header = `
terraform {
  required_providers {
    virtrigaud = { source = "virtrigaud/virtrigaud" }
  }
}
provider "virtrigaud" {
  mock = { state_file = "mock.json" }
}
`

// site serves files and remembers what was asked for.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string]http.HandlerFunc
	asked []string
}

func newSite(t *testing.T) *site {
	s := &site{files: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.URL.Path)
		file := s.files[r.URL.Path]
		s.mu.Unlock()
		if file == nil {
			http.NotFound(w, r)
			return
		}
		file(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) serve(path string, content []byte) string {
	modified := time.Now()
	return s.handle(path, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, path, modified, bytes.NewReader(content))
	})
}

func (s *site) handle(path string, h http.HandlerFunc) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = h
	return s.URL + path
}

// requests returns what was asked for since the last call.
func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// disk is the content of a raw image of n bytes.
func disk(seed byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed + byte(i/512)
	}
	return b
}

func sum(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// world opens the mock's state as another process would.
func world(t *testing.T, w *tfrun.Workspace) *mock.Backend {
	t.Helper()
	b, err := mock.New(mock.Options{StateFile: filepath.Join(w.Dir, "mock.json")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func images(t *testing.T, w *tfrun.Workspace) []backends.Image {
	t.Helper()
	all, err := world(t, w).ListImages(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

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
		{"no source", ``, []string{"neither url nor local_path"}},
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
		{"conversion", `
  local_path    = "disk.raw"
  target_format = "qcow2"`, []string{"does not convert images", `target_format = "qcow2"`}},
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

func TestAccImage_failedTransfer(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	content := disk(1, 3<<20)
	good := s.serve("/good.raw", content)
	short := s.handle("/short.raw", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Accept-Ranges", "none")
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(content[:len(content)/2])
		}
	})
	tests := []struct {
		name, body string
		says       []string
	}{
		{"wrong checksum", `
  url      = "` + good + `"
  checksum = "` + sum([]byte("other")) + `"`, []string{"checksum does not match", "with virtrigaud_image.x", "checksum ="}},
		{"not found", `
  url = "` + s.URL + `/gone.raw"`, []string{"404", "url ="}},
		{"list that does not name it", `
  url      = "` + good + `"
  checksum = "file:` + s.serve("/SUMS", []byte("nothing\n")) + `"`, []string{"checksum list", "no line names", "checksum ="}},
		{"cut short", `
  url = "` + short + `"`, []string{"cut short", "of 3145728 bytes", "url ="}},
		{"ISO as disk", `
  url    = "` + good + `"
  format = "qcow2"`, []string{"is a raw image", "format ="}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.Write("main.tf", header+"resource \"virtrigaud_image\" \"x\" {\n  name = \"x\""+tt.body+"\n}\n")
			w.Fails(append(tt.says, "Unable to", `image "x"`), "apply", "-auto-approve")
			if left := w.State(); len(left) > 0 {
				t.Errorf("the state has %v", left)
			}
			if left := images(t, w); len(left) > 0 {
				t.Errorf("the hypervisor has %+v", left)
			}
		})
	}
}

// Ctrl-C in the middle of an upload leaves nothing, and the next apply works.
func TestAccImage_interrupt(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	content := disk(1, 2<<20)
	halfway := make(chan struct{})
	var once sync.Once
	var slow sync.Mutex
	stuck := true
	url := s.handle("/debian.raw", func(w http.ResponseWriter, r *http.Request) {
		slow.Lock()
		wait := stuck
		slow.Unlock()
		if !wait || r.Method != http.MethodGet {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content[:len(content)/2])
		w.(http.Flusher).Flush()
		once.Do(func() { close(halfway) })
		<-r.Context().Done() // never sends the rest
	})
	w.Write("main.tf", header+fmt.Sprintf("resource \"virtrigaud_image\" \"x\" {\n  name = \"x\"\n  url = %q\n}\n", url))

	cmd := w.Command("apply", "-auto-approve")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-halfway:
	case err := <-ended:
		t.Fatalf("the apply ended before it was interrupted: %v\n%s", err, out.String())
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the interrupted apply succeeded")
		}
	case <-time.After(time.Minute): // a guard against a hang, not a measurement
		t.Fatal("the apply goes on a minute after the interrupt")
	}
	if said := tfrun.Unwrap(out.String()); !strings.Contains(said, "interrupted") || !strings.Contains(said, "error code: canceled") {
		t.Errorf("the apply does not say that it was interrupted:\n%s", out.String())
	}
	if left := w.State(); len(left) > 0 {
		t.Errorf("the state has %v", left)
	}
	if left := images(t, w); len(left) > 0 {
		t.Errorf("the hypervisor has %+v", left)
	}

	slow.Lock()
	stuck = false
	slow.Unlock()
	w.Apply()
	w.EmptyPlan()
	w.Destroy()
}

// What was transferred in part when the hypervisor failed is gone, too.
func TestAccImage_hypervisorFails(t *testing.T) {
	w, s := tfrun.New(t), newSite(t)
	resource := fmt.Sprintf("resource \"virtrigaud_image\" \"x\" {\n  name = \"x\"\n  url = %q\n}\n", s.serve("/debian.raw", disk(1, 3<<20)))
	w.Write("main.tf", strings.Replace(header, `state_file = "mock.json"`,
		`state_file = "mock.json", faults = [{ operation = "ImportImage.transfer", code = "exhausted", message = "the storage is full" }]`, 1)+resource)
	w.Fails([]string{"Unable to", `image "x"`, "storage is full", "exhausted"}, "apply", "-auto-approve")
	if left := images(t, w); len(left) > 0 || len(w.State()) > 0 {
		t.Errorf("left: %+v, state %v", left, w.State())
	}
	w.Write("main.tf", header+resource)
	w.Apply()
	w.EmptyPlan()

	// The name is taken by other content, which somebody else manages.
	w.Must("state", "rm", "virtrigaud_image.x")
	w.Write("main.tf", header+fmt.Sprintf("resource \"virtrigaud_image\" \"x\" {\n  name = \"x\"\n  url = %q\n}\n", s.serve("/other.raw", disk(9, 1<<20))))
	w.Fails([]string{"another image", "error code: conflict", `name = "x"`}, "apply", "-auto-approve")
}
