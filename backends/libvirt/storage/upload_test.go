package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func TestSmallVolumes(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	ref := Ref{"default", "seed.iso"}
	for _, data := range [][]byte{
		[]byte("first"),
		[]byte("other"), // of the same length
		bytes.Repeat([]byte{1, 2}, 3*mib),
		[]byte("short"),
	} {
		v, err := s.WriteSmall(t.Context(), ref, data)
		if err != nil {
			t.Fatal(err)
		}
		if v.CapacityBytes < int64(len(data)) {
			t.Errorf("%d bytes became %+v", len(data), v)
		}
		got, err := s.ReadSmall(t.Context(), ref)
		if err != nil || !bytes.Equal(bytes.TrimRight(got, "\x00"), data) {
			t.Errorf("%d bytes were read, %v; want %d", len(got), err, len(data))
		}
	}
	for _, n := range []int{0, maxSmall + 1} {
		_, err := s.WriteSmall(t.Context(), ref, make([]byte, n))
		wantCode(t, err, backends.Invalid)
	}
	if err := s.Delete(t.Context(), ref); err != nil {
		t.Error(err)
	}
	_, err := s.ReadSmall(t.Context(), ref)
	wantCode(t, err, backends.NotFound)
	big := Ref{"default", "big"}
	if _, err := s.Create(t.Context(), Spec{Ref: big, Format: "raw", CapacityBytes: maxSmall + mib}); err != nil {
		t.Fatal(err)
	}
	_, err = s.ReadSmall(t.Context(), big)
	wantCode(t, err, backends.Invalid)
	if err := s.Delete(t.Context(), big); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

// TestSmallVolumesInPlace writes into a volume that is larger than the data, as on storage
// that rounds up: a guest that has it open sees what is new, and nothing of what was there.
func TestSmallVolumesInPlace(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	ref := Ref{"default", "seed.iso"}
	v, err := s.WriteSmall(t.Context(), ref, bytes.Repeat([]byte{7}, 4*mib))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(v.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if v, err = s.WriteSmall(t.Context(), ref, []byte("new")); err != nil || v.CapacityBytes != 4*mib {
		t.Errorf("became %+v, %v", v, err)
	}
	got, err := io.ReadAll(f)
	if want := append([]byte("new"), make([]byte, 4*mib-3)...); err != nil || !bytes.Equal(got, want) {
		t.Errorf("who has the volume open sees %q... of %d bytes, %v", got[:8], len(got), err)
	}
	// Removed below libvirt, which still remembers it.
	if err := os.Remove(v.Path); err != nil {
		t.Fatal(err)
	}
	_, err = s.ReadSmall(t.Context(), ref)
	wantCode(t, err, backends.NotFound)
	l.AssertEmpty(t)
}

// sparse yields an image of some size that is mostly nothing: every 64 MiB begin with
// 256 KiB of data.
type sparse struct{ at, size int64 }

func (s *sparse) Read(p []byte) (int, error) {
	if s.at >= s.size {
		return 0, io.EOF
	}
	n := copy(p, sparseBlock[s.at%int64(len(sparseBlock)):])
	n = int(min(int64(n), s.size-s.at))
	s.at += int64(n)
	return n, nil
}

var sparseBlock = append(bytes.Repeat([]byte("data"), 64<<10), make([]byte, 64*mib-256<<10)...)

func TestALargeSparseImageTakesLittle(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	const size = 2 << 30
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	measure := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most.Store(max(most.Load(), m.HeapInuse))
	}
	ctx := backends.WithProgress(t.Context(), func(backends.Progress) { measure() })
	source := backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		return &backends.Content{Reader: io.NopCloser(&sparse{size: size}), Format: "raw", Size: size, VirtualSize: size}, nil
	}}
	img, err := s.ImportImage(ctx, spec("large", "sha256:aa"), source)
	if err != nil {
		t.Fatal(err)
	}
	if img.SizeBytes != size || img.Allocated > 64*mib {
		t.Errorf("%d bytes take %d", img.SizeBytes, img.Allocated)
	}
	if most.Load() == 0 || most.Load() > before.HeapInuse+64*mib {
		t.Errorf("the heap grew from %d to %d MiB", before.HeapInuse/mib, most.Load()/mib)
	}
	f, err := os.Open(img.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, len(sparseBlock))
	for at := int64(0); at < size; at += int64(len(block)) {
		if _, err := f.ReadAt(block, at); err != nil || !bytes.Equal(block, sparseBlock) {
			t.Fatalf("the volume differs from what was sent behind byte %d, %v", at, err)
		}
	}
	if err := s.DeleteImage(t.Context(), img.ID); err != nil {
		t.Error(err)
	}
	l.AssertEmpty(t)
}

