package diskimage

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
)

func TestDecompress(t *testing.T) {
	content := append(qcow2Header(20<<30), noise(3, 300<<10)...)
	for _, c := range []Compression{None, Gzip, XZ, Zstd, Bzip2} {
		t.Run(string(c), func(t *testing.T) {
			packed := compressWith(t, c, content)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				// What a server calls the content does not matter.
				w.Header().Set("Content-Type", "text/plain")
				serveContent(w, r, packed)
			})
			im, got, err := readAll(t, Source{URL: s.URL + "/disk.img", Checksum: sum256(packed), Limits: fast})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, content) {
				t.Errorf("%d bytes came out, want %d", len(got), len(content))
			}
			size := int64(-1)
			if c == None {
				size = int64(len(content))
			}
			if im.Compression != c || im.Format != QCOW2 || im.VirtualSize != 20<<30 || im.Size != size || im.TransferSize != int64(len(packed)) {
				t.Errorf("got %+v %s size %d transfer %d", im.Header, im.Compression, im.Size, im.TransferSize)
			}
			if im.ETag == "" || im.LastModified.Unix() != 1700000000 {
				t.Errorf("version %q %v", im.ETag, im.LastModified)
			}
			if err := im.Verify(); err != nil {
				t.Errorf("Verify after the end: %v", err)
			}

			// The checksum is that of the transferred bytes, not of the content.
			if c == None {
				return
			}
			_, _, err = readAll(t, Source{URL: s.URL + "/disk.img", Checksum: sum256(content), Limits: fast})
			wantError(t, err, Mismatch, "got "+sum256(packed).Hex)

			// Two halves compressed one by one are one file.
			halves := append(compressWith(t, c, content[:1000]), compressWith(t, c, content[1000:])...)
			if _, got, err := readAll(t, Source{Path: writeFile(t, "halves", halves)}); err != nil || !bytes.Equal(got, content) {
				t.Errorf("two members: %d bytes, %v", len(got), err)
			}

			// Cut off and damaged.
			_, _, err = readAll(t, Source{Path: writeFile(t, "cut", packed[:len(packed)/2])})
			wantError(t, err, Damaged, string(c)+" compression cannot be undone")
			head := 11
			if c == Gzip {
				head = 9 // one less than its header
			}
			_, _, err = readAll(t, Source{Path: writeFile(t, "cut", packed[:head])})
			wantError(t, err, Damaged, string(c)+" compression cannot be undone")
			broken := bytes.Clone(packed)
			broken[len(broken)/2] ^= 0xff
			broken[len(broken)/2+1] ^= 0xff
			_, _, err = readAll(t, Source{Path: writeFile(t, "broken", broken)})
			wantError(t, err, Damaged, string(c)+" compression cannot be undone")

			// The checksum explains it better, once somebody asks.
			im, err = Open(t.Context(), Source{Path: writeFile(t, "broken", broken), Checksum: sum256(packed)})
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			wantError(t, im.Verify(), Mismatch, "expected "+sum256(packed).Hex)

			_, _, err = readAll(t, Source{Path: writeFile(t, "twice", compressWith(t, Gzip, packed))})
			wantError(t, err, Unsupported, "compressed twice")
		})
	}
}

// A download that breaks off is reported as that, not as bad compression.
func TestCompressedDownloadCutShort(t *testing.T) {
	content := noise(3, 3<<20)
	for _, c := range []Compression{Gzip, XZ, Zstd} {
		packed := compressWith(t, c, content)
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Accept-Ranges", "none")
			w.Header().Set("Content-Length", fmt.Sprint(len(packed)))
			cutAfter(w, packed, 1<<20)
		})
		_, _, err := readAll(t, Source{URL: s.URL, Limits: fast})
		wantError(t, err, Incomplete, fmt.Sprintf("download cut short: 1048576 of %d bytes", len(packed)))
	}
}

