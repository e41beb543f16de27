package diskimage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func imageOf(t testing.TB, raw []byte, format string, options ...string) []byte {
	t.Helper()
	p, err := os.ReadFile(converted(t, raw, format, options...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is written from beginning to end gets the zeros, too.
func TestRawReader(t *testing.T) {
	tool(t, "qemu-img")
	raw := diskWithHoles(t)
	for _, tt := range qemuMade {
		t.Run(tt.name, func(t *testing.T) {
			r, err := NewRawReader(t.Context(), bytes.NewReader(imageOf(t, raw, tt.format, tt.options...)), tt.detected)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// Blocks that were written in another order than they have on the disk.
func TestImagesInAnotherOrder(t *testing.T) {
	tool(t, "qemu-img")
	dir := t.TempDir()
	for _, tt := range []struct {
		format  string
		options []string
	}{
		{"vdi", nil}, {"vmdk", nil}, {"vhdx", []string{"-o", "block_size=1M"}}, {"qcow2", nil},
	} {
		t.Run(tt.format, func(t *testing.T) {
			path := filepath.Join(dir, "disk."+tt.format)
			pipe(t, nil, "qemu-img", append(append([]string{"create", "-f", tt.format}, tt.options...), path, "24M")...)
			pipe(t, nil, "qemu-io", "-f", tt.format, "-c", "write -P 3 20M 1M", "-c", "write -P 2 9M 1M", "-c", "write -P 1 64k 1M", path)
			want := make([]byte, 24<<20)
			for at, b := range map[int]byte{20 << 20: 3, 9 << 20: 2, 64 << 10: 1} {
				copy(want[at:], bytes.Repeat([]byte{b}, 1<<20))
			}
			image, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			format := map[string]Format{"vdi": VDI, "vmdk": VMDK, "vhdx": VHDX, "qcow2": QCOW2}[tt.format]
			disk, _, err := extentsOf(t, bytes.NewReader(image), format)
			if err != nil || !bytes.Equal(disk, want) {
				t.Errorf("another disk, %v", err)
			}
			r, err := NewRawReader(t.Context(), bytes.NewReader(image), format)
			if err == nil {
				_, err = io.ReadAll(r)
			}
			wantError(t, err, Unsupported, "not in the order of the disk", "qemu-img convert")
		})
	}
}

// Tables behind what they are about cannot be followed, and are not taken for an image that is cut short.
func TestTablesBehindTheData(t *testing.T) {
	tool(t, "qemu-img")
	image := imageOf(t, noise(1, 20<<20), "qcow2")
	be := binary.BigEndian
	l1 := be.Uint64(image[40:])
	// The first second table moves to the end of the image.
	l2 := be.Uint64(image[l1:]) & qcow2Offset
	at := uint64(len(image))
	image = append(image, image[l2:l2+64<<10]...)
	be.PutUint64(image[l1:], at|1<<63)
	_, _, err := extentsOf(t, bytes.NewReader(image), QCOW2)
	wantError(t, err, Unsupported, "refers back", "qemu-img convert")
	r, stop := Watch(bytes.NewReader(image), QCOW2)
	defer stop()
	if _, err := io.ReadAll(r); err != nil {
		t.Errorf("an image that can be used was refused: %v", err)
	}
}

func TestVHDXWithALog(t *testing.T) {
	tool(t, "qemu-img")
	image := imageOf(t, noise(1, 1<<20), "vhdx")
	le := binary.LittleEndian
	for _, at := range []int{64 << 10, 128 << 10} {
		copy(image[at+48:], "a log that counts")
		le.PutUint32(image[at+68:], 1<<20)
		le.PutUint64(image[at+72:], 1<<20)
	}
	_, got, err := extentsOf(t, bytes.NewReader(image), VHDX)
	if err != nil {
		t.Fatalf("a log without entries: %+v, %v", got, err)
	}
	copy(image[1<<20+4096:], "loge")
	copy(image[1<<20+4096+32:], "a log that counts"[:16])
	_, _, err = extentsOf(t, bytes.NewReader(image), VHDX)
	wantError(t, err, Unsupported, "not closed properly", "Hyper-V")
}

func TestDamagedImages(t *testing.T) {
	tool(t, "qemu-img")
	raw := diskWithHoles(t)
	le, be := binary.LittleEndian, binary.BigEndian
	for name, tt := range map[string]struct {
		format  Format
		options []string
		damage  func(p []byte)
		kind    Kind
	}{
		"VDI without block size":         {VDI, nil, func(p []byte) { le.PutUint32(p[0x178:], 0) }, Damaged},
		"VDI with too few blocks":        {VDI, nil, func(p []byte) { le.PutUint32(p[0x180:], 1) }, Damaged},
		"VDI with a block far away":      {VDI, nil, func(p []byte) { le.PutUint32(p[512:], 1<<30) }, Incomplete},
		"VMDK without grains":            {VMDK, nil, func(p []byte) { le.PutUint64(p[20:], 0) }, Damaged},
		"VMDK with a table far away":     {VMDK, nil, func(p []byte) { le.PutUint64(p[56:], 1<<30) }, Incomplete},
		"VMDK with a broken grain":       {VMDK, []string{"-o", "subformat=streamOptimized"}, func(p []byte) { p[le.Uint64(p[64:])*512+20] ^= 0xff }, Damaged},
		"VMDK with a huge grain":         {VMDK, []string{"-o", "subformat=streamOptimized"}, func(p []byte) { le.PutUint32(p[le.Uint64(p[64:])*512+8:], 1<<31) }, Damaged},
		"VMDK with an unknown marker":    {VMDK, []string{"-o", "subformat=streamOptimized"}, func(p []byte) { le.PutUint64(p[le.Uint64(p[64:])*512+8:], 9<<32) }, Damaged},
		"VMDK without data of its own":   {VMDK, nil, func(p []byte) { le.PutUint64(p[12:], 0) }, Unsupported},
		"VMDK with a parent":             {VMDK, nil, func(p []byte) { copy(p[512+200:], "\nparentFileNameHint=\"/etc/shadow\"\n") }, Unsupported},
		"VHD without second header":      {VHD, nil, func(p []byte) { p[512] = 'x' }, Damaged},
		"VHD with a short table":         {VHD, nil, func(p []byte) { be.PutUint32(p[512+28:], 1) }, Damaged},
		"VHDX without headers":           {VHDX, nil, func(p []byte) { p[64<<10], p[128<<10] = 'x', 'x' }, Damaged},
		"VHDX without region table":      {VHDX, nil, func(p []byte) { p[192<<10] = 'x' }, Damaged},
		"qcow2 with a short first table": {QCOW2, nil, func(p []byte) { be.PutUint32(p[36:], 0) }, Damaged},
		"qcow2 with a cluster far away":  {QCOW2, nil, func(p []byte) { be.PutUint64(p[4*65536:], 1<<50) }, Incomplete},
		"qcow2 with a broken cluster":    {QCOW2, []string{"-c"}, func(p []byte) { p[5*65536+100] ^= 0xff; p[5*65536+200] ^= 0xff }, 0},
		"encrypted qcow2":                {QCOW2, nil, func(p []byte) { be.PutUint32(p[32:], 1) }, Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			format := string(tt.format)
			if tt.format == VHD {
				format = "vpc"
			}
			image := imageOf(t, raw, format, tt.options...)
			tt.damage(image)
			_, _, err := extentsOf(t, bytes.NewReader(image), tt.format)
			if tt.kind == 0 { // whether it is noticed is up to the compression, which has no checksum
				return
			}
			if KindOf(err) != tt.kind {
				t.Errorf("kind %d, want %d: %v", KindOf(err), tt.kind, err)
			}
		})
	}
}

func TestConversionStops(t *testing.T) {
	tool(t, "qemu-img")
	image := imageOf(t, noise(1, 20<<20), "vdi")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := ConvertSparse(ctx, bytes.NewReader(image), VDI, func(_ int64, extent io.Reader) error {
		cancel()
		_, err := io.Copy(io.Discard, extent)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	full := errors.New("the pool is full")
	_, err = ConvertSparse(t.Context(), bytes.NewReader(image), VDI, func(int64, io.Reader) error { return full })
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "extent at byte 0") {
		t.Errorf("got %v", err)
	}
	_, err = ConvertSparse(t.Context(), io.MultiReader(bytes.NewReader(image[:5<<20]), failure{full}), VDI, func(_ int64, extent io.Reader) error {
		_, err := io.Copy(io.Discard, extent)
		return err
	})
	if !errors.Is(err, full) {
		t.Errorf("a source that fails: %v", err)
	}
}

type failure struct{ err error }

func (f failure) Read([]byte) (int, error) { return 0, f.err }

// Whatever the bytes are, a conversion ends with a disk of bounded size or an error that has a kind.
func FuzzConvert(f *testing.F) {
	raw := make([]byte, 3<<20)
	copy(raw[1<<20:], noise(1, 70_000))
	formats := []Format{VMDK, VDI, VHD, VHDX, QCOW2}
	for i, tt := range []struct {
		format  string
		options []string
	}{
		{"vmdk", []string{"-o", "subformat=streamOptimized"}}, {"vdi", nil}, {"vpc", nil}, {"vmdk", nil}, {"qcow2", []string{"-c"}},
	} {
		p := imageOf(f, raw, tt.format, tt.options...)
		f.Add(uint8(i), p[:min(len(p), 256<<10)])
	}
	f.Fuzz(func(t *testing.T, which uint8, image []byte) {
		format := formats[int(which)%len(formats)]
		got, err := ConvertSparse(t.Context(), bytes.NewReader(image), format, func(offset int64, extent io.Reader) error {
			if offset < 0 {
				t.Errorf("an extent at %d", offset)
			}
			_, err := io.Copy(io.Discard, extent)
			return err
		})
		if err != nil && KindOf(err) == 0 {
			t.Errorf("an error without a kind: %v", err)
		}
		if err == nil && got.Data > got.Size+int64(len(image)) {
			t.Errorf("%+v of %d bytes", got, len(image))
		}
	})
}
