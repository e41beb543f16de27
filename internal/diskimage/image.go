package diskimage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Image is an open image: its decompressed content as a reader, and what is
// known of it before the first byte is passed on. It is not safe for use by
// several goroutines.
type Image struct {
	Header
	// Compression is how the content was compressed on the way.
	Compression Compression
	// Size is the length of the content in bytes; -1 where it is compressed
	// or the server does not say.
	Size int64
	// TransferSize is the length of what is transferred; -1: not known.
	TransferSize int64
	// Checksum is the one that the transfer is checked against; where the
	// source named a list, the digest that was found there.
	Checksum Checksum
	// ETag and LastModified are as the server gave them; for a local file
	// LastModified is its time of modification.
	ETag         string
	LastModified time.Time

	name     string
	max      int64
	transfer *transfer
	in       *bufio.Reader // the transfer, buffered for the decompressor
	content  io.ReadCloser // what in decompresses to
	head     []byte        // of the content, already read, not yet passed on
	passed   int64         // bytes that went through Read and skipHole
	err      error
}

// Open connects to the source, undoes its compression and detects the format.
// Nothing but the beginning is read. The caller closes the image; ctx governs
// all reads until then.
//
// Images that cannot be used by themselves are refused, see Detect. An image
// with a VirtualSize of its own is not checked for being consistent beyond its
// header: that takes qemu-img check.
func Open(ctx context.Context, s Source) (*Image, error) {
	im, err := open(ctx, s)
	if err != nil {
		return nil, about(s.String(), err)
	}
	return im, nil
}

func open(ctx context.Context, s Source) (im *Image, err error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.Checksum, err = s.resolveChecksum(ctx); err != nil {
		return nil, err
	}
	limits := s.Limits.withDefaults()
	in, err := s.openStream(ctx)
	if err != nil {
		return nil, err
	}
	im = &Image{
		Size:         in.size(),
		TransferSize: in.size(),
		Checksum:     s.Checksum,
		name:         s.String(),
		max:          limits.MaxBytes,
		transfer:     &transfer{in: in, sum: s.Checksum, hash: s.Checksum.newHash(), max: limits.MaxBytes, progress: s.Progress},
	}
	switch in := in.(type) {
	case *download:
		im.ETag = in.version.etag
		im.LastModified, _ = http.ParseTime(in.version.modified)
	case *localFile:
		im.LastModified = in.info.ModTime()
	}
	if im.TransferSize > im.max {
		im.Close()
		return nil, errorf(TooLarge, "it has %d bytes, the limit is %d", im.TransferSize, im.max)
	}
	if err := im.begin(); err != nil {
		im.Close()
		return nil, err
	}
	return im, nil
}

// begin finds out the compression and the format.
func (im *Image) begin() error {
	im.in = bufio.NewReaderSize(im.transfer, headBytes)
	start, err := im.in.Peek(16)
	if err != nil && err != io.EOF {
		return err
	}
	if im.Compression = sniffCompression(start); im.Compression != None {
		im.Size = -1
	}
	if im.content, err = decompress(im.in, im.Compression); err != nil {
		return im.explain(err)
	}
	for need := headBytes; need > len(im.head); {
		need = min(need, maxHeadBytes)
		// Whole blocks, so that holes stay aligned behind it.
		need += -need & (blockSize - 1)
		n, full, err := im.fill(need)
		if err != nil {
			return im.explain(err)
		}
		if im.Header, err = detect(im.head[:n]); err != nil {
			return err
		}
		if im.need > n && !full {
			return damaged(im.Format, "it is cut off")
		}
		need = im.need
	}
	if err := im.detectFixedVHD(); err != nil {
		return err
	}
	if (im.Format == Raw || im.Format == ISO) && im.Size >= 0 {
		im.VirtualSize = im.Size
	}
	if im.Size >= 0 && im.Size < im.end {
		return errorf(Incomplete, "the %s image is cut short: it has %d bytes, its header speaks of at least %d", im.Format, im.Size, im.end)
	}
	return nil
}

// fill lengthens head to n bytes, or to all there is; full tells which.
func (im *Image) fill(n int) (have int, full bool, err error) {
	have = len(im.head)
	grown := make([]byte, n)
	copy(grown, im.head)
	im.head = grown
	for have < n {
		k, err := im.content.Read(grown[have:])
		have += k
		if err == io.EOF {
			im.head = grown[:have]
			return have, false, nil
		}
		if err != nil {
			return have, false, err
		}
	}
	return have, true, nil
}

