package backendtest

import (
	"context"
	"io"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var imageStoreCases = []Case{
	{
		Name:   "images/conversion",
		Proves: []backends.Feature{backends.FeatureImageConversion},
		Run:    convertImage,
	},
	{
		Name:   "images/cached_under_another_name",
		Proves: []backends.Feature{backends.FeatureImageCaching},
		Run:    cachedElsewhere,
	},
	{
		Name:   "images/too_large",
		Proves: []backends.Feature{backends.FeatureImageDownload},
		Run:    imageTooLarge,
	},
	{
		Name:   "images/unknown_kind",
		Proves: []backends.Feature{backends.FeatureImageDownload},
		Run:    unknownKind,
	},
	{
		Name:   "images/linked",
		Proves: []backends.Feature{backends.FeatureLinkedClone},
		Needs:  []backends.Feature{backends.FeatureImageDownload},
		Run:    linkedImage,
	},
	{
		Name:   "images/content_library",
		Proves: []backends.Feature{backends.FeatureContentLibrary},
		Lacks:  lacks("LibraryItem", func(s *Seed) string { return s.LibraryItem }),
		Run:    contentLibrary,
	},
}

// formats are those that disks may have, of those that the suite can make.
func (e *Env) formats() []string {
	if all := e.Catalogue.Accepts["disks.format"]; len(all) > 0 {
		return all
	}
	return []string{"raw", "qcow2"}
}

// stored is the format that an image of a format has where no other is asked for.
func (e *Env) stored(format string) string {
	if all := e.formats(); len(all) == 1 {
		return all[0]
	}
	return format
}

// convertImage imports each format as each other one: a VM can be made of it.
func convertImage(t *testing.T, e *Env) {
	for from, content := range map[string][]byte{"raw": raw(), "qcow2": qcow2(raw(), 2<<20)} {
		for _, to := range e.formats() {
			t.Run(from+"_to_"+to, func(t *testing.T) {
				spec := e.imageSpec("disk", "")
				spec.Format = &to
				im := e.importLater(t, spec, source(content, from, nil))
				got, err := e.GetImage(e.Ctx(t), im.ID)
				if err != nil || got.Format != to || got.SizeBytes != 2<<20 || got.Name != spec.Name {
					t.Errorf("the image is %+v (%v), want %s of 2 MiB called %q", got, err, to, spec.Name)
				}
				id := e.Create(t, e.With(func(s *backends.VMSpec) { s.Image = im.ID }))
				e.Power(t, id, backends.PowerOn)
			})
		}
	}
}

// cachedElsewhere asks for content that is there under another name: it is not
// transferred, and both images live for themselves.
func cachedElsewhere(t *testing.T, e *Env) {
	fingerprint := "sha256:" + e.Name()
	opened := 0
	first := e.importLater(t, e.imageSpec("disk", fingerprint), source(raw(), "raw", &opened))
	spec := e.imageSpec("disk", fingerprint)
	second := e.importLater(t, spec, source(raw(), "raw", &opened))
	if !second.Cached || opened != 1 || second.ID == first.ID || second.Name != spec.Name {
		t.Errorf("the same content under another name answered %+v after %d transfers, beside %+v", second, opened, first)
	}
	if err := e.DeleteImage(e.Ctx(t), first.ID); err != nil {
		t.Fatalf("DeleteImage: %v", err)
	}
	got, err := e.GetImage(e.Ctx(t), second.ID)
	if err != nil || got.SizeBytes != first.SizeBytes || got.Format != first.Format || got.Fingerprint != fingerprint {
		t.Errorf("without the first one the second is %+v (%v), want it like %+v", got, err, first)
	}
	e.Power(t, e.Create(t, e.With(func(s *backends.VMSpec) { s.Image = second.ID })), backends.PowerOn)

	// Not where the asked-for form is another one.
	if e.Catalogue.Supports(backends.FeatureImageConversion) && slices.Contains(e.formats(), "qcow2") {
		other := e.imageSpec("disk", fingerprint)
		other.Format = new("qcow2")
		if im := e.importLater(t, other, source(raw(), "raw", &opened)); im.Format != "qcow2" {
			t.Errorf("asked for qcow2, the cache answered %+v", im)
		}
	}
}

// flood is content that never ends, and counts what was taken of it.
type flood struct{ taken *atomic.Int64 }

func (f flood) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i) | 1
	}
	if f.taken.Add(int64(len(p))) > 256<<20 {
		return 0, io.ErrUnexpectedEOF
	}
	return len(p), nil
}

