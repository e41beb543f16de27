package diskimage

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestLocalFingerprint(t *testing.T) {
	path := writeFile(t, "disk.img", noise(1, 100<<10))
	var read int64
	s := Source{Path: path, Progress: func(done, _ int64) { read = done }}
	take := func(previous string) string {
		t.Helper()
		read = 0
		fp, err := Fingerprint(t.Context(), s, previous)
		if err != nil {
			t.Fatal(err)
		}
		return fp
	}
	first := take("")
	if !strings.HasPrefix(first, sum256(noise(1, 100<<10)).String()+" size=102400 mtime=") || strings.Contains(first, path) {
		t.Errorf("fingerprint %q", first)
	}
	if again := take(first); again != first || read != 0 {
		t.Errorf("an untouched file was read (%d bytes) or differs: %q", read, again)
	}
	if take("nonsense") != first || read == 0 {
		t.Error("a foreign fingerprint was believed")
	}

	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	touched := take(first)
	if read == 0 || touched == first || !SameContent(touched, first) {
		t.Errorf("a touched file: read %d, %q", read, touched)
	}

	if err := os.WriteFile(path, noise(2, 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed := take(touched); SameContent(changed, touched) {
		t.Errorf("other content of the same size counts as the same: %q", changed)
	}

	s.Path = path + ".none"
	_, err := Fingerprint(t.Context(), s, first)
	wantError(t, err, NotFound, s.Path)
}

func TestRemoteFingerprint(t *testing.T) {
	const modified = "Tue, 14 Nov 2023 22:13:20 GMT"
	for _, tc := range []struct {
		name  string
		serve http.HandlerFunc
		sum   Checksum
		want  string
		kind  Kind
	}{
		{name: "etag", serve: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Last-Modified", modified)
			w.Header().Set("Content-Length", "1000")
		}, want: `etag="v1" size=1000`},
		{name: "last modified", serve: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Last-Modified", modified)
			w.Header().Set("Content-Length", "1000")
		}, want: "modified=Tue,_14_Nov_2023_22:13:20_GMT size=1000"},
		{name: "HEAD refused", serve: func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(403)
				return
			}
			serveContent(w, r, noise(1, 5000))
		}, want: `etag="` + sum256(noise(1, 5000)).Hex[:8] + `" size=5000`},
		{name: "HEAD and ranges refused", serve: func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(405)
				return
			}
			w.Header().Set("ETag", `W/"v1"`)
			w.Write(noise(1, 5000))
		}, want: `etag=W/"v1"`},
		{name: "nothing to go by", serve: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
		}, want: ""},
		{
			name: "checksum", serve: func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") },
			sum: sum256(nil), want: sum256(nil).String(),
		},
		{name: "gone", serve: http.NotFound, kind: NotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, tc.serve)
			got, err := Fingerprint(t.Context(), Source{URL: s.URL + "/a?sig=hunter2", Checksum: tc.sum, Limits: fast}, "")
			if tc.kind != 0 {
				wantError(t, err, tc.kind, "404")
			} else if err != nil || !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

// With a list of checksums the fingerprint follows the list, and the image is
// never asked for.
func TestListFingerprint(t *testing.T) {
	var digest atomic.Value
	digest.Store(sum256(noise(1, 10)).Hex)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/SHA256SUMS" {
			t.Errorf("%s was asked for", r.URL.Path)
		}
		w.Write([]byte(digest.Load().(string) + " *disk.img\n"))
	})
	src := Source{URL: s.URL + "/disk.img", Checksum: Checksum{List: s.URL + "/SHA256SUMS"}, Limits: fast}
	a, err := Fingerprint(t.Context(), src, "")
	if err != nil {
		t.Fatal(err)
	}
	digest.Store(sum256(noise(2, 10)).Hex)
	b, err := Fingerprint(t.Context(), src, a)
	if err != nil || SameContent(a, b) {
		t.Errorf("%q and %q, %v", a, b, err)
	}
}

func TestSameContent(t *testing.T) {
	x, y := sum256([]byte("x")).String(), sum256([]byte("y")).String()
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"", "", false},
		{x, "", false},
		{x, x, true},
		{x, y, false},
		{x + " size=1 mtime=a", x + " size=1 mtime=b", true},
		{x + " size=1 mtime=a", x, true},
		{x + " size=1 mtime=a", y + " size=1 mtime=a", false},
		{`etag="1" size=5`, `etag="1" size=5`, true},
		{`etag="1" size=5`, `etag="1" size=6`, false},
		{`etag="1" size=5`, x, false},
	} {
		if SameContent(tc.a, tc.b) != tc.want || SameContent(tc.b, tc.a) != tc.want {
			t.Errorf("SameContent(%q, %q) is not %v", tc.a, tc.b, tc.want)
		}
	}
}
