package backendtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var imageCases = []Case{
	{Name: "images/import", Proves: []backends.Feature{backends.FeatureImageDownload}, Run: importImage},
	{Name: "images/caching", Proves: []backends.Feature{backends.FeatureImageCaching}, Run: imageCaching},
	{Name: "images/damaged", Proves: []backends.Feature{backends.FeatureImageDownload}, Run: damagedImage},
	{Name: "images/interrupted", Proves: []backends.Feature{backends.FeatureImageDownload}, Run: interruptedImage},
	{Name: "images/root_disk", Needs: []backends.Feature{backends.FeatureImageDownload}, Run: rootFromImage},
	{
		Name:   "images/cdrom",
		Proves: []backends.Feature{backends.FeatureCDROM},
		Needs:  []backends.Feature{backends.FeatureImageDownload},
		Run:    cdrom,
	},
	{
		Name:   "images/template",
		Proves: []backends.Feature{backends.FeatureTemplateDeployment},
		Lacks:  lacks("Template", func(s *Seed) string { return s.Template }),
		Run:    fromTemplate,
	},
}

// raw is a disk of 2 MiB whose bytes say where they are.
func raw() []byte {
	content := make([]byte, 2<<20)
	for i := range content {
		content[i] = byte(i >> 9)
	}
	return content
}

// source serves content of a format, as large as a guest sees raw() where it is qcow2, and counts how often it was opened.
func source(content []byte, format string, opened *int) backends.ImageSource {
	return backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		if opened != nil {
			*opened++
		}
		size := int64(len(content))
		if format == "qcow2" {
			size = 2 << 20
		}
		return &backends.Content{
			Reader: io.NopCloser(bytes.NewReader(content)), Format: format, Size: int64(len(content)), VirtualSize: size,
		}, nil
	}}
}

func (e *Env) imageSpec(kind, fingerprint string) backends.ImageSpec {
	spec := backends.ImageSpec{Name: e.Name(), Kind: kind, Fingerprint: fingerprint}
	if e.Seed.Storage != "" {
		spec.Storage = new(e.Seed.Storage)
	}
	return spec
}

// importLater imports an image that is deleted when the test ends.
func (e *Env) importLater(t *testing.T, spec backends.ImageSpec, src backends.ImageSource) backends.Image {
	t.Helper()
	im, err := e.ImportImage(e.Ctx(t), spec, src)
	if err != nil {
		t.Fatalf("ImportImage: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := e.cleanup()
		defer cancel()
		if err := e.DeleteImage(ctx, im.ID); err != nil && !errors.Is(err, backends.ErrNotFound) {
			t.Errorf("clean up: %v", err)
		}
	})
	return im
}

func (e *Env) hasImage(t *testing.T, storage, name string) bool {
	t.Helper()
	list, err := e.ListImages(e.Ctx(t), storage)
	if err != nil {
		t.Fatalf("ListImages: %v", err)
	}
	for _, im := range list {
		if im.Name == name {
			return true
		}
	}
	return false
}

func importImage(t *testing.T, e *Env) {
	spec := e.imageSpec("disk", "")
	im := e.importLater(t, spec, source(raw(), "raw", nil))
	got, err := e.GetImage(e.Ctx(t), im.ID)
	if err != nil {
		t.Fatalf("GetImage: %v", err)
	}
	if got.Name != spec.Name || got.Kind != "disk" || got.Format != e.stored("raw") || got.SizeBytes != 2<<20 || got.Cached {
		t.Errorf("the image is %+v, want a %s disk of 2 MiB called %q", got, e.stored("raw"), spec.Name)
	}
	if e.Seed.Storage != "" && got.Storage != e.Seed.Storage {
		t.Errorf("the image is on %q, want %q", got.Storage, e.Seed.Storage)
	}
	if !e.hasImage(t, got.Storage, spec.Name) || !e.hasImage(t, "", spec.Name) {
		t.Error("the image is not listed")
	}
	_, err = e.ImportImage(e.Ctx(t), spec, source(raw(), "raw", nil))
	WantCode(t, err, backends.Conflict)

	if err := e.DeleteImage(e.Ctx(t), im.ID); err != nil {
		t.Fatalf("DeleteImage: %v", err)
	}
	_, err = e.GetImage(e.Ctx(t), im.ID)
	WantCode(t, err, backends.NotFound)
	WantCode(t, e.DeleteImage(e.Ctx(t), im.ID), backends.NotFound)
}

func imageCaching(t *testing.T, e *Env) {
	spec := e.imageSpec("disk", "sha256:"+e.Name())
	opened := 0
	first := e.importLater(t, spec, source(raw(), "raw", &opened))
	again, err := e.ImportImage(e.Ctx(t), spec, source(raw(), "raw", &opened))
	if err != nil {
		t.Fatalf("ImportImage of what is there: %v", err)
	}
	if !again.Cached || again.ID != first.ID || opened != 1 {
		t.Errorf("the same fingerprint answered %+v after %d transfers, want %q from the first one", again, opened, first.ID)
	}
	if got, err := e.GetImage(e.Ctx(t), first.ID); err != nil || got.Fingerprint != spec.Fingerprint {
		t.Errorf("the fingerprint reads back as %q (%v), want %q", got.Fingerprint, err, spec.Fingerprint)
	}
	other := spec
	other.Fingerprint = "sha256:other"
	_, err = e.ImportImage(e.Ctx(t), other, source(raw(), "raw", &opened))
	WantCode(t, err, backends.Conflict)
}

