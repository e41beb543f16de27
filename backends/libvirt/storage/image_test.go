package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func qemuImg(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("qemu-img", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// diskFile makes a raw disk of some MiB with data at its beginning, in its middle and at
// its end.
func diskFile(t *testing.T, megs int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := bytes.Repeat([]byte("virtrigaud "), 20000)
	size := megs * mib
	for _, at := range []int64{0, size / 2, size - int64(len(data))} {
		if _, err := f.WriteAt(data, at); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// asQCOW2 converts a raw disk.
func asQCOW2(t *testing.T, raw string) string {
	t.Helper()
	path := strings.TrimSuffix(raw, ".raw") + ".qcow2"
	qemuImg(t, "convert", "-O", "qcow2", raw, path)
	return path
}

// from is the source of a local file, and how often it was opened.
func from(path string, checksum diskimage.Checksum) (backends.ImageSource, *atomic.Int64) {
	var opened atomic.Int64
	return backends.ImageSource{Open: func(ctx context.Context) (*backends.Content, error) {
		opened.Add(1)
		im, err := diskimage.Open(ctx, diskimage.Source{Path: path, Checksum: checksum})
		if err != nil {
			return nil, err
		}
		return &backends.Content{Reader: im, Format: string(im.Format), Size: im.Size, VirtualSize: im.VirtualSize}, nil
	}}, &opened
}

func spec(name, fingerprint string) backends.ImageSpec {
	return backends.ImageSpec{Name: name, Kind: "disk", Fingerprint: fingerprint}
}

func digest(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func fileDigest(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return digest(t, f)
}

func TestImportKeepsEveryByte(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	raw := diskFile(t, 100)
	iso := filepath.Join(t.TempDir(), "seed.iso")
	writeISO(t, iso)
	for name, c := range map[string]struct {
		path, format string
		size         int64
	}{
		"disk.raw":   {raw, "raw", 100 * mib},
		"disk.qcow2": {asQCOW2(t, raw), "qcow2", 100 * mib},
		"seed.iso":   {iso, "iso", fileSize(t, iso)},
	} {
		source, _ := from(c.path, diskimage.Checksum{})
		var last atomic.Int64
		ctx := backends.WithProgress(t.Context(), func(p backends.Progress) { last.Store(int64(p.Percent)) })
		img, err := s.ImportImage(ctx, spec(name, "sha256:"+name), source)
		if err != nil {
			t.Fatal(err)
		}
		want := backends.Image{
			ID: "default/" + name, Name: name, Kind: "disk", Format: c.format, Storage: "default",
			Path: filepath.Join(l.Dir, "pool", name), SizeBytes: c.size, Fingerprint: "sha256:" + name, Allocated: img.Allocated,
		}
		if c.format == "iso" {
			want.Kind = "iso"
		}
		if img != want {
			t.Errorf("imported %+v\nwant     %+v", img, want)
		}
		if last.Load() != 100 {
			t.Errorf("%s: the last report was %d %%", name, last.Load())
		}
		if fileDigest(t, img.Path) != fileDigest(t, c.path) {
			t.Errorf("%s: the volume differs from the file", name)
		}
		got, err := s.GetImage(t.Context(), img.ID)
		if err != nil || got != img {
			t.Errorf("read back %+v, %v", got, err)
		}
	}
	if img, _ := s.GetImage(t.Context(), "default/disk.raw"); img.Allocated > 10*mib {
		t.Errorf("a raw disk of mostly nothing takes %d bytes", img.Allocated)
	}
	all, err := s.ListImages(t.Context(), "")
	var ids []string
	for _, i := range all {
		ids = append(ids, i.ID)
	}
	if want := []string{"default/disk.qcow2", "default/disk.raw", "default/seed.iso"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("images are %q, %v; want %q", ids, err, want)
	}
	for _, id := range ids {
		if err := s.DeleteImage(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	l.AssertEmpty(t)
	wantCode(t, s.DeleteImage(t.Context(), ids[0]), backends.NotFound)
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// writeISO makes the least that passes for an ISO 9660 image: a primary volume descriptor.
func writeISO(t *testing.T, path string) {
	t.Helper()
	b := make([]byte, 40*2048)
	copy(b[16*2048:], "\x01CD001\x01")
	b[16*2048+80], b[16*2048+129], b[16*2048+128] = 40, 8, 0
	copy(b[17*2048:], "\xffCD001\x01")
	b[16*2048+881] = 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestImportOfUnknownLength(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	path := diskFile(t, 20)
	source := backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		f, err := os.Open(path)
		return &backends.Content{Reader: f, Format: "raw", Size: -1, VirtualSize: -1}, err
	}}
	img, err := s.ImportImage(t.Context(), spec("unknown.raw", ""), source)
	if err != nil {
		t.Fatal(err)
	}
	if img.SizeBytes != 20*mib || fileDigest(t, img.Path) != fileDigest(t, path) {
		t.Errorf("imported %+v", img)
	}
	if err := s.DeleteImage(t.Context(), img.ID); err != nil {
		t.Error(err)
	}
}

func TestTheSameImageIsNotTransferredAgain(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	source, opened := from(asQCOW2(t, diskFile(t, 8)), diskimage.Checksum{})
	first, err := s.ImportImage(t.Context(), spec("debian", "sha256:aa"), source)
	if err != nil || first.Cached {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := s.ImportImage(t.Context(), spec("debian", "sha256:aa"), source)
	first.Cached = true
	if err != nil || again != first || opened.Load() != 1 {
		t.Errorf("%+v, %v; the source was opened %d times", again, err, opened.Load())
	}
	_, err = s.ImportImage(t.Context(), spec("debian", "sha256:bb"), source)
	wantCode(t, err, backends.Conflict)
	_, err = s.ImportImage(t.Context(), spec("debian", ""), source)
	wantCode(t, err, backends.Conflict)

	l.Virsh(t, "vol-create-as", "default", "theirs", "1M")
	_, err = s.ImportImage(t.Context(), spec("theirs", "sha256:aa"), source)
	wantCode(t, err, backends.Conflict)
	var e *backends.Error
	if errors.As(err, &e); e.Path != "name" || !strings.Contains(e.Remedy, `"default/theirs"`) || !strings.Contains(e.Remedy, "vol-delete") {
		t.Errorf("at %q: %v\n%s", e.Path, e, e.Remedy)
	}
	l.Virsh(t, "vol-delete", "theirs", "default")
	if err := s.DeleteImage(t.Context(), first.ID); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

func TestAnInterruptedImportIsDoneAgain(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	// As after a power cut: an incomplete marker, and half an image.
	ref := Ref{"default", "debian"}
	if err := s.writeMarker(t.Context(), ref, newMarker("sha256:aa")); err != nil {
		t.Fatal(err)
	}
	l.Virsh(t, "vol-create-as", "default", "debian", "1M")
	_, err := s.GetImage(t.Context(), ref.String())
	wantCode(t, err, backends.NotFound)
	if all, err := s.ListImages(t.Context(), "default"); err != nil || len(all) != 0 {
		t.Errorf("images are %v, %v", all, err)
	}
	source, _ := from(asQCOW2(t, diskFile(t, 8)), diskimage.Checksum{})
	img, err := s.ImportImage(t.Context(), spec("debian", "sha256:aa"), source)
	if err != nil || img.Cached || img.SizeBytes != 8*mib {
		t.Errorf("%+v, %v", img, err)
	}
	if err := s.DeleteImage(t.Context(), img.ID); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

func TestAFailedImportLeavesNothing(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	raw := diskFile(t, 64)
	qcow2 := asQCOW2(t, raw)
	wrong, err := diskimage.ParseChecksum("sha256:" + strings.Repeat("0", 64))
	if err != nil {
		t.Fatal(err)
	}
	mismatch, _ := from(raw, wrong)
	broken := func(path, format string, size int64, fault error) backends.ImageSource {
		return backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
			f, err := os.Open(path)
			r := io.MultiReader(io.LimitReader(f, 1<<20), failing{fault})
			return &backends.Content{Reader: readCloser{r, f}, Format: format, Size: size, VirtualSize: size}, err
		}}
	}
	for name, c := range map[string]struct {
		source backends.ImageSource
		code   backends.Code
		said   string
	}{
		"checksum":           {mismatch, backends.Invalid, "sha256"},
		"cut short":          {broken(raw, "raw", 64*mib, io.ErrUnexpectedEOF), backends.Transient, "unexpected EOF"},
		"cut short, unsaid":  {broken(raw, "raw", 64*mib, io.EOF), backends.Transient, "1048576 were received"},
		"source fails":       {broken(qcow2, "qcow2", fileSize(t, qcow2), errors.New("the tape is torn")), backends.Internal, "the tape is torn"},
		"not what it claims": {broken(raw, "qcow2", 1<<20, io.EOF), backends.Internal, "takes it for a raw"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.ImportImage(t.Context(), spec("image", "sha256:aa"), c.source)
			wantCode(t, err, c.code)
			if err != nil && (!strings.Contains(err.Error(), c.said) || !strings.HasPrefix(err.Error(), `Unable to import image "image": `)) {
				t.Errorf("the error says %v", err)
			}
			l.AssertEmpty(t)
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type readCloser struct {
	io.Reader
	io.Closer
}

func TestCancelledImportLeavesNothing(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	source := backends.ImageSource{Open: func(ctx context.Context) (*backends.Content, error) {
		r := &endless{ctx: ctx, after: 8 * mib, then: cancel}
		return &backends.Content{Reader: io.NopCloser(r), Format: "raw", Size: 1 << 30, VirtualSize: 1 << 30}, nil
	}}
	_, err := s.ImportImage(ctx, spec("endless", "sha256:aa"), source)
	wantCode(t, err, backends.Canceled)
	l.AssertEmpty(t)
}

// endless yields data until ctx ends, and calls then after some of it.
type endless struct {
	ctx   context.Context
	done  int
	after int
	then  func()
}

func (e *endless) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	for i := range p {
		p[i] = 'x'
	}
	if e.done += len(p); e.done >= e.after && e.then != nil {
		e.then()
		e.then = nil
	}
	return len(p), nil
}
