package vsphere

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func TestISO(t *testing.T) {
	for _, esxi := range []bool{false, true} {
		t.Run(map[bool]string{false: "vCenter", true: "ESXi"}[esxi], func(t *testing.T) {
			b, s := onSimulator(t, vcsim.Options{ESXi: esxi})
			content := noise(3 << 20)
			spec := backends.ImageSpec{Name: "debian", Kind: "iso", Fingerprint: `etag="abc/def" size=3145728`}
			im, err := b.ImportImage(t.Context(), spec, imageSource(content, "iso"))
			if err != nil {
				t.Fatal(err)
			}
			want := "[" + s.Seed.Datastores[0] + "] virtrigaud/debian.iso"
			if im.ID != want || im.Name != "debian" || im.Kind != "iso" || im.SizeBytes != 3<<20 || im.Fingerprint != spec.Fingerprint {
				t.Errorf("the image is %+v", im)
			}
			s.ResetCalls()
			if got, err := b.GetImage(t.Context(), im.ID); err != nil || got != im || s.TotalCalls() > 4 {
				t.Errorf("after %d calls it reads back as %+v (%v)", s.TotalCalls(), got, err)
			}
			if all, err := b.ListImages(t.Context(), ""); err != nil || !contains(all, im) {
				t.Errorf("it is not listed: %+v (%v)", all, err)
			}
			again, err := b.ImportImage(t.Context(), spec, backends.ImageSource{Open: unopened(t)})
			if err != nil || !again.Cached || again.ID != im.ID {
				t.Errorf("the same once more is %+v (%v)", again, err)
			}
			spec.Name = "debian-too"
			twin, err := b.ImportImage(t.Context(), spec, backends.ImageSource{Open: unopened(t)})
			if err != nil || !twin.Cached || twin.SizeBytes != im.SizeBytes {
				t.Errorf("the same under another name is %+v (%v)", twin, err)
			}
			other := spec
			other.Fingerprint = "sha256:1"
			if _, err := b.ImportImage(t.Context(), other, backends.ImageSource{Open: unopened(t)}); backends.CodeOf(err) != backends.Conflict {
				t.Errorf("other content under the name: %v", err)
			}

			inDrive(t, s, "web", im.ID)
			if err := b.DeleteImage(t.Context(), im.ID); backends.CodeOf(err) != backends.Precondition || !strings.Contains(err.Error(), `VM "web"`) {
				t.Errorf("DeleteImage of what lies in a drive: %v", err)
			}
			if err := s.DestroyVM("web"); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{im.ID, twin.ID} {
				if err := b.DeleteImage(t.Context(), id); err != nil {
					t.Errorf("DeleteImage: %v", err)
				}
			}
			if err := b.DeleteImage(t.Context(), im.ID); backends.CodeOf(err) != backends.NotFound {
				t.Errorf("DeleteImage once more: %v", err)
			}
			nothingLeft(t, b)
		})
	}
}

// inDrive makes a VM that has an ISO in its drive.
func inDrive(t *testing.T, s *vcsim.Server, name, iso string) {
	t.Helper()
	b, err := s.VM(s.Seed.VMs[0])
	if err != nil {
		t.Fatal(err)
	}
	_ = b
	unit := int32(0)
	store, _, _ := datastore.Parse(iso)
	makeVM(t, s, name, store,
		&types.VirtualDeviceConfigSpec{Operation: "add", Device: &types.VirtualAHCIController{
			VirtualSATAController: types.VirtualSATAController{VirtualController: types.VirtualController{VirtualDevice: types.VirtualDevice{Key: -1}}},
		}},
		&types.VirtualDeviceConfigSpec{Operation: "add", Device: &types.VirtualCdrom{VirtualDevice: types.VirtualDevice{
			Key: -2, ControllerKey: -1, UnitNumber: &unit,
			Backing: &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: iso}},
		}}},
	)
}

// What was uploaded is what was sent.
func TestISOContent(t *testing.T) {
	b, s := onSimulator(t, vcsim.Options{})
	content := noise(2<<20 + 17)
	im, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "iso"}, imageSource(content, "iso"))
	if err != nil {
		t.Fatal(err)
	}
	if got := download(t, s, im.ID); !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back, other than the %d that were sent", len(got), len(content))
	}
}

func TestLabels(t *testing.T) {
	for _, fingerprint := range []string{"", "sha256:abcd size=12 mtime=2026-01-01T00:00:00Z", `etag="W/weird .f name.image"`} {
		file, got, ok := readLabel(labelOf("my.f.iso", fingerprint))
		if !ok || file != "my.f.iso" || got != fingerprint {
			t.Errorf("%q became %q, %q, %t", fingerprint, file, got, ok)
		}
	}
	if _, got, ok := readLabel(labelOf("x.iso", strings.Repeat("x", 1000))); !ok || got != "" {
		t.Errorf("a fingerprint that is too long became %q", got)
	}
	for _, name := range []string{"x.iso", ".image", "x.iso.image", "x.iso.f%.image"} {
		if _, _, ok := readLabel(name); ok {
			t.Errorf("%q passes for a label", name)
		}
	}
}
