package diskimage

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestValidateURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://example.org/a.qcow2":             "",
		"http://user:pw@example.org:8080/a?x=y#z": "",
		"HTTPS://example.org/a":                   "",
		"":                                        "not a URL",
		"/srv/a.img":                              "not a URL",
		"ftp://example.org/a":                     `"ftp" is not supported`,
		"file:///etc/passwd":                      `"file" is not supported`,
		"https:///a":                              "names no host",
		"https://user:hunter2%zz@h/a":             "cannot be parsed",
		"https://user:hunter2/x@h:port/a":         "cannot be parsed",
		"https://h:hunter2/a":                     "cannot be parsed",
	} {
		err := ValidateURL(raw)
		if want == "" {
			if err != nil {
				t.Errorf("ValidateURL(%q): %v", raw, err)
			}
			continue
		}
		wantError(t, err, Invalid, want)
		if strings.Contains(raw, "user:") && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestRedaction(t *testing.T) {
	for raw, want := range map[string]string{
		"https://user:hunter2@h/a?sig=hunter2#hunter2": "https://h/a?(hidden)",
		"https://hunter2@h/a":                          "https://h/a",
		"https://u:hunter2/with/slash@h/a":             "https://h/a",
		"https://u:hunter2%zz@h/a?hunter2":             "https://h/a",
		"https://h/a":                                  "https://h/a",
	} {
		if got := redact(raw); got != want {
			t.Errorf("redact(%q) = %q, want %q", raw, got, want)
		}
		if got := scrub(`Get "` + raw + `": refused`); strings.Contains(got, "hunter2") || !strings.Contains(got, "refused") {
			t.Errorf("scrub left %q", got)
		}
		if got := (Source{URL: raw}).String(); strings.Contains(got, "hunter2") {
			t.Errorf("Source.String shows %q", got)
		}
	}
}

func TestBaseName(t *testing.T) {
	for _, tc := range []struct {
		s    Source
		want string
	}{
		{Source{URL: "https://h/p/disk%20one.qcow2?x=/y#/z"}, "disk one.qcow2"},
		{Source{URL: "https://h/"}, ""},
		{Source{URL: "https://h"}, ""},
		{Source{Path: "/srv/disk.img"}, "disk.img"},
	} {
		if got := tc.s.BaseName(); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.s, got, tc.want)
		}
	}
}

func TestSourceNeedsOnePlace(t *testing.T) {
	_, err := Open(t.Context(), Source{})
	wantError(t, err, Invalid, "needs a URL or a local path")
	_, err = Open(t.Context(), Source{URL: "https://h/a", Path: "/a"})
	wantError(t, err, Invalid, "not both")
	// A checksum that cannot be applied is an error, never ignored.
	_, err = Open(t.Context(), Source{Path: writeFile(t, "a", noise(1, 10)), Checksum: Checksum{Hex: sum256(nil).Hex}})
	wantError(t, err, Invalid, "checksum algorithm")
}

func TestLocalErrors(t *testing.T) {
	_, err := Open(t.Context(), Source{Path: "/no/such/disk.img"})
	wantError(t, err, NotFound, "/no/such/disk.img")
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
	_, err = Open(t.Context(), Source{Path: t.TempDir()})
	wantError(t, err, Invalid, "a directory")
	_, err = Open(t.Context(), Source{Path: os.DevNull})
	wantError(t, err, Invalid, "a special file")
	_, err = Open(t.Context(), Source{Path: writeFile(t, "empty.img", nil)})
	wantError(t, err, Damaged, "empty.img", "it is empty")
	_, err = Open(t.Context(), Source{Path: writeFile(t, "a", noise(1, 5000)), Limits: Limits{MaxBytes: 4999}})
	wantError(t, err, TooLarge, "5000 bytes", "limit is 4999")
}

// A file that is replaced or shortened under our hands is never passed off as whole.
func TestLocalFileChanges(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(path string) error
		kind   Kind
	}{
		"shrinks":    {func(p string) error { return os.Truncate(p, 200<<10) }, Incomplete},
		"is touched": {func(p string) error { return os.Chtimes(p, time.Time{}, time.Unix(1, 0)) }, Changed},
		"grows": {func(p string) error {
			info, err := os.Stat(p)
			if err != nil {
				return err
			}
			if err := os.Truncate(p, 900<<10); err != nil {
				return err
			}
			return os.Chtimes(p, time.Time{}, info.ModTime()) // as on a coarse clock
		}, Changed},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, "disk.img", noise(1, 500<<10))
			im, err := Open(t.Context(), Source{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			if err := tc.change(path); err != nil {
				t.Fatal(err)
			}
			wantError(t, im.Verify(), tc.kind, "while it was read", path)
		})
	}
}

func TestLocalCancel(t *testing.T) {
	for _, c := range []Compression{None, Gzip, XZ, Zstd} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		im, err := Open(ctx, Source{Path: writeFile(t, "disk.img", compressWith(t, c, noise(1, 2<<20)))})
		if err != nil {
			t.Fatal(err)
		}
		defer im.Close()
		cancel()
		// It is not the compression's fault.
		_, err = io.Copy(io.Discard, im)
		if !errors.Is(err, context.Canceled) || KindOf(err) != 0 || !strings.Contains(err.Error(), "disk.img") {
			t.Errorf("%s: got %v, want context.Canceled and the path", c, err)
		}
		if err := im.Verify(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: Verify: got %v, want context.Canceled", c, err)
		}
	}
}
