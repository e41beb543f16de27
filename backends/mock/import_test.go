package mock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

func content(format, text string, size int64) *backends.Content {
	return &backends.Content{Reader: io.NopCloser(strings.NewReader(text)), Format: format, Size: int64(len(text)), VirtualSize: size}
}

func from(format, text string, size int64) backends.ImageSource {
	return backends.ImageSource{Open: func(context.Context) (*backends.Content, error) { return content(format, text, size), nil }}
}

func bring(t *testing.T, b backends.Backend, spec backends.ImageSpec, source backends.ImageSource) backends.Image {
	t.Helper()
	im, err := b.ImportImage(t.Context(), spec, source)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// TestImageOfVM: the image holds what the root disk held, and so does a VM made of it.
func TestImageOfVM(t *testing.T) {
	b := open(t, mock.Options{SampleData: true})
	src := create(t, b, &backends.VMSpec{Name: "src", Image: "default/ubuntu-24.04"})
	writeData(t, b, src, "root", "golden")
	im := bring(t, b, backends.ImageSpec{Name: "mine", Kind: "disk", Storage: new("fast"), Format: new("raw")}, backends.ImageSource{VM: src})
	if im.ID != "fast/mine" || im.Format != "raw" || im.SizeBytes != 4<<30 || im.Allocated != 4<<30 || im.Kind != "disk" {
		t.Errorf("the image is %+v", im)
	}
	if err := b.DeleteVM(t.Context(), src, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	id := create(t, b, &backends.VMSpec{Name: "made", Image: im.ID})
	wantData(t, b, id, "root", "golden")
	power(t, b, id, backends.PowerOn)
	if g, err := b.GuestInfo(t.Context(), id); err != nil || !strings.Contains(g.OS, "Ubuntu") {
		t.Errorf("the guest is %+v (%v)", g, err)
	}
	_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "none"}, backends.ImageSource{VM: src})
	wantCode(t, err, backends.NotFound, string(src))
	legacy, err := b.ListVMs(t.Context(), backends.VMFilter{Names: []string{"legacy-app"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.ImportImage(t.Context(), backends.ImageSpec{Name: "none"}, backends.ImageSource{VM: legacy[0].ID})
	wantCode(t, err, backends.Invalid, "legacy-app", `"root"`)
	sound(t, b)
}

// TestTemplateOfVM: a copy that lives for itself, on the storage and in the
// format that were asked for.
func TestTemplateOfVM(t *testing.T) {
	b := open(t, mock.Options{})
	src := golden(t, b)
	im := bring(t, b, backends.ImageSpec{Name: "gold", Kind: "template", Storage: new("datastore1"), Format: new("vmdk"), Fingerprint: "sha256:1"},
		backends.ImageSource{VM: src})
	vm := get(t, b, backends.ID(im.ID))
	if !vm.Template || im.Kind != "template" || im.Storage != "datastore1" || im.Format != "vmdk" || im.SizeBytes != 12<<30 {
		t.Errorf("the template is %+v, %+v", im, vm)
	}
	for key, d := range vm.Config.Disks {
		if *d.Storage != "datastore1" || *d.Format != "vmdk" || d.Volume != nil {
			t.Errorf("disk %q of the template is %+v", key, d)
		}
		wantData(t, b, vm.ID, key, key+" content")
	}
	again := bring(t, b, backends.ImageSpec{Name: "gold", Kind: "template", Fingerprint: "sha256:1"}, backends.ImageSource{VM: src})
	if !again.Cached || again.ID != im.ID {
		t.Errorf("the same template again is %+v", again)
	}
	_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "golden", Kind: "template"}, backends.ImageSource{VM: src})
	wantCode(t, err, backends.Conflict, "golden", "import")
	_, err = b.CreateVM(t.Context(), &backends.VMSpec{Name: "wrong", Image: im.ID})
	wantCode(t, err, backends.Invalid, im.ID, "template")
	link := create(t, b, &backends.VMSpec{Name: "link", Template: "gold", Linked: true})
	wantCode(t, b.DeleteImage(t.Context(), im.ID), backends.Precondition, `"gold"`, `VM "link"`)
	for _, id := range []backends.ID{link, src} {
		if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.DeleteImage(t.Context(), im.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.GetImage(t.Context(), im.ID)
	wantCode(t, err, backends.NotFound)
	sound(t, b)
}

// appliance serves the disks in the order of their keys.
func appliance(hardware backends.VMSpec, closed *int, last error, disks ...string) backends.ImageSource {
	return backends.ImageSource{OpenAppliance: func(context.Context) (*backends.Appliance, error) {
		next := 0
		return &backends.Appliance{
			Hardware: hardware,
			Next: func(context.Context) (string, *backends.Content, error) {
				if next == len(disks) {
					return "", nil, last
				}
				next++
				return disks[next-1], content("raw", strings.Repeat("x", 1000*next), 1<<30), nil
			},
			Close: func() error { *closed++; return nil },
		}, nil
	}}
}

// TestAppliance: hardware in terms of this hypervisor, disks verified to the end.
func TestAppliance(t *testing.T) {
	b := open(t, mock.Options{})
	hardware := backends.VMSpec{
		CPU: backends.CPU{Cores: new(int64(2))}, Memory: backends.Memory{SizeMiB: new(int64(1024))},
		Disks: map[string]backends.Disk{
			"root": {SizeGiB: new(int64(1)), Bus: new("scsi")}, "disk2": {SizeGiB: new(int64(3)), Bus: new("paravirtual")},
		},
		Networks: map[string]backends.NIC{"net1": {Network: new("Bridged"), Model: new("vmxnet3")}, "net2": {Network: new("dmz")}},
	}
	closed := 0
	for _, tt := range []struct {
		last  error
		disks []string
		words []string
	}{
		{errors.New("the manifest does not match"), []string{"root", "disk2"}, []string{"manifest"}},
		{io.EOF, []string{"root", "stranger"}, []string{"stranger"}},
	} {
		_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "app", Kind: "ova"}, appliance(hardware, &closed, tt.last, tt.disks...))
		if err == nil || !strings.Contains(err.Error(), tt.words[0]) || !strings.Contains(err.Error(), `"app"`) {
			t.Errorf("the broken appliance: %v", err)
		}
	}
	if err := b.Inject(mock.Fault{Operation: "ImportImage.transfer", Name: "app", Skip: 1, Count: 1}); err != nil {
		t.Fatal(err)
	}
	_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "app", Kind: "ova"}, appliance(hardware, &closed, io.EOF, "root", "disk2"))
	wantCode(t, err, backends.Transient)
	if list, err := b.ListVMs(t.Context(), backends.VMFilter{}); err != nil || len(list) > 0 || closed != 3 {
		t.Errorf("what was broken left %+v (%v), and %d of 3 transfers were closed", list, err, closed)
	}
	im := bring(t, b, backends.ImageSpec{Name: "app", Kind: "ova"}, appliance(hardware, &closed, io.EOF, "root", "disk2"))
	c := get(t, b, backends.ID(im.ID)).Config
	if im.Kind != "ova" || *c.CPU.Cores != 2 || *c.Disks["root"].Bus != "scsi" || *c.Disks["disk2"].Bus != "virtio" ||
		*c.Disks["disk2"].SizeGiB != 3 || *c.Networks["net1"].Network != "default" || *c.Networks["net2"].Network != "dmz" {
		t.Errorf("the appliance is %+v, %+v", im, c)
	}
	sound(t, b)
}

