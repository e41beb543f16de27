package vsphere

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// The template's disk has the bytes of the image, and zeros behind them.
func TestImageContent(t *testing.T) {
	b, s := onSimulator(t, vcsim.Options{})
	disk := noise(3<<20 + 512)
	if _, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, imageSource(disk, "raw")); err != nil {
		t.Fatal(err)
	}
	props, err := s.Properties("debian")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range props.Config.Hardware.Device {
		if v, ok := d.(*types.VirtualDisk); ok {
			got, err := s.ReadDisk("debian", v.Key, 0, 4<<20)
			if err != nil || !bytes.Equal(got, append(disk, make([]byte, 4<<20-len(disk))...)) {
				t.Errorf("the disk holds something else (%v)", err)
			}
			return
		}
	}
	t.Error("the template has no disk")
}

// stripes is a raw disk of which each 16th MiB begins with 64 KiB of noise, without being anywhere.
type stripes struct {
	pos, size int64
	noise     []byte
	peak      uint64
}

func (s *stripes) Read(p []byte) (int, error) {
	if s.pos >= s.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), s.size-s.pos, 64<<10-s.pos%(64<<10))]
	if s.pos%(16<<20) < 64<<10 {
		copy(p, s.noise)
		if s.pos%(128<<20) == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			s.peak = max(s.peak, m.HeapInuse)
		}
	} else {
		clear(p)
	}
	s.pos += int64(len(p))
	return len(p), nil
}

// Two GiB go to vSphere in a few MiB of memory, the simulator's own included.
func TestImportMemory(t *testing.T) {
	const size = 2 << 30
	b, _ := onSimulator(t, vcsim.Options{})
	if _, err := b.ListImages(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	content := &stripes{size: size, noise: noise(64 << 10)}
	began := time.Now()
	im, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		return &backends.Content{Reader: io.NopCloser(content), Format: "raw", Size: size, VirtualSize: size}, nil
	}})
	if err != nil || im.SizeBytes != size {
		t.Fatalf("it became %+v (%v)", im, err)
	}
	used := (int64(content.peak) - int64(before.HeapInuse)) >> 20
	t.Logf("2 GiB in %s, %d MiB in use at the same time", time.Since(began).Round(time.Millisecond), used)
	if used > 64 {
		t.Errorf("%d MiB in use at the same time, want at most 64", used)
	}
}