// detectFixedVHD looks at the end of a local file: a fixed VHD is raw but for
// its last sector. In a stream it cannot be told from a raw disk.
func (im *Image) detectFixedVHD() error {
	f, ok := im.transfer.in.(*localFile)
	if !ok || im.Compression != None || im.Format != Raw || f.size() < 2*vhdFooterBytes {
		return nil
	}
	footer := make([]byte, vhdFooterBytes)
	if _, err := f.f.ReadAt(footer, f.size()-vhdFooterBytes); err != nil {
		return localError(err)
	}
	if !has(footer, 0, "conectix") {
		return nil
	}
	h, err := readVHD(footer)
	if err == nil {
		im.Header = h
	}
	return err
}

// Read reads the content. It answers io.EOF only after the transfer was
// complete and right; see Verify.
func (im *Image) Read(p []byte) (int, error) {
	if im.err != nil {
		return 0, im.err
	}
	if len(im.head) > 0 {
		n := copy(p, im.head)
		im.head = im.head[n:]
		im.passed += int64(n)
		return n, nil
	}
	im.head = nil
	n, err := im.content.Read(p)
	im.passed += int64(n)
	switch {
	case im.passed > im.max:
		err = errorf(TooLarge, "its content is larger than the limit of %d bytes", im.max)
	case err == io.EOF:
		err = im.finish()
	case err != nil:
		err = im.explain(err)
	}
	if err != nil {
		im.fail(err)
		err = im.err
	}
	return n, err
}

// finish reads what follows the last byte of the content. When the transfer was
// right it returns io.EOF.
func (im *Image) finish() error {
	if err := im.transfer.drain(); err != nil {
		return err
	}
	if im.passed < im.Header.end {
		return errorf(Incomplete, "the %s image is cut short: it has %d bytes, its header speaks of at least %d", im.Format, im.passed, im.Header.end)
	}
	return io.EOF
}

func (im *Image) fail(err error) {
	if err != io.EOF {
		err = about(im.name, err)
	}
	im.err = err
}

// explain returns the first cause of a failed read: what happened to the
// transfer, or else the decompressor's complaint.
func (im *Image) explain(err error) error {
	if t := im.transfer.err; t != nil && t != io.EOF {
		return t
	}
	var own *Error
	if im.Compression == None || errors.As(err, &own) {
		return err
	}
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return errorf(Unsupported, "the zstd compression needs a window of more than %d MiB; compress it again with zstd --long=27 or less", maxWindow>>20)
	}
	msg := scrub(err.Error())
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		msg = "it ends in the middle"
	}
	return &Error{Kind: Damaged, Msg: "the " + string(im.Compression) + " compression cannot be undone: " + msg + "; the file is damaged or was cut short where it was published", Err: err}
}

// Verify reads what is left of the transfer, without passing it on, and returns
// nil when its length and checksum are right. A wrong checksum comes before all
// other errors, since it explains them. After an io.EOF of Read it costs nothing.
func (im *Image) Verify() error {
	err := im.transfer.drain()
	switch {
	case err != nil:
		im.fail(err)
	case im.err != nil && im.err != io.EOF:
	default:
		return nil
	}
	return im.err
}

// Close ends the transfer, complete or not. It does not verify.
func (im *Image) Close() error {
	if im.content != nil {
		im.content.Close() //nolint:errcheck // a decompressor, nothing is written
	}
	return im.transfer.in.Close()
}

// skipHole passes a hole of the content without reading it; see CopySparse.
func (im *Image) skipHole() (int64, error) {
	if im.err != nil || len(im.head) > 0 || im.Compression != None || im.in.Buffered() > 0 {
		return 0, nil //nolint:nilerr // no hole to skip; the next Read tells the error
	}
	n, err := im.transfer.skipHole()
	im.passed += n
	if err != nil {
		im.fail(err)
		err = im.err
	}
	return n, err
}

// zeros is what a hole reads as.
var zeros = make([]byte, 64<<10)

func isZero(p []byte) bool {
	for len(p) > len(zeros) {
		if !bytes.Equal(p[:len(zeros)], zeros) {
			return false
		}
		p = p[len(zeros):]
	}
	return bytes.Equal(p, zeros[:len(p)])
}