// damagedImage delivers content whose reader finds it wrong at the end.
func damagedImage(t *testing.T, e *Env) {
	wrong := backends.Errorf(backends.Invalid, "verify", "the content", "its checksum is wrong")
	for name, reader := range map[string]io.Reader{
		"wrong checksum": io.MultiReader(bytes.NewReader(raw()), failing{wrong}),
		"cut short":      bytes.NewReader(raw()[:1<<20]),
	} {
		t.Run(name, func(t *testing.T) {
			spec := e.imageSpec("disk", "")
			_, err := e.ImportImage(e.Ctx(t), spec, backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
				return &backends.Content{Reader: io.NopCloser(reader), Format: "raw", Size: 2 << 20, VirtualSize: 2 << 20}, nil
			}})
			if err == nil {
				t.Error("the damaged image was taken")
			}
			if name == "wrong checksum" && !errors.Is(err, wrong.Err) {
				t.Errorf("the cause is lost: %v", err)
			}
			if e.hasImage(t, "", spec.Name) {
				t.Error("the damaged image was left behind")
			}
			e.importLater(t, spec, source(raw(), "raw", nil)) // nothing is in the way
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// interruptedImage cancels in the middle of a transfer that then hangs.
func interruptedImage(t *testing.T, e *Env) {
	spec := e.imageSpec("disk", "")
	ctx, cancel := context.WithCancel(e.Ctx(t))
	defer cancel()
	r, w := io.Pipe()
	go func() {
		_, _ = w.Write(raw()[:1<<20])
		cancel()
	}()
	defer func() { _ = w.Close() }()
	_, err := e.ImportImage(ctx, spec, backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		return &backends.Content{Reader: r, Format: "raw", Size: 2 << 20, VirtualSize: 2 << 20}, nil
	}})
	WantCode(t, err, backends.Canceled)
	if e.hasImage(t, "", spec.Name) {
		t.Error("what was transferred in part was left behind")
	}
}

// rootFromImage makes two VMs from one image, larger than it, and then removes
// the image or is told why not.
func rootFromImage(t *testing.T, e *Env) {
	im := e.importLater(t, e.imageSpec("disk", ""), source(raw(), "raw", nil))
	var ids []backends.ID
	for range 2 {
		spec := e.With(func(s *backends.VMSpec) { s.Image = im.ID })
		ids = append(ids, e.Create(t, spec))
	}
	for _, id := range ids {
		if got := e.Read(t, id, all).Disks["root"]; got.SizeBytes != gib || !got.Owned {
			t.Errorf("the root disk is %+v, want the VM's own of 1 GiB", got)
		}
	}
	if err := e.DeleteImage(e.Ctx(t), im.ID); err != nil {
		WantCode(t, err, backends.Precondition)
	}
	for _, id := range ids {
		e.Power(t, id, backends.PowerOn)
	}
}

// iso is the least that counts as an ISO 9660 image: 40 sectors with a primary
// volume descriptor and its end.
func iso() []byte {
	content := make([]byte, 40*2048)
	copy(content[16*2048:], "\x01CD001\x01")
	copy(content[17*2048:], "\xffCD001\x01")
	return content
}

func cdrom(t *testing.T, e *Env) {
	im := e.importLater(t, e.imageSpec("iso", ""), source(iso(), "iso", nil))
	spec := e.With(func(s *backends.VMSpec) { s.CDROM = &backends.CDROM{ISO: im.ID} })
	id := e.Create(t, spec)
	WantCode(t, e.DeleteImage(e.Ctx(t), im.ID), backends.Precondition)
	e.Power(t, id, backends.PowerOn)
	empty := *spec
	empty.CDROM = &backends.CDROM{}
	from := e.Read(t, id, all)
	if c := backends.Diff(&from.Config, &empty); e.Catalogue.ImpactOf(&from.Config, &empty, c[0]).Effect != backends.EffectLive {
		e.Power(t, id, backends.PowerOff)
	}
	e.Apply(t, id, &empty, backends.Live)
	e.Apply(t, id, spec, backends.Live)
	e.Apply(t, id, &empty, backends.Live)
	if err := e.DeleteImage(e.Ctx(t), im.ID); err != nil {
		t.Errorf("DeleteImage of an ISO that no drive holds: %v", err)
	}
}

func fromTemplate(t *testing.T, e *Env) {
	spec := &backends.VMSpec{Name: e.Name(), Template: e.Seed.Template, Memory: backends.Memory{SizeMiB: new(int64(768))}}
	id := e.Create(t, spec)
	vm := e.Read(t, id, all)
	if len(vm.Config.Disks) == 0 || vm.Config.CPU.Cores == nil {
		t.Errorf("nothing was inherited from the template: %+v", vm.Config)
	}
	e.Power(t, id, backends.PowerOn)
	second := e.Create(t, &backends.VMSpec{Name: e.Name(), Template: e.Seed.Template})
	for key, n := range e.Read(t, second, all).Networks {
		if n.MAC == vm.Networks[key].MAC {
			t.Errorf("both VMs of the template have MAC %s", n.MAC)
		}
	}
	missing := &backends.VMSpec{Name: e.Name(), Template: "no-such-template"}
	wantPath(t, e.refuseCreate(t, missing, backends.NotFound), "template")
}
