package vsphere

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// Whatever goes wrong with an import, the error names the image and the cause, nothing is left, and the next try succeeds.
func TestImportThatFails(t *testing.T) {
	disk := holes(4 << 20)
	broken := errors.New("the checksum is wrong")
	for name, tt := range map[string]struct {
		arrange func(t *testing.T, s *vcsim.Server)
		source  backends.ImageSource
		code    backends.Code
		words   string
	}{
		"the content is wrong at its end": {
			source: contentOf(io.MultiReader(bytes.NewReader(disk), iotest.ErrReader(broken)), "raw", int64(len(disk))), code: backends.Internal, words: "checksum is wrong",
		},
		"the content is cut short": {
			source: contentOf(bytes.NewReader(disk[:3<<20]), "raw", int64(len(disk))), code: backends.Transient, words: "cut short",
		},
		"the content is no qcow2": {
			source: contentOf(bytes.NewReader(disk), "qcow2", int64(len(disk))), code: backends.Unsupported, words: "qcow2",
		},
		"the content is an OVA": {
			source: contentOf(bytes.NewReader(disk), "ova", int64(len(disk))), code: backends.Invalid, words: "OVA",
		},
		"the connection breaks": {
			arrange: func(_ *testing.T, s *vcsim.Server) { s.Drop("POST /nfc", "", 1) },
			source:  imageSource(disk, "raw"), code: backends.Transient, words: "connection",
		},
		"the host answers 503": {
			arrange: func(_ *testing.T, s *vcsim.Server) { s.Unavailable("POST /nfc", "", 1) },
			source:  imageSource(disk, "raw"), code: backends.Transient, words: "503",
		},
		"the datastore is full": {
			arrange: func(t *testing.T, s *vcsim.Server) {
				if !s.FillDatastore(s.Seed.Datastores[0], 1<<20) {
					t.Fatal("not filled")
				}
			},
			source: imageSource(noise(4<<20), "vmdk"), code: backends.Exhausted, words: "GiB free",
		},
		"a privilege is missing": {
			arrange: func(_ *testing.T, s *vcsim.Server) {
				s.Fail("ImportVApp", "", &types.NoPermission{PrivilegeId: "VApp.Import"}, 1)
			},
			source: imageSource(disk, "raw"), code: backends.Auth, words: "VApp.Import",
		},
		"vSphere makes no template of it": {
			arrange: func(_ *testing.T, s *vcsim.Server) { s.Fail("MarkAsTemplate", "", &types.InvalidState{}, 1) },
			source:  imageSource(disk, "raw"), code: backends.Precondition, words: "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, s := onSimulator(t, vcsim.Options{})
			if tt.arrange != nil {
				tt.arrange(t, s)
			}
			spec := backends.ImageSpec{Name: "debian", Kind: "disk"}
			im, err := b.ImportImage(t.Context(), spec, tt.source)
			if err == nil {
				t.Fatalf("it became %+v", im)
			}
			if code := backends.CodeOf(err); code != tt.code || !strings.Contains(err.Error(), tt.words) || !strings.Contains(err.Error(), `image "debian"`) {
				t.Errorf("error %s: %v; want %s with %q", code, err, tt.code, tt.words)
			}
			nothingLeft(t, b)
			s.FillDatastore(s.Seed.Datastores[0], 100<<30)
			if _, err := b.ImportImage(t.Context(), spec, imageSource(disk, "raw")); err != nil {
				t.Errorf("the next try: %v", err)
			}
		})
	}
}

func noise(n int) []byte {
	p := holes(n)
	for i := range p {
		p[i] ^= byte(i*i>>3) ^ byte(i>>7)
	}
	return p
}

func contentOf(r io.Reader, format string, size int64) backends.ImageSource {
	return backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		return &backends.Content{Reader: io.NopCloser(r), Format: format, Size: size, VirtualSize: size}, nil
	}}
}

// hanging is a source that yields a little and then nothing more, until it is closed.
func hanging(first []byte, began func()) *pipe {
	r, w := io.Pipe()
	go func() {
		_, _ = w.Write(first)
		began()
	}()
	return &pipe{r, w}
}

type pipe struct {
	*io.PipeReader
	w *io.PipeWriter
}

// An interrupt in the middle of a transfer ends it at once, and vSphere keeps nothing.
func TestImportInterrupted(t *testing.T) {
	for name, kind := range map[string]struct {
		options      vcsim.Options
		kind, format string
	}{
		"disk":         {vcsim.Options{}, "disk", "raw"},
		"disk on ESXi": {vcsim.Options{ESXi: true}, "disk", "raw"},
		"iso":          {vcsim.Options{}, "iso", "iso"},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := onSimulator(t, kind.options)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := hanging(noise(2<<20), cancel)
			defer p.w.Close()
			began := time.Now()
			_, err := b.ImportImage(ctx, backends.ImageSpec{Name: "debian", Kind: kind.kind}, backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
				return &backends.Content{Reader: p.PipeReader, Format: kind.format, Size: 64 << 20, VirtualSize: 64 << 20}, nil
			}})
			if backends.CodeOf(err) != backends.Canceled || time.Since(began) > 5*time.Second {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
			nothingLeft(t, b)
		})
	}
}

