package diskimage

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// sparseStream makes size bytes, of which the first 64 KiB of each 16 MiB are
// noise, without having them.
type sparseStream struct {
	pos, size int64
	noise     []byte
}

func (s *sparseStream) Read(p []byte) (int, error) {
	if s.pos >= s.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), s.size-s.pos, 64<<10-s.pos%(64<<10))]
	if s.pos%(16<<20) < 64<<10 {
		copy(p, s.noise[s.pos%(64<<10):])
	} else {
		clear(p)
	}
	s.pos += int64(len(p))
	return len(p), nil
}

// Two GiB pass through in a few MiB of memory, plain and compressed.
func TestMemoryIsBounded(t *testing.T) {
	const size, bound = 2 << 30, 32 << 20
	for _, c := range []Compression{None, Zstd} {
		t.Run(string(c), func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				content := &sparseStream{size: size, noise: noise(5, 64<<10)}
				if c == None {
					w.Header().Set("Content-Length", fmt.Sprint(size))
					io.Copy(w, content)
					return
				}
				z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(z, content)
				z.Close()
			})
			var before, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var peak uint64
			var n int
			look := func() {
				if n++; n%64 == 0 {
					runtime.GC() // what is alive, not what waits for the collector
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapInuse)
				}
			}
			im, err := Open(t.Context(), Source{URL: s.URL, Limits: fast})
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			res, err := CopySparse(t.Context(), im, func(_ int64, r io.Reader) error {
				look()
				_, err := io.Copy(io.Discard, r)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if res.Size != size || res.Extents != size/(16<<20)+1 || res.Data != int64(res.Extents)*64<<10 {
				t.Errorf("%+v", res)
			}
			runtime.ReadMemStats(&now)
			if peak == 0 {
				t.Fatal("the memory was never looked at")
			}
			if used := int64(peak) - int64(before.HeapInuse); used > bound {
				t.Errorf("%d MiB in use at the same time, want at most %d", used>>20, bound>>20)
			}
			if total := now.TotalAlloc - before.TotalAlloc; total > 256<<20 {
				t.Errorf("%d MiB were allocated altogether", total>>20)
			}
		})
	}
}
