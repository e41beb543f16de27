package storage

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// made converts a raw disk with qemu-img.
func made(t *testing.T, raw, format string, options ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk."+format)
	qemuImg(t, append(append([]string{"convert", "-f", "raw", "-O", format}, options...), raw, path)...)
	return path
}

// foreign are formats that no VM of QEMU should run from, with the way that each takes into a pool.
var foreign = []struct {
	name, format string
	options      []string
}{
	{"streamOptimized", "vmdk", []string{"-o", "subformat=streamOptimized"}},
	{"monolithicSparse", "vmdk", nil},
	{"vdi", "vdi", nil},
	{"dynamic-vhd", "vpc", []string{"-o", "force_size=on"}},
	{"fixed-vhd", "vpc", []string{"-o", "subformat=fixed,force_size=on"}},
	{"vhdx", "vhdx", nil},
}

// same fails where a volume has not the content of a raw disk. QEMU itself compares them.
func same(t *testing.T, path, format, raw string) {
	t.Helper()
	qemuImg(t, "compare", "-f", format, "-F", "raw", path, raw)
}

// Every format becomes qcow2 unless another one is asked for, and nothing else is left.
func TestForeignFormatsAreConverted(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	raw := diskFile(t, 40)
	str := func(s string) *string { return &s }
	for _, c := range foreign {
		path := made(t, raw, c.format, c.options...)
		for target, want := range map[*string]string{nil: "qcow2", str("raw"): "raw"} {
			t.Run(c.name+" to "+want, func(t *testing.T) {
				source, _ := from(path, diskimage.Checksum{})
				img, err := s.ImportImage(t.Context(), backends.ImageSpec{Name: "disk", Format: target, Fingerprint: "sha256:aa"}, source)
				if err != nil {
					t.Fatal(err)
				}
				if img.Format != want || img.SizeBytes != 40*mib || img.Kind != "disk" || img.Allocated > 10*mib {
					t.Errorf("imported %+v", img)
				}
				same(t, img.Path, want, raw)
				if got := l.Volumes(t, "default"); len(got) != 2 {
					t.Errorf("the pool has %q", got)
				}
				if err := s.DeleteImage(t.Context(), img.ID); err != nil {
					t.Error(err)
				}
				l.AssertEmpty(t)
			})
		}
	}
}

func TestReceiveADisk(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	raw := diskFile(t, 40)
	qcow2 := asQCOW2(t, raw)
	vmdk := made(t, raw, "vmdk", "-o", "subformat=streamOptimized")
	for _, c := range []struct {
		name, path string
		spec       Spec
		format     string
		size       int64
		allocated  [2]int64
	}{
		{"qcow2 as it is", qcow2, Spec{}, "qcow2", 40 * mib, [2]int64{0, 8 * mib}},
		{"raw as it is", raw, Spec{}, "raw", 40 * mib, [2]int64{0, 8 * mib}},
		{"qcow2 made larger", qcow2, Spec{CapacityBytes: 64 * mib}, "qcow2", 64 * mib, [2]int64{0, 8 * mib}},
		{"raw made larger", raw, Spec{CapacityBytes: 64 * mib}, "raw", 64 * mib, [2]int64{0, 8 * mib}},
		{"raw to qcow2", raw, Spec{Format: "qcow2"}, "qcow2", 40 * mib, [2]int64{0, 8 * mib}},
		{"qcow2 to raw", qcow2, Spec{Format: "raw"}, "raw", 40 * mib, [2]int64{0, 8 * mib}},
		{"vmdk made larger", vmdk, Spec{CapacityBytes: 64 * mib}, "qcow2", 64 * mib, [2]int64{0, 8 * mib}},
		{"thick from raw", raw, Spec{Provisioning: "thick", CapacityBytes: 64 * mib}, "raw", 64 * mib, [2]int64{64 * mib, 66 * mib}},
		{"thick from vmdk", vmdk, Spec{Provisioning: "thick"}, "raw", 40 * mib, [2]int64{40 * mib, 42 * mib}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spec.Ref = Ref{"default", "disk"}
			source, _ := from(c.path, diskimage.Checksum{})
			content, err := source.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer content.Reader.Close()
			v, err := s.Receive(t.Context(), c.spec, content)
			if err != nil {
				t.Fatal(err)
			}
			if v.Format != c.format || v.CapacityBytes != c.size || v.AllocationBytes < c.allocated[0] || v.AllocationBytes > c.allocated[1] {
				t.Errorf("received %+v", v)
			}
			same(t, v.Path, c.format, raw) // zeros at the end of one make no difference
			_, err = s.Receive(t.Context(), c.spec, &backends.Content{Reader: io.NopCloser(failing{io.ErrNoProgress}), Format: "raw", Size: 1, VirtualSize: 1})
			wantCode(t, err, backends.Conflict)
			if err := s.Discard(t.Context(), v.Ref); err != nil {
				t.Error(err)
			}
			l.AssertEmpty(t)
			wantCode(t, s.Discard(t.Context(), v.Ref), backends.NotFound)
		})
	}
}

