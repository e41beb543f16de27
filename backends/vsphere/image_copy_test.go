package vsphere

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A copy whose answer was lost leaves no file that stands in the way of the next try.
func TestCopyOfAnImageThatFails(t *testing.T) {
	b, s := onSimulator(t, vcsim.Options{})
	content := make([]byte, 64<<10)
	copy(content[32<<10:], "\x01CD001")
	source := backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		return &backends.Content{Reader: io.NopCloser(bytes.NewReader(content)), Format: "iso", Size: int64(len(content)), VirtualSize: int64(len(content))}, nil
	}}
	spec := backends.ImageSpec{Name: "first", Kind: "iso", Fingerprint: "sha256:1"}
	if _, err := b.ImportImage(t.Context(), spec, source); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]backends.ImageSource{
		"cached": {Open: unopened(t)}, "library": {LibraryItem: s.Seed.Library + "/" + s.Seed.LibraryISO},
	} {
		spec := backends.ImageSpec{Name: name, Kind: "iso", Fingerprint: "sha256:1"}
		if name == "library" {
			spec.Fingerprint = "sha256:2"
		}
		s.Lose("CopyDatastoreFile_Task", "", 1)
		if _, err := b.ImportImage(t.Context(), spec, from); backends.CodeOf(err) != backends.Transient {
			t.Errorf("%s: the answer was not lost: %v", name, err)
		}
		if _, err := b.ImportImage(t.Context(), spec, from); err != nil {
			t.Errorf("%s: the next try: %v", name, err)
		}
	}
}
