package vsphere

import (
	"slices"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// TestImageWhileThawed: the first linked clone of an image makes it a VM for a moment. For this process, which knows of it, and for
// another one the image is there all the same.
func TestImageWhileThawed(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	img, err := r.ImportImage(r.ctx, backends.ImageSpec{Name: "debian", Kind: "disk", Fingerprint: "sha256:1 size=1048576"}, imageSource(holes(1<<20), "raw"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := open(t.Context(), Config{
		Config:   conn.Config{Endpoint: r.sim.Endpoint(), Username: r.sim.Username(), Password: r.sim.Password(), CACertificate: r.sim.CACertificate()},
		Defaults: r.cfg.Defaults,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	r.sim.Delay("CreateSnapshotEx_Task", 300*time.Millisecond)
	r.sim.Delay("CreateSnapshot_Task", 300*time.Millisecond)
	linked := make(chan error, 1)
	go func() {
		_, err := r.CreateVM(r.ctx, &backends.VMSpec{Name: "linked", Image: img.ID, Linked: true})
		linked <- err
	}()
	for r.isTemplate("debian") {
		if err := r.ctx.Err(); err != nil {
			t.Fatal("the image never was a VM")
		}
	}
	tries := map[string]func() error{
		"read": func() error { _, err := r.GetImage(r.ctx, img.ID); return err },
		"list": func() error {
			all, err := r.ListImages(r.ctx, "")
			if err == nil && !slices.ContainsFunc(all, func(i backends.Image) bool { return i.ID == img.ID }) {
				t.Errorf("the images are %+v", all)
			}
			return err
		},
		"again": func() error {
			_, err := r.ImportImage(r.ctx, backends.ImageSpec{Name: "debian", Kind: "disk", Fingerprint: "sha256:1 size=1048576"}, backends.ImageSource{Open: unopened(t)})
			return err
		},
		"full":            func() error { _, err := r.CreateVM(r.ctx, &backends.VMSpec{Name: "full", Image: img.ID}); return err },
		"read by another": func() error { _, err := other.GetImage(r.ctx, img.ID); return err },
		"clone by another": func() error {
			_, err := other.CreateVM(r.ctx, &backends.VMSpec{Name: "other", Image: img.ID})
			return err
		},
	}
	failed := make(chan string, len(tries))
	for name, try := range tries {
		go func() {
			if err := try(); err != nil {
				failed <- name + ": " + err.Error()
				return
			}
			failed <- ""
		}()
	}
	for range tries {
		if what := <-failed; what != "" {
			t.Error(what)
		}
	}
	if err := <-linked; err != nil {
		t.Error(err)
	}
	if !r.isTemplate("debian") {
		t.Error("the image is no template any more")
	}
}

// TestNoTemplateAnyMore: an image that somebody made a VM of is none.
func TestNoTemplateAnyMore(t *testing.T) {
	t.Parallel() // it waits
	r := newRig(t, vcsim.Options{})
	img, err := r.ImportImage(r.ctx, backends.ImageSpec{Name: "debian", Kind: "disk", Fingerprint: "sha256:1 size=1048576"}, imageSource(holes(1<<20), "raw"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.machine(r.ctx, backends.ID(img.ID), "read")
	if err == nil {
		err = r.markMachine(r.ctx, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.GetImage(r.ctx, img.ID)
	wantCode(t, err, backends.NotFound)
}

func (r *rig) isTemplate(name string) bool {
	props, err := r.sim.Properties(name)
	return err == nil && props.Config != nil && props.Config.Template
}
