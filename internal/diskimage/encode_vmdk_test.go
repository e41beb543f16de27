package diskimage

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// streamed makes a VMDK and reads it to its end.
func streamed(t testing.TB, r io.Reader, format Format, size int64) ([]byte, *StreamVMDK, error) {
	t.Helper()
	v, err := NewStreamVMDK(t.Context(), r, format, StreamOptions{Size: size, Name: `a "disk".vmdk`})
	if err != nil {
		return nil, nil, err
	}
	p, err := io.ReadAll(v)
	return p, v, err
}

// grown is a disk with zeros up to a size.
func grown(p []byte, size int64) []byte {
	return append(p[:len(p):len(p)], make([]byte, size-int64(len(p)))...)
}

// Whatever goes in, QEMU and our own decoder read the same disk from the VMDK that comes out.
func TestStreamVMDK(t *testing.T) {
	tool(t, "qemu-img")
	raw := diskWithHoles(t)
	sources := append(qemuMade[:len(qemuMade):len(qemuMade)], qemuMade[0])
	sources[len(sources)-1].name, sources[len(sources)-1].detected = "raw", Raw
	for _, tt := range sources {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, "disk.raw", raw)
			if tt.detected != Raw {
				path = converted(t, raw, tt.format, tt.options...)
			}
			im, err := Open(t.Context(), Source{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			made, v, err := streamed(t, im, im.Format, im.VirtualSize)
			if err != nil {
				t.Fatal(err)
			}
			if v.Capacity() != 41<<20 || v.Position() != int64(len(raw)) || len(made) > 3<<20 {
				t.Errorf("a disk of %d bytes became one of %d, %d of them passed, in a file of %d", len(raw), v.Capacity(), v.Position(), len(made))
			}
			want := grown(raw, v.Capacity())
			checkVMDK(t, made, want)
		})
	}
}