// What follows the compressed data belongs to the transfer: it is read, counted
// and hashed, and it is an error unless it is padding.
func TestTrailingBytes(t *testing.T) {
	content := noise(3, 300<<10)
	for _, tc := range []struct {
		name string
		c    Compression
		tail []byte
		ok   bool
	}{
		{"gzip with zeros", Gzip, make([]byte, 1<<20), true},
		{"gzip with one zero", Gzip, make([]byte, 1), true},
		{"gzip with garbage", Gzip, []byte("garbage"), false},
		{"gzip with a broken member", Gzip, []byte("\x1f\x8bgarbage"), false},
		{"xz with padding", XZ, make([]byte, 1024), true},
		{"xz with garbage", XZ, []byte("garbage!"), false},
		{"zstd with garbage", Zstd, []byte("garbage!"), false},
		{"bzip2 with garbage", Bzip2, []byte("garbage!"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := append(compressWith(t, tc.c, content), tc.tail...)
			var done int64
			_, got, err := readAll(t, Source{Path: writeFile(t, "a", p), Checksum: sum256(p), Progress: func(d, _ int64) { done = d }})
			if !tc.ok {
				wantError(t, err, Damaged)
				return
			}
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if done != int64(len(p)) {
				t.Errorf("%d of %d bytes were read", done, len(p))
			}
			// Without the tail the checksum is another.
			_, _, err = readAll(t, Source{Path: writeFile(t, "a", p), Checksum: sum256(p[:len(p)-len(tc.tail)])})
			wantError(t, err, Mismatch)
		})
	}
}

func TestVerifyReadsTheRest(t *testing.T) {
	content := noise(3, 3<<20)
	packed := compressWith(t, Gzip, content)
	for name, sum := range map[string]Checksum{"right": sum256(packed), "wrong": sum256(nil)} {
		t.Run(name, func(t *testing.T) {
			im, err := Open(t.Context(), Source{Path: writeFile(t, "a.gz", packed), Checksum: sum})
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			if _, err := im.Read(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			err = im.Verify()
			if name == "wrong" {
				wantError(t, err, Mismatch, "a.gz")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A few bytes that unpack to more than the limit are stopped there.
func TestDecompressionLimit(t *testing.T) {
	packed := compressWith(t, Zstd, make([]byte, 8<<20))
	_, got, err := readAll(t, Source{Path: writeFile(t, "bomb.zst", packed), Limits: Limits{MaxBytes: 1 << 20}})
	wantError(t, err, TooLarge, "content is larger than the limit of 1048576 bytes")
	if len(got) > 2<<20 {
		t.Errorf("%d bytes came out", len(got))
	}
}

// The tools' own large windows work up to the limit, and beyond are refused
// before the memory is taken.
func TestWindows(t *testing.T) {
	content := noise(3, 300<<10)
	for _, tc := range []struct {
		args []string
		ok   bool
	}{
		{[]string{"xz", "-9", "-T1", "-c"}, true},
		{[]string{"xz", "-T2", "--block-size=65536", "-c"}, true},
		{[]string{"xz", "--check=sha256", "-c"}, true},
		{[]string{"xz", "--lzma2=dict=128MiB", "-c"}, true},
		{[]string{"xz", "--lzma2=dict=192MiB", "-c"}, false},
		{[]string{"zstd", "-19", "--long=27", "-c"}, true},
		{[]string{"zstd", "--long=28", "-c"}, false},
		{[]string{"gzip", "-9", "-c"}, true},
	} {
		t.Run(fmt.Sprint(tc.args), func(t *testing.T) {
			p := pipe(t, content, tc.args[0], tc.args[1:]...)
			_, got, err := readAll(t, Source{Path: writeFile(t, "a", p)})
			if tc.ok {
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				return
			}
			wantError(t, err, Unsupported, "128 MiB; compress it again with")
		})
	}
}

func FuzzOpenCompressed(f *testing.F) {
	for _, c := range []Compression{Gzip, XZ, Zstd} {
		f.Add(compressWith(f, c, qcow2Header(1<<30)))
	}
	f.Add([]byte("\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, p []byte) {
		im, _, err := readAll(t, Source{Path: writeFile(t, "a", p), Limits: Limits{MaxBytes: 16 << 20}})
		if err != nil && KindOf(err) == 0 {
			t.Errorf("error without a kind: %v", err)
		}
		if err == nil && im.Format == "" {
			t.Error("no format")
		}
	})
}
