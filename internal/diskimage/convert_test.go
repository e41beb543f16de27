package diskimage

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// diskWithHoles is a raw disk of some MiB and a bit, with data here and there.
func diskWithHoles(t testing.TB) []byte {
	t.Helper()
	const size = 40<<20 + 3*sector
	p := make([]byte, size)
	for i, at := range []int{0, 3 << 20, 3<<20 + 70_000, 17<<20 + 513, size - 5*sector} {
		n := min(300_000, size-at)
		if i%2 == 0 {
			copy(p[at:], noise(int64(i), n))
		} else {
			copy(p[at:at+n], bytes.Repeat([]byte("virtrigaud"), n/10+1))
		}
	}
	return p
}

// converted makes an image of a raw disk with qemu-img.
func converted(t testing.TB, raw []byte, format string, options ...string) string {
	t.Helper()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "disk.raw"), filepath.Join(dir, "disk."+format)
	if err := os.WriteFile(from, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe(t, nil, "qemu-img", append(append([]string{"convert", "-f", "raw", "-O", format}, options...), from, to)...)
	return to
}

// extentsOf converts an image and writes its extents as a hypervisor would.
func extentsOf(t testing.TB, r io.Reader, format Format) ([]byte, Copied, error) {
	t.Helper()
	var disk []byte
	got, err := ConvertSparse(t.Context(), r, format, func(offset int64, extent io.Reader) error {
		p, err := io.ReadAll(extent)
		if grow := int(offset) + len(p) - len(disk); grow > 0 {
			disk = append(disk, make([]byte, grow)...)
		}
		copy(disk[offset:], p)
		return err
	})
	if grow := int(got.Size) - len(disk); err == nil && grow > 0 {
		disk = append(disk, make([]byte, grow)...)
	}
	return disk, got, err
}

var qemuMade = []struct {
	name, format string
	detected     Format
	options      []string
}{
	{"streamOptimized", "vmdk", VMDK, []string{"-o", "subformat=streamOptimized"}},
	{"monolithicSparse", "vmdk", VMDK, nil},
	{"dynamic VDI", "vdi", VDI, nil},
	{"fixed VDI", "vdi", VDI, []string{"-o", "static=on"}},
	{"dynamic VHD", "vpc", VHD, []string{"-o", "force_size=on"}},
	{"fixed VHD", "vpc", VHD, []string{"-o", "subformat=fixed,force_size=on"}},
	{"dynamic VHDX", "vhdx", VHDX, nil},
	{"VHDX of small blocks", "vhdx", VHDX, []string{"-o", "block_size=1M"}},
	{"fixed VHDX", "vhdx", VHDX, []string{"-o", "subformat=fixed"}},
	{"qcow2", "qcow2", QCOW2, nil},
	{"qcow2 of version 2", "qcow2", QCOW2, []string{"-o", "compat=0.10"}},
	{"qcow2 of small clusters", "qcow2", QCOW2, []string{"-o", "cluster_size=4k"}},
	{"compressed qcow2", "qcow2", QCOW2, []string{"-c"}},
	{"qcow2 compressed with zstd", "qcow2", QCOW2, []string{"-c", "-o", "compression_type=zstd"}},
	{"preallocated qcow2", "qcow2", QCOW2, []string{"-o", "preallocation=metadata"}},
}

// Every format that qemu-img writes becomes the disk that it was made of.
func TestConvertSparse(t *testing.T) {
	tool(t, "qemu-img")
	raw := diskWithHoles(t)
	for _, tt := range qemuMade {
		t.Run(tt.name, func(t *testing.T) {
			path := converted(t, raw, tt.format, tt.options...)
			im, err := Open(t.Context(), Source{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			if im.Format != tt.detected {
				t.Fatalf("it was taken for %s", im.Format)
			}
			disk, got, err := extentsOf(t, im, im.Format)
			if err != nil {
				t.Fatal(err)
			}
			if got.Size != int64(len(raw)) || got.Data > 4<<20 || got.Extents > 20 {
				t.Errorf("converted %+v", got)
			}
			if !bytes.Equal(disk, raw) {
				t.Error("the disk is another one")
			}
		})
	}
}

// What ends early is found out, wherever that is, by those who convert it and by those who watch it.
func TestTruncatedImages(t *testing.T) {
	tool(t, "qemu-img")
	raw := diskWithHoles(t)
	for _, tt := range qemuMade {
		t.Run(tt.name, func(t *testing.T) {
			whole, err := os.ReadFile(converted(t, raw, tt.format, tt.options...))
			if err != nil {
				t.Fatal(err)
			}
			r, stop := Watch(bytes.NewReader(whole), tt.detected)
			defer stop()
			if p, err := io.ReadAll(r); err != nil || !bytes.Equal(p, whole) {
				t.Fatalf("the whole image was changed or refused: %v", err)
			}
			for _, n := range []int{len(whole) - 1024*1024/4, len(whole) / 2, len(whole) / 5} {
				_, _, err := extentsOf(t, bytes.NewReader(whole[:n]), tt.detected)
				wantError(t, err, Incomplete, "cut short")
				r, stop := Watch(bytes.NewReader(whole[:n]), tt.detected)
				_, err = io.ReadAll(r)
				stop()
				wantError(t, err, Incomplete, "cut short")
			}
		})
	}
}