// TestConversion: an image is stored in the format that was asked for and counts
// as such.
func TestConversion(t *testing.T) {
	b := open(t, mock.Options{})
	qcow2 := "QFI\xfb" + strings.Repeat("x", 2000)
	for _, tt := range []struct {
		from, text string
		to         *string
		allocated  int64
	}{
		{"qcow2", qcow2, nil, 2004},
		{"qcow2", qcow2, new("raw"), 1 << 30},
		{"qcow2", qcow2, new("vmdk"), 2004},
		{"raw", "bytes", new("qcow2"), 5},
		{"vhdx", "vhdxfile", new("qcow2"), 8},
	} {
		before := free(t, b, "default")
		im := bring(t, b, backends.ImageSpec{Name: fmt.Sprint(tt.from, " to ", tt.to), Format: tt.to}, from(tt.from, tt.text, 1<<30))
		want := tt.from
		if tt.to != nil {
			want = *tt.to
		}
		if im.Format != want || im.Allocated != tt.allocated || im.SizeBytes != 1<<30 || before-free(t, b, "default") != tt.allocated {
			t.Errorf("%s to %s: %+v", tt.from, want, im)
		}
	}
	for _, tt := range []struct {
		spec  backends.ImageSpec
		from  backends.ImageSource
		words []string
	}{
		{backends.ImageSpec{Name: "x", Format: new("punched")}, from("raw", "x", 1), []string{"punched", "qcow2"}},
		{backends.ImageSpec{Name: "x", Kind: "iso", Format: new("raw")}, from("iso", "x", 1), []string{"as it is"}},
		{backends.ImageSpec{Name: "x"}, from("qcow2", "no such thing", 1<<30), []string{"no qcow2"}},
		{backends.ImageSpec{Name: "x"}, from("ova", "tar", -1), []string{`"ova"`}},
		{backends.ImageSpec{Name: "x", Kind: "ova"}, from("ova", "tar", -1), []string{"ova"}},
		{backends.ImageSpec{Name: "x", Kind: "template"}, from("raw", "x", 1), []string{"VM"}},
		{backends.ImageSpec{Name: "x", Kind: "iso"}, backends.ImageSource{VM: "y"}, []string{"iso"}},
		{backends.ImageSpec{Name: "x"}, backends.ImageSource{VM: "y", LibraryItem: "shared/debian-12"}, []string{"one source"}},
		{backends.ImageSpec{Name: "x"}, backends.ImageSource{}, []string{"no content"}},
		{backends.ImageSpec{Name: "x", Kind: "tape"}, from("raw", "x", 1), []string{"tape"}},
	} {
		_, err := b.ImportImage(t.Context(), tt.spec, tt.from)
		wantCode(t, err, backends.Invalid, tt.words...)
	}
	endless := backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		return &backends.Content{Reader: io.NopCloser(bytes.NewReader(nil)), Format: "raw", Size: 17 << 30, VirtualSize: -1}, nil
	}}
	_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "x", Storage: new("small")}, endless)
	wantCode(t, err, backends.Exhausted, "small")
	sound(t, b)
}

