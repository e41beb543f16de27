package image_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

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

	apply := w.Start("apply", "-auto-approve")
	apply.UntilClosed("half of the image is sent", halfway)
	out := apply.Interrupt()
	if said := tfrun.Unwrap(out); !strings.Contains(said, "interrupted") || !strings.Contains(said, "error code: canceled") {
		t.Errorf("the apply does not say that it was interrupted:\n%s", out)
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