func TestAFullStorageIsExhaustedAndLeftClean(t *testing.T) {
	l := libvirtlab.Start(t)
	s := store(t, l)
	dir := l.DirPool(t, "tiny")
	if _, err := l.Exec(t.Context(), "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir); err != nil {
		t.Fatal(err)
	}
	l.Virsh(t, "pool-refresh", "tiny")
	pool := "tiny"
	for why, size := range map[string]int64{"No space left on device": -1, `needs 64 MiB, and the storage pool "tiny" has 8 MiB left`: 64 * mib} {
		source := backends.ImageSource{Open: func(ctx context.Context) (*backends.Content, error) {
			return &backends.Content{Reader: io.NopCloser(io.LimitReader(&endless{ctx: ctx}, 64*mib)), Format: "raw", Size: size, VirtualSize: size}, nil
		}}
		_, err := s.ImportImage(t.Context(), backends.ImageSpec{Name: "big", Storage: &pool}, source)
		wantCode(t, err, backends.Exhausted)
		if !strings.Contains(fmt.Sprint(err), why) {
			t.Errorf("the error does not say %q: %v", why, err)
		}
		l.AssertEmpty(t)
	}
	if _, err := l.Exec(t.Context(), "umount", "-l", dir); err != nil {
		t.Error(err)
	}
}

func TestLibvirtdRestartedDuringAnUpload(t *testing.T) {
	l := libvirtlab.Start(t)
	s := store(t, l)
	source := backends.ImageSource{Open: func(ctx context.Context) (*backends.Content, error) {
		r := &endless{ctx: ctx, after: 8 * mib, then: func() { l.Restart(t) }}
		return &backends.Content{Reader: io.NopCloser(io.LimitReader(r, 64*mib)), Format: "raw", Size: 64 * mib, VirtualSize: 64 * mib}, nil
	}}
	_, err := s.ImportImage(t.Context(), spec("image", "sha256:aa"), source)
	wantCode(t, err, backends.Transient)
	if !strings.Contains(fmt.Sprint(err), "connection to libvirtd broke") {
		t.Errorf("the error does not say why: %v", err)
	}
	l.AssertEmpty(t)
	again, _ := from(diskFile(t, 8), diskimage.Checksum{})
	img, err := s.ImportImage(t.Context(), spec("image", "sha256:aa"), again)
	if err != nil || img.SizeBytes != 8*mib {
		t.Errorf("%+v, %v", img, err)
	}
}

func TestAnUploadEndsWithItsContextAndLeavesNoGoroutine(t *testing.T) {
	l := libvirtlab.Shared(t)
	s := store(t, l)
	ref := Ref{"default", "volume"}
	if _, err := s.Create(t.Context(), Spec{Ref: ref, Format: "raw", CapacityBytes: 16 * mib}); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.Upload(ctx, ref, &endless{ctx: context.Background(), after: 4 * mib, then: cancel}, -1)
		wantCode(t, err, backends.Canceled)

		_, err = s.Upload(t.Context(), ref, io.MultiReader(strings.NewReader("start"), failing{errors.New("torn")}), -1)
		if err == nil || !strings.Contains(err.Error(), "torn") {
			t.Errorf("the source's error became %v", err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("goroutines are left:\n%s", buf[:runtime.Stack(buf, true)])
		}
	}
	if err := s.Delete(t.Context(), ref); err != nil {
		t.Error(err)
	}
}

// brokenPipe fails at its first byte.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// Version 9.0 of libvirtd dies when clients hang up in the middle of streams; ours do not.
func TestInterruptedStreamsDoNotHarmLibvirtd(t *testing.T) {
	l := libvirtlab.Start(t)
	s := store(t, l)
	var working sync.WaitGroup
	for w := range 4 {
		working.Go(func() {
			ref := Ref{"default", fmt.Sprintf("volume-%d", w)}
			vol := libvirt.StorageVol{Pool: ref.Pool, Name: ref.Name}
			for i := range 20 {
				if _, err := s.Create(t.Context(), Spec{Ref: ref, CapacityBytes: 8 * mib, Format: "raw"}); err != nil {
					t.Error(err)
					return
				}
				bulk, err := s.conn.Bulk(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if (i+w)%2 == 0 {
					err = bulk.Download(t.Context(), vol, 0, 0, brokenPipe{})
				} else {
					ctx, cancel := context.WithCancel(t.Context())
					err = bulk.Upload(ctx, vol, 0, &endless{ctx: ctx, after: i * mib, then: cancel})
				}
				if err == nil {
					t.Error("an interrupted stream succeeded")
				}
				_ = bulk.Close()
				if err := s.Delete(t.Context(), ref); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	working.Wait()
	l.AssertEmpty(t)
}

// BenchmarkUpload is to be held against: time virsh vol-upload.
func BenchmarkUpload(b *testing.B) {
	l := libvirtlab.Shared(b)
	s := store(b, l)
	path := filepath.Join(b.TempDir(), "data")
	const size = 512 * mib
	if err := os.WriteFile(path, bytes.Repeat([]byte("0123456789abcdef"), size/16), 0o600); err != nil {
		b.Fatal(err)
	}
	ref := Ref{"default", "bench"}
	if _, err := s.Create(b.Context(), Spec{Ref: ref, Format: "raw", CapacityBytes: size}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Upload(b.Context(), ref, f, size); err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
	}
	_ = s.Delete(b.Context(), ref)
}