// TestSameContentElsewhere: it is not transferred twice into one storage.
func TestSameContentElsewhere(t *testing.T) {
	b := open(t, mock.Options{})
	opened := 0
	source := backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		opened++
		return content("raw", "bytes", 1<<20), nil
	}}
	bring(t, b, backends.ImageSpec{Name: "one", Fingerprint: "f"}, source)
	two := bring(t, b, backends.ImageSpec{Name: "two", Fingerprint: "f"}, source)
	if !two.Cached || two.ID != "default/two" || opened != 1 {
		t.Errorf("the second is %+v after %d transfers", two, opened)
	}
	if got, err := b.GetImage(t.Context(), two.ID); err != nil || got.Cached {
		t.Errorf("it reads back as %+v (%v)", got, err)
	}
	for _, spec := range []backends.ImageSpec{
		{Name: "three", Fingerprint: "f", Storage: new("fast")}, {Name: "four", Fingerprint: "f", Kind: "iso"}, {Name: "five"},
	} {
		before := opened
		if im := bring(t, b, spec, source); im.Cached || opened != before+1 {
			t.Errorf("%s is %+v after %d transfers", spec.Name, im, opened)
		}
	}
}

// TestLibrary: images, ISOs and templates come from the library without a transfer.
func TestLibrary(t *testing.T) {
	b := open(t, mock.Options{})
	item := func(name string) backends.ImageSource { return backends.ImageSource{LibraryItem: name} }
	im := bring(t, b, backends.ImageSpec{Name: "debian"}, item("shared/debian-12"))
	if im.ID != "default/debian" || im.Format != "qcow2" || im.SizeBytes != 3<<30 {
		t.Errorf("the image is %+v", im)
	}
	create(t, b, &backends.VMSpec{Name: "vm", Image: im.ID})
	if iso := bring(t, b, backends.ImageSpec{Name: "rescue", Kind: "iso"}, item("shared/rescue.iso")); iso.Format != "iso" {
		t.Errorf("the ISO is %+v", iso)
	}
	template := bring(t, b, backends.ImageSpec{Name: "tmpl", Kind: "template"}, item("shared/ubuntu-24.04"))
	id := create(t, b, &backends.VMSpec{Name: "of-template", Template: template.ID})
	power(t, b, id, backends.PowerOn)
	if g, err := b.GuestInfo(t.Context(), id); err != nil || !strings.Contains(g.OS, "Ubuntu") {
		t.Errorf("the guest is %+v (%v)", g, err)
	}
	_, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "x"}, item("shared/fedora"))
	wantCode(t, err, backends.NotFound, "shared/fedora", "shared/debian-12, shared/rescue.iso, shared/ubuntu-24.04")
	_, err = b.ImportImage(t.Context(), backends.ImageSpec{Name: "x"}, item("shared/rescue.iso"))
	wantCode(t, err, backends.Invalid, `"iso"`)
	sound(t, b)
}
