package diskimage

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// sparseFile makes a file of the given size with some data in it and the rest a
// hole, and reports whether the file system left the hole.
func sparseFile(t testing.TB, size int64, data map[int64][]byte) (path string, sparse bool) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sparse.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for at, p := range data {
		if _, err := f.WriteAt(p, at); err != nil {
			t.Fatal(err)
		}
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return path, ok && st.Blocks*512 < size/2
}

// A sparse file of 1 TiB less a bit is copied at once: its holes are not read.
// Read, it would take far longer than the test may run.
func TestCopySparseSkipsHoles(t *testing.T) {
	const size = 1<<40 - 12345
	data := map[int64][]byte{
		0:              noise(1, 512),
		10<<30 + 70000: noise(2, 3<<20),
		700 << 30:      noise(3, 5),
	}
	path, sparse := sparseFile(t, size, data)
	if !sparse {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs a temporary directory with sparse files")
		}
		t.Skip("the file system of the temporary directory has no sparse files")
	}
	var progress int64
	im, err := Open(t.Context(), Source{Path: path, Progress: func(done, _ int64) { progress = done }})
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	seen := map[int64]bool{}
	res, err := CopySparse(t.Context(), im, func(offset int64, r io.Reader) error {
		if offset%blockSize != 0 {
			t.Errorf("extent at %d, which is no multiple of %d", offset, blockSize)
		}
		p, err := io.ReadAll(r)
		for at, want := range data {
			if at >= offset && at < offset+int64(len(p)) {
				seen[at] = bytes.Equal(p[at-offset:at-offset+int64(len(want))], want)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Size != size || im.VirtualSize != size || progress != size {
		t.Errorf("size %d, virtual size %d, progress %d, want %d", res.Size, im.VirtualSize, progress, int64(size))
	}
	if res.Data > 6<<20 || res.Extents != 4 {
		t.Errorf("%+v: more than the data", res)
	}
	for at := range data {
		if !seen[at] {
			t.Errorf("the data at %d is missing or wrong", at)
		}
	}
	if err := im.Verify(); err != nil {
		t.Error(err)
	}
}

// The checksum covers holes that were not read.
func TestHolesAreHashed(t *testing.T) {
	data := map[int64][]byte{0: noise(1, 70000), 20 << 20: noise(2, 3)}
	path, _ := sparseFile(t, 48<<20+1, data)
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, sum := range []Checksum{sum256(p), sum256(p[1:])} {
		im, err := Open(t.Context(), Source{Path: path, Checksum: sum})
		if err != nil {
			t.Fatal(err)
		}
		defer im.Close()
		got := target{t: t}
		_, err = CopySparse(t.Context(), im, got.write)
		if sum != sum256(p) {
			wantError(t, err, Mismatch)
			continue
		}
		if err != nil || !bytes.Equal(got.image, p) {
			t.Errorf("%d of %d bytes, %v", len(got.image), len(p), err)
		}
	}
}