// checkVMDK holds a VMDK against the disk that it should be.
func checkVMDK(t testing.TB, made, want []byte) {
	t.Helper()
	h, err := Detect(made)
	if err != nil || h.Format != VMDK || h.Subformat != "streamOptimized" || h.VirtualSize != int64(len(want)) {
		t.Fatalf("it is a %+v (%v)", h, err)
	}
	disk, _, err := extentsOf(t, bytes.NewReader(made), VMDK)
	if err != nil || !bytes.Equal(disk, want) {
		t.Errorf("decoded it is another disk (%v)", err)
	}
	dir := t.TempDir()
	vmdk, plain := filepath.Join(dir, "made.vmdk"), filepath.Join(dir, "want.raw")
	for path, p := range map[string][]byte{vmdk: made, plain: want} {
		if err := os.WriteFile(path, p, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := string(pipe(t, nil, "qemu-img", "check", "-f", "vmdk", vmdk)); !strings.Contains(out, "No errors") {
		t.Errorf("qemu-img check: %s", out)
	}
	if out := string(pipe(t, nil, "qemu-img", "compare", "-f", "vmdk", "-F", "raw", vmdk, plain)); !strings.Contains(out, "identical") {
		t.Errorf("qemu-img compare: %s", out)
	}
}

func TestStreamVMDKOfOddDisks(t *testing.T) {
	tool(t, "qemu-img")
	last := make([]byte, 70<<20) // three tables, of which the one in the middle is not needed
	copy(last, "first")
	copy(last[len(last)-5:], "last!")
	for name, disk := range map[string][]byte{
		"zeros":                   make([]byte, 4<<20),
		"a sector":                bytes.Repeat([]byte("x"), sector),
		"noise":                   noise(1, 3<<20),
		"first and last":          last,
		"one byte more than a GT": grown([]byte{0}, 32<<20+1),
	} {
		t.Run(name, func(t *testing.T) {
			made, v, err := streamed(t, iotest.OneByteReader(bytes.NewReader(disk[:min(len(disk), 1)])), Raw, 1)
			if err != nil || v.Capacity() != 1<<20 {
				t.Fatalf("one byte became %d (%v)", len(made), err)
			}
			made, v, err = streamed(t, iotest.HalfReader(bytes.NewReader(disk)), Raw, int64(len(disk)))
			if err != nil {
				t.Fatal(err)
			}
			checkVMDK(t, made, grown(disk, v.Capacity()))
		})
	}
}

// A disk can be larger than its content.
func TestStreamVMDKGrows(t *testing.T) {
	tool(t, "qemu-img")
	disk := noise(4, 1<<20+5)
	v, err := NewStreamVMDK(t.Context(), bytes.NewReader(disk), Raw, StreamOptions{Size: int64(len(disk)), Capacity: 100 << 20})
	if err != nil {
		t.Fatal(err)
	}
	made, err := io.ReadAll(v)
	if err != nil || v.Capacity() != 100<<20 || v.Size() != int64(len(disk)) {
		t.Fatalf("%d bytes became %d (%v)", v.Size(), v.Capacity(), err)
	}
	checkVMDK(t, made, grown(disk, v.Capacity()))
}

// qcow2Shuffled has its clusters in another order than the disk.
func qcow2Shuffled(t testing.TB, disk []byte, within int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	pipe(t, nil, "qemu-img", "create", "-q", "-f", "qcow2", path, "64M")
	const cluster = 64 << 10
	blocks := make([]int, len(disk)/cluster)
	for i := range blocks {
		blocks[i] = i
	}
	r := rand.New(rand.NewSource(3))
	for from := 0; from < len(blocks); from += within {
		part := blocks[from:min(from+within, len(blocks))]
		r.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	}
	dir := t.TempDir()
	var args []string
	for i, b := range blocks {
		name := filepath.Join(dir, string(rune('a'+i%26))+string(rune('a'+i/26)))
		if err := os.WriteFile(name, disk[b*cluster:(b+1)*cluster], 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-c", "write -s "+name+" "+itoa(b*cluster)+" "+itoa(cluster))
	}
	pipe(t, nil, "qemu-io", append([]string{"-f", "qcow2"}, append(args, path)...)...)
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func itoa(n int) string { return strconv.Itoa(n) }

// Blocks a little out of order are put in order; others are refused, with a remedy.
func TestStreamVMDKPutsInOrder(t *testing.T) {
	tool(t, "qemu-io")
	disk := noise(7, 32<<20)
	made, v, err := streamed(t, bytes.NewReader(qcow2Shuffled(t, disk, 60)), QCOW2, -1)
	if err != nil {
		t.Fatal(err)
	}
	checkVMDK(t, made, grown(disk, v.Capacity()))
	_, _, err = streamed(t, bytes.NewReader(qcow2Shuffled(t, disk, 512)), QCOW2, -1)
	wantError(t, err, Unsupported, "order of the disk", "qemu-img convert -O qcow2")
}

func TestStreamVMDKOfBrokenContent(t *testing.T) {
	broken := errors.New("the checksum is wrong")
	disk := noise(2, 3<<20)
	for name, tt := range map[string]struct {
		r      io.Reader
		format Format
		size   int64
		kind   Kind
		words  string
	}{
		"cut short":         {bytes.NewReader(disk[:1<<20]), Raw, 3 << 20, Incomplete, "cut short"},
		"too long":          {bytes.NewReader(disk), Raw, 2 << 20, Damaged, "more than the 2097152 bytes"},
		"no size":           {bytes.NewReader(disk), Raw, -1, Invalid, "how large"},
		"not what it seems": {bytes.NewReader(disk), QCOW2, -1, 0, ""},
		"an archive":        {bytes.NewReader(disk), OVA, -1, Unsupported, "ova"},
		"empty":             {bytes.NewReader(nil), Raw, 0, Damaged, "no size"},
		"fails at the end":  {io.MultiReader(bytes.NewReader(disk), iotest.ErrReader(broken)), Raw, 3 << 20, 0, "checksum is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := streamed(t, tt.r, tt.format, tt.size)
			if err == nil {
				t.Fatal("it was taken")
			}
			if tt.kind != 0 {
				wantError(t, err, tt.kind, tt.words)
			} else if !strings.Contains(err.Error(), tt.words) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Two GiB pass through in a few MiB of memory.
func TestStreamVMDKMemory(t *testing.T) {
	const size, bound = 2 << 30, 48 << 20
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v, err := NewStreamVMDK(t.Context(), &sparseStream{size: size, noise: noise(5, 64<<10)}, Raw, StreamOptions{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	var peak uint64
	var total int64
	for buf, n := make([]byte, 32<<10), 0; ; n++ {
		k, err := v.Read(buf)
		total += int64(k)
		if n%64 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	used := int64(peak) - int64(before.HeapInuse)
	t.Logf("2 GiB became %d KiB; %d KiB in use at the same time", total>>10, used>>10)
	if used > bound || total > 10<<20 {
		t.Errorf("%d MiB in use, %d bytes written", used>>20, total)
	}
}

// BenchmarkStreamVMDK: a disk of 1 GiB of which an eighth is data that compresses by half.
func BenchmarkStreamVMDK(b *testing.B) {
	const size = 1 << 30
	b.SetBytes(size)
	for b.Loop() {
		v, err := NewStreamVMDK(b.Context(), &mixedStream{size: size, noise: noise(5, 64<<10)}, Raw, StreamOptions{Size: size})
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, v)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n)/(1<<20), "MiB_sent")
	}
}

// mixedStream is size bytes, of which the first MiB of each 8 is half noise, half text.
type mixedStream struct {
	pos, size int64
	noise     []byte
}

func (s *mixedStream) Read(p []byte) (int, error) {
	if s.pos >= s.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), s.size-s.pos, 64<<10-s.pos%(64<<10))]
	if s.pos%(8<<20) < 1<<20 {
		copy(p, s.noise[:len(p)/2])
		for i := len(p) / 2; i < len(p); i++ {
			p[i] = byte(i % 61)
		}
	} else {
		clear(p)
	}
	s.pos += int64(len(p))
	return len(p), nil
}