func TestReceptionsThatFailLeaveNothing(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	raw := diskFile(t, 40)
	file := map[string]string{}
	for _, c := range foreign {
		file[c.name] = made(t, raw, c.format, c.options...)
	}
	file["qcow2"] = asQCOW2(t, raw)
	for name, path := range file {
		t.Run("cut short "+name, func(t *testing.T) {
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			short := filepath.Join(t.TempDir(), "short")
			if err := os.WriteFile(short, whole[:len(whole)-100_000], 0o600); err != nil {
				t.Fatal(err)
			}
			// As if it was cut short where it was published: its length is what it should be. The last
			// sector of a fixed VHD is all that tells it from a raw disk.
			source := backends.ImageSource{Open: func(ctx context.Context) (*backends.Content, error) {
				im, err := diskimage.Open(ctx, diskimage.Source{Path: short})
				if err != nil {
					return nil, err
				}
				format := string(im.Format)
				if name == "fixed-vhd" {
					format = "vhd"
				}
				return &backends.Content{Reader: im, Format: format, Size: im.Size, VirtualSize: im.VirtualSize}, nil
			}}
			_, err = s.ImportImage(t.Context(), spec("image", "sha256:aa"), source)
			wantCode(t, err, backends.Transient)
			if err == nil || !strings.Contains(err.Error(), "cut short") {
				t.Errorf("the error says %v", err)
			}
			l.AssertEmpty(t)
		})
	}
	for _, name := range []string{"streamOptimized", "vhdx"} {
		t.Run("interrupted "+name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			source, _ := from(file[name], diskimage.Checksum{})
			open := source.Open
			source.Open = func(ctx context.Context) (*backends.Content, error) {
				c, err := open(ctx)
				if err == nil {
					c.Reader = readCloser{io.MultiReader(io.LimitReader(c.Reader, 50_000), calling{cancel}, c.Reader), c.Reader}
				}
				return c, err
			}
			_, err := s.ImportImage(ctx, spec("image", "sha256:aa"), source)
			wantCode(t, err, backends.Canceled)
			l.AssertEmpty(t)
		})
	}
}

// calling is a reader of nothing that does something.
type calling struct{ fn func() }

func (c calling) Read([]byte) (int, error) { c.fn(); return 0, io.EOF }

// A pool that is too small for what is made of an image, which nobody can know before.
func TestAPoolThatFillsUpDuringAConversion(t *testing.T) {
	l := libvirtlab.Start(t)
	s := store(t, l)
	dir := l.DirPool(t, "tiny")
	if _, err := l.Exec(t.Context(), "mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", dir); err != nil {
		t.Fatal(err)
	}
	l.Virsh(t, "pool-refresh", "tiny")
	// 64 MiB that shrink to nearly nothing in the stream.
	path := filepath.Join(t.TempDir(), "full.raw")
	if err := os.WriteFile(path, []byte(strings.Repeat("virtrigaud ", 64*mib/11+1))[:64*mib], 0o600); err != nil {
		t.Fatal(err)
	}
	pool := "tiny"
	for _, c := range foreign[:1] {
		source, _ := from(made(t, path, c.format, c.options...), diskimage.Checksum{})
		_, err := s.ImportImage(t.Context(), backends.ImageSpec{Name: "big", Storage: &pool}, source)
		wantCode(t, err, backends.Exhausted)
		if !strings.Contains(fmt.Sprint(err), "No space left on device") {
			t.Errorf("the error does not say why: %v", err)
		}
		l.AssertEmpty(t)
	}
	if _, err := l.Exec(t.Context(), "umount", "-l", dir); err != nil {
		t.Error(err)
	}
}

