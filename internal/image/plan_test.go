package image

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	etag    = `etag="one" size=3`
	urlA    = "https://images.example.com/a.qcow2"
	urlB    = "https://mirror.example.com/a.qcow2"
)

func from(url, local, checksum, fingerprint string) *model {
	return &model{
		Name: types.StringValue("web"), URL: text(url), LocalPath: text(local), Checksum: text(checksum),
		Fingerprint: text(fingerprint),
	}
}

func TestDecide_URL(t *testing.T) {
	unknownURL := from("", "", "", "")
	unknownURL.URL = types.StringUnknown()
	tests := []struct {
		name        string
		prior, plan *model
		replace     backends.Path
		fingerprint types.String
	}{
		{"nothing changed", from(urlA, "", "", etag), from(urlA, "", "", ""), "", text(etag)},
		{"nothing known, nothing changed", from(urlA, "", "", ""), from(urlA, "", "", ""), "", types.StringNull()},
		{"another URL", from(urlA, "", "", etag), from(urlB, "", "", ""), "url", types.StringUnknown()},
		{"a mirror with the same checksum", from(urlA, "", digestA, digestA), from(urlB, "", digestA, ""), "", text(digestA)},
		{"another checksum", from(urlA, "", digestA, digestA), from(urlA, "", digestB, ""), "checksum", text(digestB)},
		{"another URL and checksum", from(urlA, "", digestA, digestA), from(urlB, "", digestB, ""), "url", text(digestB)},
		{"checksum added to the unverified", from(urlA, "", "", etag), from(urlA, "", digestA, ""), "checksum", types.StringUnknown()},
		{"checksum left out", from(urlA, "", digestA, digestA), from(urlA, "", "", ""), "", text(digestA)},
		{"list replaced by its digest", from(urlA, "", "file:https://images.example.com/SHA256SUMS", digestA), from(urlA, "", digestA, ""), "", text(digestA)},
		{"changed on the hypervisor", from(urlA, "", digestA, digestB), from(urlA, "", digestA, ""), "fingerprint", text(digestA)},
		{"URL not known yet", from(urlA, "", "", etag), unknownURL, "url", types.StringUnknown()},
		{"imported", from("", "", "", ""), from(urlA, "", "", ""), "", types.StringNull()},
		{"imported, checksum", from("", "", "", ""), from(urlA, "", digestA, ""), "", text(digestA)},
		{"imported, same digest", from("", "", "", digestA), from(urlA, "", digestA, ""), "", text(digestA)},
		{"imported, another digest", from("", "", "", digestB), from(urlA, "", digestA, ""), "url", text(digestA)},
		{"imported, URL not known yet", from("", "", "", etag), unknownURL, "", text(etag)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := decide(t.Context(), tt.prior, tt.plan, "")
			if err != nil {
				t.Fatal(err)
			}
			if d.replace != tt.replace || !d.fingerprint.Equal(tt.fingerprint) {
				t.Errorf("got replace %q, fingerprint %s; want %q, %s", d.replace, d.fingerprint, tt.replace, tt.fingerprint)
			}
		})
	}
}

func TestDecide_list(t *testing.T) {
	reads := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/SHA256SUMS" {
			http.NotFound(w, r)
			return
		}
		reads++
		fmt.Fprintf(w, "%s  a.qcow2\n", strings.TrimPrefix(digestA, "sha256:"))
	}))
	defer server.Close()
	list := "file:" + server.URL + "/SHA256SUMS"

	same, err := decide(t.Context(), from(urlA, "", list, digestB), from(urlA, "", list, ""), "")
	if err != nil || same.replace != "" || reads != 0 {
		t.Errorf("an unchanged list: replace %q, %v, read %d times", same.replace, err, reads)
	}
	moved, err := decide(t.Context(), from(urlA, "", digestB, digestB), from(urlA, "", list, ""), "")
	if err != nil || moved.replace != "checksum" || moved.fingerprint.ValueString() != digestA {
		t.Errorf("a list with another digest: %+v, %v", moved, err)
	}
	_, err = decide(t.Context(), from(urlA, "", digestB, digestB), from(urlA, "", list+".gone", ""), "")
	wantAt(t, err, "checksum", "404")
}

func TestDecide_localFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "disk.raw")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	digestOf := func(content string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))) }
	full, err := diskimage.Fingerprint(t.Context(), diskimage.Source{Path: file}, "")
	if err != nil {
		t.Fatal(err)
	}
	state, plan := from("", file, "", digestOf("one")), from("", file, "", "")
	check := func(name string, replace backends.Path, fingerprint string) {
		t.Helper()
		d, err := decide(t.Context(), state, plan, full)
		if err != nil {
			t.Fatal(err)
		}
		if d.replace != replace || d.fingerprint.ValueString() != fingerprint {
			t.Errorf("%s: replace %q, fingerprint %s; want %q, %s", name, d.replace, d.fingerprint, replace, fingerprint)
		}
	}
	check("unchanged", "", digestOf("one"))
	if err := os.Chtimes(file, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	check("touched", "", digestOf("one"))
	write("two")
	check("changed", "fingerprint", digestOf("two"))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	check("gone", "", digestOf("one"))

	_, err = decide(t.Context(), state, from("", file+"2", "", ""), full)
	wantAt(t, err, "local_path", "no such file")
}

func wantAt(t *testing.T, err error, at backends.Path, text string) {
	t.Helper()
	e, ok := err.(*backends.Error) //nolint:errorlint // the outermost is meant
	if !ok || e.Path != at || !strings.Contains(e.Error(), text) {
		t.Errorf("got %v, want an error at %s that says %q", err, at, text)
	}
}