// A lease that somebody aborts is noticed while the source is silent.
func TestLeaseAborted(t *testing.T) {
	b, s := onSimulator(t, vcsim.Options{})
	s.SetLeaseTimeout(2 * time.Second)
	p := hanging(noise(2<<20), func() {
		abortLeases(t, s)
	})
	defer p.w.Close()
	_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		return &backends.Content{Reader: p.PipeReader, Format: "raw", Size: 64 << 20, VirtualSize: 64 << 20}, nil
	}})
	if backends.CodeOf(err) != backends.Transient || !strings.Contains(err.Error(), "ended the import") {
		t.Errorf("error %v", err)
	}
	nothingLeft(t, b)
}

// abortLeases does what somebody does who cancels the import in the client.
func abortLeases(t *testing.T, s *vcsim.Server) {
	t.Helper()
	client, err := s.Client()
	if err != nil {
		t.Error(err)
		return
	}
	for _, lease := range s.Registry().AllReference("HttpNfcLease") {
		if _, err := methods.HttpNfcLeaseAbort(t.Context(), client, &types.HttpNfcLeaseAbort{This: lease.Reference()}); err != nil {
			t.Error(err)
		}
	}
}

// A name that is taken is told before anything is transferred.
func TestImageNameTaken(t *testing.T) {
	b, s := onSimulator(t, vcsim.Options{})
	_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: s.Seed.Template, Kind: "disk", Fingerprint: "sha256:1"}, backends.ImageSource{Open: unopened(t)})
	if backends.CodeOf(err) != backends.Conflict || !strings.Contains(err.Error(), s.Seed.Template) {
		t.Errorf("error %v", err)
	}
	spec := backends.ImageSpec{Name: "debian", Kind: "disk", Fingerprint: "sha256:1"}
	if _, err := b.ImportImage(t.Context(), spec, imageSource(holes(1<<20), "raw")); err != nil {
		t.Fatal(err)
	}
	spec.Fingerprint = "sha256:2"
	if _, err := b.ImportImage(t.Context(), spec, backends.ImageSource{Open: unopened(t)}); backends.CodeOf(err) != backends.Conflict {
		t.Errorf("other content under the name: %v", err)
	}
}

// What is refused is refused with the attribute.
func TestImagesRefused(t *testing.T) {
	vc, _ := onSimulator(t, vcsim.Options{})
	host, _ := onSimulator(t, vcsim.Options{ESXi: true})
	format := "qcow2"
	missing := "no-such-datastore"
	for name, tt := range map[string]struct {
		b    *Backend
		spec backends.ImageSpec
		from backends.ImageSource
		code backends.Code
		path backends.Path
	}{
		"kind":              {vc, backends.ImageSpec{Name: "x", Kind: "punched cards"}, imageSource(nil, "raw"), backends.Invalid, "kind"},
		"format":            {vc, backends.ImageSpec{Name: "x", Kind: "disk", Format: &format}, imageSource(nil, "raw"), backends.Unsupported, "target_format"},
		"name":              {vc, backends.ImageSpec{Name: strings.Repeat("x", 81), Kind: "disk"}, imageSource(nil, "raw"), backends.Invalid, "name"},
		"no datastore":      {vc, backends.ImageSpec{Name: "x", Kind: "disk", Storage: &missing}, imageSource(nil, "raw"), backends.NotFound, "storage"},
		"template of none":  {vc, backends.ImageSpec{Name: "x", Kind: "template"}, imageSource(nil, "raw"), backends.Invalid, "kind"},
		"no VM":             {vc, backends.ImageSpec{Name: "x", Kind: "disk"}, backends.ImageSource{VM: "vm-999999"}, backends.NotFound, "vm_id"},
		"template on ESXi":  {host, backends.ImageSpec{Name: "x", Kind: "template"}, backends.ImageSource{VM: "1"}, backends.Unsupported, "kind"},
		"library on ESXi":   {host, backends.ImageSpec{Name: "x", Kind: "iso"}, backends.ImageSource{LibraryItem: "a/b"}, backends.Unsupported, "content_library"},
		"no such library":   {vc, backends.ImageSpec{Name: "x", Kind: "template"}, backends.ImageSource{LibraryItem: "no-such/item"}, backends.NotFound, "content_library"},
		"not LIBRARY/ITEM":  {vc, backends.ImageSpec{Name: "x", Kind: "template"}, backends.ImageSource{LibraryItem: "item"}, backends.Invalid, "content_library"},
		"an iso that is no": {vc, backends.ImageSpec{Name: "x", Kind: "iso"}, imageSource(holes(1<<20), "raw"), backends.Invalid, "kind"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.b.ImportImage(t.Context(), tt.spec, tt.from)
			var e *backends.Error
			if !errors.As(err, &e) || e.Code != tt.code || e.Path != tt.path {
				t.Errorf("error %#v: %v; want %s at %s", e, err, tt.code, tt.path)
			}
		})
	}
}
