package diskimage

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// reorder is how many grains wait for what may come before them, 8 MiB.
const reorder = 128

// grain is a piece of a disk, with data that is not all zeros.
type grain struct {
	number int64
	data   []byte
}

// grainReader makes grains of an image, in the order of the disk. Those that are zeros are left out.
type grainReader struct {
	d decoder
	f *forward // of d; nil for one that needs none
	n int64    // size of the disk

	waiting []grain // by number
	out     int64   // grains below were handed out or left out
	at      int64   // where rest is
	rest    []byte
	free    [][]byte
	err     error // of the image, sticky; io.EOF is the regular end
}

func newGrainReader(ctx context.Context, r io.Reader, format Format, size int64) (*grainReader, error) {
	g := &grainReader{d: &rawPieces{ctx: ctx, r: r, size: size}, n: size}
	if format != Raw && format != ISO {
		var err error
		if g.d, g.f, err = openDecoder(ctx, r, format); err != nil {
			return nil, err
		}
		if g.f.virtual < 1<<62 { // a fixed VHD tells at its end
			g.n = g.f.virtual
		}
	}
	if g.n < 0 {
		return nil, errorf(Invalid, "how large the disk is has to be known before it is read")
	}
	return g, nil
}

// next returns up to n grains, with io.EOF when there are no more. They are the caller's until release.
func (g *grainReader) next(n int) ([]grain, error) {
	for g.err == nil && len(g.waiting) < reorder+n {
		g.take()
	}
	if g.err != nil && g.err != io.EOF {
		return nil, g.err
	}
	n = min(n, len(g.waiting))
	batch := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	if n > 0 {
		g.out = batch[n-1].number + 1
	}
	if len(g.waiting) == 0 && g.err == io.EOF {
		return batch, io.EOF
	}
	return batch, nil
}

func (g *grainReader) release(batch []grain) {
	for _, b := range batch {
		g.free = append(g.free, b.data)
	}
}

// take puts what comes next of the image into the grain that it belongs to.
func (g *grainReader) take() {
	if len(g.rest) == 0 {
		g.at, g.rest, g.err = g.d.next()
		if g.err == io.EOF && g.f != nil {
			if err := g.f.finish(); err != nil {
				g.err = err
			} else if g.f.virtual != g.n {
				g.err = errorf(Damaged, "the disk in the image has %d bytes instead of %d", g.f.virtual, g.n)
			}
		}
		if g.err != nil {
			g.rest = nil
			return
		}
		if g.at < 0 || int64(len(g.rest)) > g.n-g.at {
			g.err = errorf(Damaged, "the image has data behind the end of the disk")
			return
		}
	}
	from := g.at % grainBytes
	p := g.rest[:min(int64(len(g.rest)), grainBytes-from)]
	number := g.at / grainBytes
	g.at, g.rest = g.at+int64(len(p)), g.rest[len(p):]
	if isZero(p) {
		return // grains are zeros to begin with
	}
	if number < g.out {
		g.err = errorf(Unsupported, "the blocks of this %s image are too far from the order of the disk, which it has to be sent in; lay it out anew with: qemu-img convert -O qcow2", g.f.format)
		return
	}
	copy(g.grain(number)[from:], p)
}

// grain finds a grain that waits, or makes it.
func (g *grainReader) grain(number int64) []byte {
	i := len(g.waiting)
	for i > 0 && g.waiting[i-1].number >= number { // nearly always the last, or behind it
		i--
	}
	if i < len(g.waiting) && g.waiting[i].number == number {
		return g.waiting[i].data
	}
	var p []byte
	if n := len(g.free); n > 0 {
		p, g.free = g.free[n-1], g.free[:n-1]
		clear(p)
	} else {
		p = make([]byte, grainBytes)
	}
	g.waiting = slices.Insert(g.waiting, i, grain{number, p})
	return p
}

// rawPieces hands on what is raw already, and checks its length.
type rawPieces struct {
	ctx  context.Context
	r    io.Reader
	size int64
	pos  int64
	buf  []byte
	err  error
}

func (*rawPieces) open() error { return nil }

func (d *rawPieces) next() (int64, []byte, error) {
	if d.err == nil {
		d.skip()
	}
	n := 0
	for d.err == nil && n < chunkSize {
		if d.err = d.ctx.Err(); d.err != nil {
			d.err = fmt.Errorf("the transfer was stopped: %w", d.err)
			break
		}
		if d.buf == nil {
			d.buf = make([]byte, chunkSize)
		}
		var k int
		k, d.err = d.r.Read(d.buf[n:])
		n += k
		if d.pos+int64(n) > d.size {
			d.err = errorf(Damaged, "the image has more than the %d bytes that it was said to have", d.size)
		}
	}
	if d.err == nil || d.err == io.EOF && n > 0 {
		at := d.pos
		d.pos += int64(n)
		return at, d.buf[:n], nil
	}
	if d.err == io.EOF && d.pos < d.size {
		d.err = errorf(Incomplete, "the image is cut short: it has %d bytes instead of %d", d.pos, d.size)
	}
	return 0, nil, d.err
}

// skip passes the holes of a file.
func (d *rawPieces) skip() {
	h, ok := d.r.(interface{ skipHole() (int64, error) })
	if !ok {
		return
	}
	n, err := h.skipHole()
	d.pos += n
	if d.err = err; err == nil && d.pos > d.size {
		d.err = errorf(Damaged, "the image has more than the %d bytes that it was said to have", d.size)
	}
}
