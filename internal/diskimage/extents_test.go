package diskimage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"strings"
	"testing"
	"testing/iotest"
)

// span is a piece of an image: n bytes, zero or not.
type span struct {
	n    int
	data bool
}

func build(spans ...span) []byte {
	var p []byte
	for i, s := range spans {
		if s.data {
			p = append(p, bytes.Repeat([]byte{byte(i + 1)}, s.n)...)
		} else {
			p = append(p, make([]byte, s.n)...)
		}
	}
	return p
}

// target collects extents and checks that they follow the contract.
type target struct {
	t     testing.TB
	spans [][2]int64 // offset, length
	image []byte
}

func (g *target) write(offset int64, r io.Reader) error {
	p, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if offset%blockSize != 0 {
		g.t.Errorf("extent at %d, which is no multiple of %d", offset, blockSize)
	}
	if len(p) == 0 {
		g.t.Errorf("empty extent at %d", offset)
	}
	if offset < int64(len(g.image)) {
		g.t.Errorf("extent at %d, before the end of the last one at %d", offset, len(g.image))
	}
	g.image = append(g.image, make([]byte, offset-int64(len(g.image)))...)
	g.image = append(g.image, p...)
	g.spans = append(g.spans, [2]int64{offset, int64(len(p))})
	return nil
}

func TestCopySparse(t *testing.T) {
	const k, m = 1 << 10, 1 << 20
	for _, tc := range []struct {
		name  string
		image []byte
		want  [][2]int64
	}{
		{"empty", nil, nil},
		{"one byte", []byte{1}, [][2]int64{{0, 1}}},
		{"one zero", []byte{0}, [][2]int64{{0, 1}}},
		{"data only", build(span{3*m + 5, true}), [][2]int64{{0, 3*m + 5}}},
		{"zeros only", build(span{5 * m, false}), [][2]int64{{5*m - 64*k, 64 * k}}},
		{"zeros only, odd end", build(span{5*m + 7, false}), [][2]int64{{5 * m, 7}}},
		{"hole in the middle", build(span{m, true}, span{3 * m, false}, span{m, true}), [][2]int64{{0, m}, {4 * m, m}}},
		{"hole at the start", build(span{2 * m, false}, span{m, true}), [][2]int64{{2 * m, m}}},
		{"a short hole at the start is one, too", build(span{64 * k, false}, span{m, true}), [][2]int64{{64 * k, m}}},
		{"hole at the end", build(span{m, true}, span{4 * m, false}), [][2]int64{{0, m}, {5*m - 64*k, 64 * k}}},
		{"hole at the end, odd", build(span{m, true}, span{4*m + 1, false}), [][2]int64{{0, m}, {5 * m, 1}}},
		{"short zeros at the end", build(span{m, true}, span{256 * k, false}), [][2]int64{{0, m + 256*k}}},
		{"zeros too short for a hole", build(span{m, true}, span{m - 64*k, false}, span{m, true}), [][2]int64{{0, 3*m - 64*k}}},
		{"zeros just enough for a hole", build(span{m, true}, span{m, false}, span{m, true}), [][2]int64{{0, m}, {2 * m, m}}},
		{"zeros not aligned", build(span{m - 1, true}, span{m + 64*k, false}, span{m, true}), [][2]int64{{0, m}, {2*m + 0*k, m + 64*k - 1}}},
		{"a lonely byte", build(span{5*m + 70*k, false}, span{1, true}, span{5 * m, false}), [][2]int64{{5*m + 64*k, 64 * k}, {10*m + 6*k + 1 + 64*k - (70*k+1)%(64*k), (70*k + 1) % (64 * k)}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := writeFile(t, "disk.raw", tc.image)
			for name, open := range map[string]func() io.Reader{
				"reader":        func() io.Reader { return bytes.NewReader(tc.image) },
				"small reads":   func() io.Reader { return iotest.HalfReader(bytes.NewReader(tc.image)) },
				"EOF with data": func() io.Reader { return iotest.DataErrReader(bytes.NewReader(tc.image)) },
				"file": func() io.Reader {
					if len(tc.image) == 0 {
						return bytes.NewReader(nil)
					}
					im, err := Open(t.Context(), Source{Path: path, Checksum: sum256(tc.image)})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { im.Close() })
					return im
				},
			} {
				got := target{t: t}
				res, err := CopySparse(t.Context(), open(), got.write)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if !bytes.Equal(got.image, tc.image) {
					t.Errorf("%s: the copy differs", name)
				}
				if len(got.spans) != len(tc.want) {
					t.Fatalf("%s: extents %v, want %v", name, got.spans, tc.want)
				}
				var data int64
				for i, s := range got.spans {
					data += s[1]
					if s != tc.want[i] {
						t.Errorf("%s: extent %d is %v, want %v", name, i, s, tc.want[i])
					}
				}
				if want := (Copied{Size: int64(len(tc.image)), Data: data, Extents: len(got.spans)}); res != want {
					t.Errorf("%s: %+v, want %+v", name, res, want)
				}
			}
		})
	}
}

// Whatever the pattern of zeros, the copy equals the image.
func TestCopySparseRandom(t *testing.T) {
	rnd := rand.New(rand.NewSource(42))
	for range 12 {
		var spans []span
		for range 1 + rnd.Intn(8) {
			spans = append(spans, span{rnd.Intn(3 << 20), rnd.Intn(2) == 0})
		}
		image := build(spans...)
		got := target{t: t}
		res, err := CopySparse(t.Context(), bytes.NewReader(image), got.write)
		if err != nil || !bytes.Equal(got.image, image) || res.Size != int64(len(image)) {
			t.Fatalf("%v: %+v, %v", spans, res, err)
		}
	}
}

func TestCopySparseErrors(t *testing.T) {
	image := build(span{3 << 20, true}, span{2 << 20, false}, span{1 << 20, true})
	broken := errors.New("the cable is out")
	full := errors.New("no space left in pool")

	// The source's error is the first cause, whatever the writer makes of it.
	for name, write := range map[string]ExtentFunc{
		"passed on": func(_ int64, r io.Reader) error { _, err := io.Copy(io.Discard, r); return err },
		"hidden":    func(_ int64, r io.Reader) error { io.Copy(io.Discard, r); return nil },
		"disguised": func(_ int64, r io.Reader) error { io.Copy(io.Discard, r); return io.ErrClosedPipe },
	} {
		r := io.MultiReader(bytes.NewReader(image[:1<<20]), iotest.ErrReader(broken))
		if _, err := CopySparse(t.Context(), r, write); err != broken {
			t.Errorf("%s: got %v, want %v", name, err, broken)
		}
	}
	_, err := CopySparse(t.Context(), bytes.NewReader(image), func(offset int64, r io.Reader) error {
		if offset == 0 {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		return full
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "byte 5242880") {
		t.Errorf("got %v", err)
	}
	_, err = CopySparse(t.Context(), bytes.NewReader(image), func(_ int64, r io.Reader) error {
		_, err := io.CopyN(io.Discard, r, 1000)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "stopped at byte 1000") {
		t.Errorf("a writer that stops early: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = CopySparse(ctx, bytes.NewReader(image), func(_ int64, r io.Reader) error {
		cancel()
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}

	// A wrong checksum spoils a copy that went well to the last byte.
	im, err := Open(t.Context(), Source{Path: writeFile(t, "a", image), Checksum: sum256(nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	got := target{t: t}
	_, err = CopySparse(t.Context(), im, got.write)
	wantError(t, err, Mismatch, "checksum does not match")
}
