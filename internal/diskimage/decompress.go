package diskimage

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Compression is how the transferred bytes are compressed.
type Compression string

// The compressions.
const (
	None  Compression = "none"
	Gzip  Compression = "gzip"
	XZ    Compression = "xz"
	Zstd  Compression = "zstd"
	Bzip2 Compression = "bzip2"
)

// maxWindow bounds the history that a compressed image may ask for. It is what
// xz -9 (64 MiB) and zstd --long (128 MiB) need.
const maxWindow = 128 << 20

// sniffCompression tells the compression by the first bytes of the transfer.
func sniffCompression(p []byte) Compression {
	switch {
	case bytes.HasPrefix(p, []byte{0x1f, 0x8b, 8}):
		return Gzip
	case bytes.HasPrefix(p, []byte("\xfd7zXZ\x00")):
		return XZ
	case bytes.HasPrefix(p, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return Zstd
	// A skippable frame may come first, pzstd writes one.
	case len(p) >= 4 && p[0]&0xf0 == 0x50 && bytes.Equal(p[1:4], []byte{0x2a, 0x4d, 0x18}):
		return Zstd
	case len(p) >= 10 && bytes.HasPrefix(p, []byte("BZh")) && p[3] >= '1' && p[3] <= '9' &&
		(string(p[4:10]) == "1AY&SY" || string(p[4:10]) == "\x17\x72\x45\x38\x50\x90"):
		return Bzip2
	}
	return None
}

// decompress returns the content of in, which is compressed with c.
func decompress(in *bufio.Reader, c Compression) (io.ReadCloser, error) {
	switch c {
	case Gzip:
		m, err := newMembers(in)
		if err != nil {
			return nil, err // not a nil *members
		}
		return m, nil
	case XZ:
		if w := xzWindow(in); w > maxWindow {
			return nil, errorf(Unsupported, "the xz compression needs a dictionary of %d MiB, the limit is %d MiB; compress it again with xz -9 or less", w>>20, maxWindow>>20)
		}
		r, err := xz.NewReader(in)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(r), nil
	case Zstd:
		r, err := zstd.NewReader(in,
			zstd.WithDecoderConcurrency(1), // no goroutines, no blocks read ahead
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return r.IOReadCloser(), nil
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(in)), nil
	case None:
	}
	return io.NopCloser(in), nil
}

// xzWindow reads the size of the dictionary from the header of the first block;
// 0 where there is none. The decoder would allocate whatever is written there.
func xzWindow(in *bufio.Reader) int64 {
	// 12 bytes of stream header; then the block header: its size, flags,
	// two optional sizes, and the filters: id, length, properties.
	p, _ := in.Peek(12 + 1024)
	if len(p) < 14 || p[12] == 0 {
		return 0
	}
	flags := p[13]
	p = p[14:min(len(p), 12+(int(p[12])+1)*4)]
	varint := func() (v uint64) {
		for shift := 0; len(p) > 0 && shift < 63; shift += 7 {
			b := p[0]
			p = p[1:]
			v |= uint64(b&0x7f) << shift
			if b&0x80 == 0 {
				break
			}
		}
		return v
	}
	for _, flag := range []byte{0x40, 0x80} {
		if flags&flag != 0 {
			varint()
		}
	}
	for range int(flags&3) + 1 {
		id, n := varint(), varint()
		if n > uint64(len(p)) {
			return 0
		}
		if id == 0x21 && n == 1 && p[0] <= 40 {
			if p[0] == 40 {
				return 1<<32 - 1
			}
			return (2 | int64(p[0]&1)) << (p[0]/2 + 11)
		}
		p = p[n:]
	}
	return 0
}

// members reads the members of a gzip file one after another. Unlike the
// decoder's own multistream mode it allows the zeros that tapes and some
// mirrors append, and nothing else.
type members struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func newMembers(in *bufio.Reader) (*members, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &members{in: in, z: z}, nil
}

func (m *members) Close() error { return m.z.Close() }

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if err != io.EOF {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
}

// next begins the next member, or returns io.EOF.
func (m *members) next() error {
	head, err := m.in.Peek(2)
	if len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		if err := m.z.Reset(m.in); err != nil {
			return err
		}
		m.z.Multistream(false)
		return nil
	}
	if len(head) == 0 {
		return err
	}
	for {
		b, err := m.in.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return errorf(Damaged, "after the end of the gzip data comes something else")
		}
	}
}
