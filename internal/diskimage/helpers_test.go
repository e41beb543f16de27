package diskimage

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// fast makes failures quick, so that no test waits for real.
var fast = Limits{MaxTries: 3, RetryDelay: time.Millisecond, IdleTimeout: 5 * time.Second}

// noise is n bytes that no compression shortens; the same for the same seed.
func noise(seed int64, n int) []byte {
	p := make([]byte, n)
	rand.New(rand.NewSource(seed)).Read(p)
	return p
}

func sum256(p []byte) Checksum {
	h := sha256.Sum256(p)
	return Checksum{Algorithm: "sha256", Hex: hex.EncodeToString(h[:])}
}

// qcow2Header is a version 3 header with the given virtual size and nothing else.
func qcow2Header(size uint64) []byte {
	p := make([]byte, 512)
	be := binary.BigEndian
	copy(p, "QFI\xfb")
	be.PutUint32(p[4:], 3)
	be.PutUint32(p[20:], 16)
	be.PutUint64(p[24:], size)
	be.PutUint32(p[100:], 104)
	return p
}

// vmdkHeader is a sparse extent with an embedded descriptor.
func vmdkHeader(sectors uint64, flags uint32, descriptor string) []byte {
	p := make([]byte, 21*sector)
	le := binary.LittleEndian
	copy(p, "KDMV")
	le.PutUint32(p[4:], 1)
	le.PutUint32(p[8:], flags)
	le.PutUint64(p[12:], sectors)
	if descriptor != "" {
		le.PutUint64(p[28:], 1)
		le.PutUint64(p[36:], 20)
		copy(p[sector:], descriptor)
	}
	return p
}

func writeFile(t testing.TB, name string, p []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, p, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// serveContent answers as a good server does: lengths, ranges, an ETag.
func serveContent(w http.ResponseWriter, r *http.Request, p []byte) {
	w.Header().Set("ETag", `"`+sum256(p).Hex[:8]+`"`)
	http.ServeContent(w, r, "", time.Unix(1700000000, 0), bytes.NewReader(p))
}

// cutAfter makes the server promise all of p and hang up after n bytes from start.
func cutAfter(w http.ResponseWriter, p []byte, n int) {
	w.Write(p[:n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// readAll opens and reads a source to its end.
func readAll(t testing.TB, s Source) (*Image, []byte, error) {
	t.Helper()
	im, err := Open(t.Context(), s)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { im.Close() })
	p, err := io.ReadAll(im)
	return im, p, err
}

// wantError asserts the kind of err and that its message tells what a user needs.
func wantError(t testing.TB, err error, kind Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want kind %d with %q", kind, words)
	}
	if got := KindOf(err); got != kind {
		t.Errorf("error of kind %d, want %d: %v", got, kind, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not contain %q", err, w)
		}
	}
}

// compressWith compresses p by the library, or by the tool for bzip2.
func compressWith(t testing.TB, c Compression, p []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch c {
	case None:
		return p
	case Gzip:
		w = gzip.NewWriter(&out)
	case XZ:
		return pipe(t, p, "xz", "-c")
	case Zstd:
		w, err = zstd.NewWriter(&out)
	case Bzip2:
		return pipe(t, p, "bzip2", "-c")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// tool finds a program. In CI it has to be there.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and in CI it has to be", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func pipe(t testing.TB, in []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}
