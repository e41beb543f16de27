package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func TestRefusedImports(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	source, _ := from(diskFile(t, 8), diskimage.Checksum{})
	l.DirPool(t, "idle")
	l.Virsh(t, "pool-destroy", "idle")
	unread := func(format string, size int64) backends.ImageSource {
		return backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
			return &backends.Content{Reader: io.NopCloser(failing{errors.New("read all the same")}), Format: format, Size: size, VirtualSize: size}, nil
		}}
	}
	str := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		spec   backends.ImageSpec
		source backends.ImageSource
		code   backends.Code
		path   backends.Path
		said   string
	}{
		"no such pool":  {backends.ImageSpec{Name: "a", Storage: str("fast")}, source, backends.NotFound, "storage", "default"},
		"idle pool":     {backends.ImageSpec{Name: "a", Storage: str("idle")}, source, backends.Precondition, "storage", "pool-start idle"},
		"slash":         {backends.ImageSpec{Name: "a/b"}, source, backends.Invalid, "name", "no slash"},
		"marker's name": {backends.ImageSpec{Name: "a.virtrigaud"}, source, backends.Invalid, "name", ".virtrigaud"},
		"kind":          {backends.ImageSpec{Name: "a", Kind: "ova"}, source, backends.Unsupported, "kind", "ova"},
		"from a VM":     {backends.ImageSpec{Name: "a"}, backends.ImageSource{VM: "1"}, backends.Unsupported, "vm_id", "VM"},
		"temporary":     {backends.ImageSpec{Name: "a.virtrigaud-incoming"}, source, backends.Invalid, "name", ".virtrigaud-incoming"},
		"no disk":       {backends.ImageSpec{Name: "a"}, unread("ova", 10), backends.Unsupported, "format", "no disk"},
		"target format": {backends.ImageSpec{Name: "a", Format: str("vmdk")}, source, backends.Invalid, "target_format", "qcow2 or raw"},
		"no ISO":        {backends.ImageSpec{Name: "a", Kind: "iso"}, source, backends.Invalid, "kind", "not an ISO"},
		"no space":      {backends.ImageSpec{Name: "a"}, unread("qcow2", 1<<60), backends.Exhausted, "storage", "MiB left"},
		"no space, too": {backends.ImageSpec{Name: "a"}, unread("vmdk", 1<<60), backends.Exhausted, "storage", `pool "default"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.ImportImage(t.Context(), c.spec, c.source)
			var e *backends.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Path != c.path || !strings.Contains(e.Error()+e.Remedy, c.said) {
				t.Errorf("got %v (%+v)", err, e)
			}
		})
	}

	l.AssertEmpty(t)
}

func TestImagesInUseAreKept(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	source, _ := from(asQCOW2(t, diskFile(t, 8)), diskimage.Checksum{})
	img, err := s.ImportImage(t.Context(), spec("base", "sha256:aa"), source)
	if err != nil {
		t.Fatal(err)
	}
	l.Virsh(t, "vol-create-as", "default", "clone", "16M", "--format", "qcow2", "--backing-vol", "base", "--backing-vol-format", "qcow2")
	err = s.DeleteImage(t.Context(), img.ID)
	wantCode(t, err, backends.Precondition)
	if !strings.Contains(fmt.Sprint(err), `"default/clone"`) {
		t.Errorf("the error does not name the clone: %v", err)
	}
	if err := s.Delete(t.Context(), Ref{"default", "clone"}); err != nil {
		t.Fatal(err)
	}
	l.Define(t, "", `<domain type='qemu'><name>web</name><memory unit='MiB'>64</memory><os><type>hvm</type></os><devices><disk type='file'><source file='`+img.Path+`'/><target dev='vda'/></disk></devices></domain>`)
	err = s.DeleteImage(t.Context(), img.ID)
	wantCode(t, err, backends.Precondition)
	if !strings.Contains(fmt.Sprint(err), `VM "web"`) {
		t.Errorf("the error does not name the VM: %v", err)
	}
	l.Virsh(t, "undefine", "web")
	if err := s.DeleteImage(t.Context(), img.ID); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}
