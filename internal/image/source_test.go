package image

import (
	"errors"
	"fmt"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

func TestSource_accept(t *testing.T) {
	tests := []struct {
		name         string
		kind, format string
		target       string
		content      diskimage.Format
		found        string
		lacks        bool          // the hypervisor converts nothing
		at           backends.Path // of the error, "" for none
	}{
		{name: "as found", kind: "disk", content: "qcow2", found: "qcow2"},
		{name: "as asked", kind: "disk", format: "qcow2", content: "qcow2", found: "qcow2"},
		{name: "not as asked", kind: "disk", format: "qcow2", content: "raw", at: "format"},
		{name: "raw that is a qcow2", kind: "disk", format: "raw", content: "qcow2", at: "format"},
		{name: "hybrid ISO as a disk", kind: "disk", format: "raw", content: "iso", found: "raw"},
		{name: "optical image of another kind", kind: "iso", format: "iso", content: "raw", found: "iso"},
		{name: "ISO as disk", kind: "disk", content: "iso", at: "kind"},
		{name: "disk as ISO", kind: "iso", content: "qcow2", at: "kind"},
		{name: "archive", kind: "disk", content: "ova", at: "kind"},
		{name: "stored as it is", kind: "disk", target: "raw", content: "raw", found: "raw"},
		{name: "conversion", kind: "disk", target: "raw", content: "qcow2", found: "qcow2"},
		{name: "conversion that the hypervisor lacks", kind: "disk", target: "raw", content: "qcow2", lacks: true, at: "target_format"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := source{attribute: "url", kind: tt.kind, format: tt.format, targetFormat: tt.target, catalogue: catalogues.Libvirt()}
			if tt.lacks {
				s.catalogue = s.catalogue.Narrow(backends.FeatureImageConversion, backends.Unavailable, "It lacks qemu-img.")
			}
			err := s.accept(tt.content)
			var e *backends.Error
			switch {
			case tt.at != "":
				if !errors.As(err, &e) || e.Path != tt.at || e.Remedy == "" {
					t.Errorf("got %v, want an error at %s with a remedy", err, tt.at)
				}
			case err != nil || s.found != tt.found:
				t.Errorf("got %q, %v; want %q", s.found, err, tt.found)
			}
		})
	}
}

// Drivers wrap what the reader answered; the cause still finds its attribute.
func TestSource_blame(t *testing.T) {
	s := source{attribute: "local_path"}
	mismatch := &diskimage.Error{Kind: diskimage.Mismatch, Msg: "the sha256 checksum does not match"}
	wrapped := backends.Wrap(fmt.Errorf("upload: %w", mismatch), "upload", backends.ImageObject("web"))
	tests := []struct {
		name string
		err  error
		at   backends.Path
		code backends.Code
	}{
		{"mismatch under a driver's error", wrapped, "checksum", backends.Invalid},
		{"cut short", &diskimage.Error{Kind: diskimage.Incomplete, Msg: "cut short"}, "local_path", backends.Transient},
		{"denied is not the provider's credentials", &diskimage.Error{Kind: diskimage.Denied, Msg: "401"}, "local_path", backends.Invalid},
		{"the driver knows better", backends.Wrap(&diskimage.Error{Kind: diskimage.TooLarge}, "upload", "").(*backends.Error).At("storage"), "storage", backends.Invalid},
		{"not of the transfer", backends.Errorf(backends.Exhausted, "upload", "", "full"), "", backends.Exhausted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var e *backends.Error
			if !errors.As(s.blame(tt.err), &e) || e.Path != tt.at || e.Code != tt.code {
				t.Errorf("got %#v", e)
			}
			if !errors.Is(e, tt.err) && !errors.Is(tt.err, e.Unwrap()) {
				t.Error("the cause was lost")
			}
		})
	}
}

func TestComparable(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{digestA, digestB, true},
		{digestA + " size=3 mtime=2026-01-01T00:00:00Z", digestB, true},
		{digestA, etag, false},
		{etag, etag, false},
		{"md5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", digestA, false},
		{"", digestA, false},
	} {
		if got := comparable(tt.a, tt.b); got != tt.want {
			t.Errorf("comparable(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}