// What is left by a provider that crashed goes with the next import: at once where that is of the
// same image, a day later where it is of another one.
func TestLeftoversOfCrashedImportsAreRemoved(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	if err := s.writeMarker(t.Context(), Ref{"default", "disk"}, newMarker("sha256:aa")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"disk", "old", "recent"} {
		l.Virsh(t, "vol-create-as", "default", name+incomingSuffix, "1M")
	}
	then := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(filepath.Join(l.Dir, "pool", "old"+incomingSuffix), then, then); err != nil {
		t.Fatal(err)
	}
	source, _ := from(made(t, diskFile(t, 8), "vdi"), diskimage.Checksum{})
	img, err := s.ImportImage(t.Context(), spec("disk", "sha256:aa"), source)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(l.Volumes(t, "default"), " "); got != "disk disk.virtrigaud recent"+incomingSuffix {
		t.Errorf("the pool has %s", got)
	}
	if err := s.DeleteImage(t.Context(), img.ID); err != nil {
		t.Error(err)
	}
	if err := s.Discard(t.Context(), Ref{"default", "recent"}); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

func TestContentThatIsThereIsCopiedOnTheHost(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	raw := diskFile(t, 8)
	iso := filepath.Join(t.TempDir(), "seed.iso")
	writeISO(t, iso)
	rawFormat := "raw"
	for _, c := range []struct {
		name, path string
		spec       backends.ImageSpec
		format     string
	}{
		{"qcow2", asQCOW2(t, raw), backends.ImageSpec{Kind: "disk"}, "qcow2"},
		{"raw", raw, backends.ImageSpec{Kind: "disk"}, "raw"},
		{"vmdk", made(t, raw, "vmdk"), backends.ImageSpec{Kind: "disk"}, "qcow2"},
		{"vmdk to raw", made(t, raw, "vmdk"), backends.ImageSpec{Kind: "disk", Format: &rawFormat}, "raw"},
		{"iso", iso, backends.ImageSpec{Kind: "iso"}, "iso"},
	} {
		t.Run(c.name, func(t *testing.T) {
			source, opened := from(c.path, diskimage.Checksum{})
			first := c.spec
			first.Name, first.Fingerprint, first.Format = "first", "sha256:aa", nil
			a, err := s.ImportImage(t.Context(), first, source)
			if err != nil {
				t.Fatal(err)
			}
			c.spec.Name, c.spec.Fingerprint = "second", "sha256:aa"
			b, err := s.ImportImage(t.Context(), c.spec, source)
			if err != nil {
				t.Fatal(err)
			}
			if opened.Load() != 1 || !b.Cached || b.Format != c.format || b.Kind != a.Kind || b.SizeBytes != a.SizeBytes || b.ID != "default/second" || b.Fingerprint != a.Fingerprint {
				t.Errorf("after %d transfers %+v became %+v", opened.Load(), a, b)
			}
			if c.format == "iso" {
				if fileDigest(t, b.Path) != fileDigest(t, c.path) {
					t.Error("the copy is another image")
				}
			} else {
				same(t, b.Path, c.format, raw)
			}
			for _, id := range []string{a.ID, b.ID} {
				if err := s.DeleteImage(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
			l.AssertEmpty(t)
		})
	}
}

func TestImageFromVolume(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	raw := diskFile(t, 8)
	source, _ := from(asQCOW2(t, raw), diskimage.Checksum{})
	content, err := source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer content.Reader.Close()
	if _, err := s.Receive(t.Context(), Spec{Ref: Ref{"default", "base"}}, content); err != nil {
		t.Fatal(err)
	}
	l.Virsh(t, "vol-create-as", "default", "layer", "8M", "--format", "qcow2", "--backing-vol", "base", "--backing-vol-format", "qcow2")
	img, err := s.ImageFromVolume(t.Context(), backends.ImageSpec{Name: "golden", Kind: "disk"}, Ref{"default", "layer"})
	if err != nil {
		t.Fatal(err)
	}
	if img.ID != "default/golden" || img.Format != "qcow2" || img.Cached {
		t.Errorf("made %+v", img)
	}
	if v, err := s.Get(t.Context(), Ref{"default", "golden"}); err != nil || v.Backing != "" {
		t.Errorf("the image lies in layers: %+v, %v", v, err)
	}
	same(t, img.Path, "qcow2", raw)
	_, err = s.ImageFromVolume(t.Context(), backends.ImageSpec{Name: "golden"}, Ref{"default", "layer"})
	wantCode(t, err, backends.Conflict)
	_, err = s.ImageFromVolume(t.Context(), backends.ImageSpec{Name: "none"}, Ref{"default", "nothing"})
	wantCode(t, err, backends.NotFound)
	if all, err := s.ListImages(t.Context(), ""); err != nil || len(all) != 1 || all[0] != img {
		t.Errorf("images are %+v, %v", all, err)
	}
	if err := s.DeleteImage(t.Context(), img.ID); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"layer", "base"} {
		if err := s.Delete(t.Context(), Ref{"default", name}); err != nil {
			t.Error(err)
		}
	}
	l.AssertEmpty(t)
}
