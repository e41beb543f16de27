package pvesim

import (
	"bytes"
	"io"
	"sync"
)

// chunkSize is the unit in which bytes are kept and shared.
const chunkSize = 64 << 10

// content is the bytes of a volume or file: what was written, and zeros
// elsewhere. It is safe for use by several goroutines, with cluster.mu or without.
//
// A chunk is never changed once it is there: a write puts another in its
// place. So copies, snapshots and linked clones share all that they have in common.
type content struct {
	mu     sync.RWMutex
	size   int64
	chunks map[int64]*chunk
	spool  *spool // nil keeps all in memory
}

// chunk holds chunkSize bytes, in memory or in the spool.
type chunk struct {
	data []byte // nil: in the spool
	at   int64  // in the spool
}

func newContent(s *spool, size int64) *content { return &content{spool: s, size: size} }

// length is the size in bytes.
func (d *content) length() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.size
}

// used is how many bytes its data take, holes left out.
func (d *content) used() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return int64(len(d.chunks)) * chunkSize
}

// ReadAt reads what is there, as io.ReaderAt demands it.
func (d *content) ReadAt(p []byte, off int64) (int, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	n := int(max(0, min(int64(len(p)), d.size-off)))
	for done := 0; done < n; {
		i, within := (off+int64(done))/chunkSize, int((off+int64(done))%chunkSize)
		part := p[done:min(n, done+chunkSize-within)]
		if err := d.load(d.chunks[i], within, part); err != nil {
			return done, err
		}
		done += len(part)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *content) load(c *chunk, within int, p []byte) error {
	switch {
	case c == nil:
		clear(p)
	case c.data != nil:
		copy(p, c.data[within:])
	default:
		return d.spool.read(p, c.at+int64(within))
	}
	return nil
}

var zeros [chunkSize]byte

// WriteAt writes, and makes the content longer where it ends before.
func (d *content) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	done := 0
	for done < len(p) {
		i, within := (off+int64(done))/chunkSize, int((off+int64(done))%chunkSize)
		part := p[done:min(len(p), done+chunkSize-within)]
		if err := d.replace(i, within, part); err != nil {
			return done, err
		}
		done += len(part)
	}
	d.size = max(d.size, off+int64(done))
	return done, nil
}

// replace puts a chunk in the place of another, with part at within. Zeros are holes.
func (d *content) replace(i int64, within int, part []byte) error {
	old := d.chunks[i]
	if old == nil && bytes.Equal(part, zeros[:len(part)]) {
		return nil
	}
	data := make([]byte, chunkSize)
	if len(part) < chunkSize {
		if err := d.load(old, 0, data); err != nil {
			return err
		}
	}
	copy(data[within:], part)
	if bytes.Equal(data, zeros[:]) {
		delete(d.chunks, i)
		return nil
	}
	c, err := d.spool.keep(data)
	if err != nil {
		return err
	}
	if d.chunks == nil {
		d.chunks = map[int64]*chunk{}
	}
	d.chunks[i] = c
	return nil
}

// resize makes the content longer, or shorter: then what lay behind is gone.
func (d *content) resize(size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if size < d.size {
		for i := range d.chunks {
			if i*chunkSize >= size {
				delete(d.chunks, i)
			}
		}
		if within := int(size % chunkSize); within != 0 {
			_ = d.replace(size/chunkSize, within, zeros[within:])
		}
	}
	d.size = size
}

// copy is a second content of the same bytes, which it shares.
func (d *content) copy() *content {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := &content{size: d.size, spool: d.spool, chunks: make(map[int64]*chunk, len(d.chunks))}
	for i, k := range d.chunks {
		c.chunks[i] = k
	}
	return c
}

// become makes the bytes those of another content, up to this one's own size
// where that is larger: what a copy onto a larger disk comes to.
func (d *content) become(other *content) {
	c := other.copy()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.chunks, d.size = c.chunks, max(d.size, c.size)
}

// reader reads from the beginning to the end.
func (d *content) reader() *io.SectionReader { return io.NewSectionReader(d, 0, d.length()) }

// fill appends all of r.
func (d *content) fill(r io.Reader) error {
	at := d.length()
	buf := make([]byte, 4*chunkSize)
	for {
		n, err := 0, error(nil)
		for n < len(buf) && err == nil { // io.ReadFull would hide a body that ends early
			var m int
			m, err = r.Read(buf[n:])
			n += m
		}
		if _, err := d.WriteAt(buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
