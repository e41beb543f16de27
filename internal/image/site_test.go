package image_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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