// imageTooLarge brings what no storage can hold.
func imageTooLarge(t *testing.T, e *Env) {
	const size = 1 << 50
	spec := e.imageSpec("disk", "")
	var taken atomic.Int64
	_, err := e.ImportImage(e.Ctx(t), spec, backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		return &backends.Content{Reader: io.NopCloser(flood{&taken}), Format: "raw", Size: size, VirtualSize: size}, nil
	}})
	wantNamed(t, WantCode(t, err, backends.Exhausted), spec.Name)
	if n := taken.Load(); n > 64<<20 {
		t.Errorf("%d MiB were transferred before it was found that 1 PiB does not fit", n>>20)
	}
	e.noTrace(t, spec.Name)
}

func unknownKind(t *testing.T, e *Env) {
	spec := e.imageSpec("punched cards", "")
	WantCode(t, e.refuseImport(t, spec, source(raw(), "raw", nil)), backends.Invalid, backends.Unsupported)
}

// linkedImage makes VMs that share an image's content: it stays while they do.
func linkedImage(t *testing.T, e *Env) {
	im := e.importLater(t, e.imageSpec("disk", ""), source(qcow2(raw(), 2<<20), "qcow2", nil))
	spec := e.With(func(s *backends.VMSpec) { s.Image, s.Linked = im.ID, true })
	root, keeps := spec.Disks["root"], e.Catalogue.LinkedKeepSize
	if keeps {
		larger := *spec
		larger.Disks = map[string]backends.Disk{"root": {SizeGiB: new(int64(2)), Storage: root.Storage}}
		wantPath(t, e.refuseCreate(t, &larger, backends.Invalid, backends.Precondition), `disks["root"].size_gib`)
		root.SizeGiB = nil
		spec.Disks["root"] = root
	}
	id := e.Create(t, spec)
	if d := e.Read(t, id, all).Disks["root"]; d.Backing == "" || !keeps && d.SizeBytes != gib || d.SizeBytes < 2<<20 || !d.Owned {
		t.Errorf("the root disk is %+v, want the VM's own that shares the image, of 1 GiB where it can be", d)
	}
	e.Power(t, id, backends.PowerOn)
	wantNamed(t, WantCode(t, e.DeleteImage(e.Ctx(t), im.ID), backends.Precondition), spec.Name)
	if _, err := e.GetImage(e.Ctx(t), im.ID); err != nil {
		t.Fatalf("GetImage after the refusal: %v", err)
	}
	var full backends.ID
	if e.Catalogue.Supports(backends.FeatureFullClone) {
		full = e.clone(t, backends.CloneSpec{Source: id, Spec: backends.VMSpec{Name: e.Name()}})
	}
	e.remove(t, id)
	if err := e.DeleteImage(e.Ctx(t), im.ID); err != nil {
		t.Errorf("DeleteImage of what nobody needs any more: %v", err)
	}
	if full != "" {
		e.Power(t, full, backends.PowerOn) // it shares with nobody
	}
}

// contentLibrary makes a template of a library's item.
func contentLibrary(t *testing.T, e *Env) {
	im := e.importLater(t, e.imageSpec("template", ""), backends.ImageSource{LibraryItem: e.Seed.LibraryItem})
	if got, err := e.GetImage(e.Ctx(t), im.ID); err != nil || got.Kind != "template" || got.Name != im.Name {
		t.Errorf("the image is %+v (%v)", got, err)
	}
	if vm := e.Read(t, backends.ID(im.ID), all); !vm.Template {
		t.Errorf("the item became a VM that is no template: %+v", vm)
	}
	id := e.Create(t, &backends.VMSpec{Name: e.Name(), Template: im.ID})
	e.Power(t, id, backends.PowerOn)
	spec := e.imageSpec("template", "")
	err := e.refuseImport(t, spec, backends.ImageSource{LibraryItem: "no-such-library/item"})
	wantNamed(t, WantCode(t, err, backends.NotFound), "no-such-library")
	e.noTrace(t, spec.Name)
}
