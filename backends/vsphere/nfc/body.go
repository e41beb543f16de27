package nfc

import (
	"crypto/sha1" //nolint:gosec // what vSphere tells of a transfer; it finds damage
	"encoding/hex"
	"hash"
	"io"
	"sync"
	"sync/atomic"
)

// Body is what a request sends: it counts and hashes what is read, remembers why reading failed, and is not
// read after End, whatever the connection still does with it.
type Body struct {
	source io.Closer
	sent   func(n int64)
	ending atomic.Bool // the source is closed because nobody wants the rest

	mu   sync.Mutex
	r    io.Reader
	n    int64
	sha1 hash.Hash
	err  error
	over bool
}

// NewBody returns r as a body. Closing source has to end a Read of r that waits. sent, where it is not nil, is called with the
// number of bytes that were read so far.
func NewBody(r io.Reader, source io.Closer, sent func(n int64)) *Body {
	return &Body{r: r, source: source, sent: sent, sha1: sha1.New()} //nolint:gosec // see above
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0, io.ErrClosedPipe
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	b.sha1.Write(p[:n]) //nolint:errcheck // never fails
	if err == io.EOF || !b.ending.Load() {
		b.err = err
	}
	if b.sent != nil {
		b.sent(b.n)
	}
	return n, err
}

// Close does nothing: the transport calls it when it likes.
func (b *Body) Close() error { return nil }

// End closes the source, waits until nobody reads any more, and returns how much was read and why that ended; io.EOF is
// that all was read, nil that the rest was not wanted.
func (b *Body) End() (int64, error) {
	b.ending.Store(true)
	_ = b.source.Close() // it was read to its end, or is given up
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	return b.n, b.err
}

// digest is the SHA-1 of what was read, after End.
func (b *Body) digest() string { return hex.EncodeToString(b.sha1.Sum(nil)) }
