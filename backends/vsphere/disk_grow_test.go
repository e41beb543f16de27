package vsphere

import (
	"errors"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// TestWhatDoesNotGrow: disks that share content, or whose content others need, are refused by their size, with the reason,
// whichever way they are to grow, and nothing is asked of vSphere.
func TestWhatDoesNotGrow(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	src := r.create(r.spec("golden-1"))
	linked := r.clonesOf(src, "linked", true)
	alone := r.create(r.spec("alone"))
	r.take(alone, "before")
	path := backends.Path("disks").Key("data").Attr("size_gib")
	for id, why := range map[backends.ID][]string{
		linked: {"shares the content of", "golden-1/golden-1_1.vmdk", "full clone"},
		src:    {"linked clones", "Delete them first"},
		alone:  {"snapshots (before)", "Delete them first"},
	} {
		was := r.read(id)
		to := was.Config
		to.Disks = map[string]backends.Disk{}
		for key, d := range was.Config.Disks {
			if key == "data" {
				d.SizeGiB = new(*d.SizeGiB + 1)
			}
			to.Disks[key] = d
		}
		calls := r.sim.Calls()["ReconfigVM_Task"]
		err := r.try(id, &to, backends.Cold)
		r.refused(err, backends.Precondition, path)
		direct := r.ResizeDisk(r.ctx, was.Disks["data"].VolumeID, *to.Disks["data"].SizeGiB)
		r.refused(direct, backends.Precondition, "size_gib")
		for _, word := range why {
			for _, err := range []error{err, direct} {
				var e *backends.Error
				if !errors.As(err, &e) || !strings.Contains(e.Error()+e.Remedy, word) || strings.Contains(e.Error(), baseName) {
					t.Errorf("%s: the refusal does not say %q: %v", was.Config.Name, word, err)
				}
			}
		}
		if n := r.sim.Calls()["ReconfigVM_Task"] - calls; n != 0 {
			t.Errorf("%s: vSphere was asked %d times", was.Config.Name, n)
		}
		r.matches(id, &was.Config)
	}
	full := r.clonesOf(linked, "full", false)
	grown := r.read(full).Config
	d := grown.Disks["data"]
	d.SizeGiB = new(*d.SizeGiB + 1)
	grown.Disks["data"] = d
	r.becomes(full, &grown, backends.Cold)
}

// TestLinkedToASmallImage: a disk that shares an image of less than a GiB cannot have a whole one.
func TestLinkedToASmallImage(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	image, err := r.ImportImage(r.ctx, backends.ImageSpec{Name: "small", Kind: "disk"}, imageSource(noise(1<<20), "raw"))
	if err != nil {
		t.Fatal(err)
	}
	spec := &backends.VMSpec{Name: "small-vm", Image: image.ID, Linked: true, Disks: map[string]backends.Disk{"root": {SizeGiB: new(int64(1))}}}
	_, err = r.CreateVM(r.ctx, spec)
	r.refused(err, backends.Invalid, `disks["root"].size_gib`)
	if !strings.Contains(err.Error(), "1048576 bytes") {
		t.Errorf("the refusal does not tell the image's size: %v", err)
	}
	spec.Disks = map[string]backends.Disk{"root": {}}
	if d := r.read(r.create(spec)).Disks["root"]; d.SizeBytes != 1<<20 || d.Backing == "" {
		t.Errorf("the disk is %+v", d)
	}
}
