package diskimage

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	// window is how much of an image is in memory; history is the least of it that stays when
	// reading goes on. Images refer back a little: compressed clusters of qcow2 share sectors
	// and fill gaps before the table that names them.
	window  = 12 << 20
	history = 4 << 20
	// maxPiece is the most that a decoder asks for at once.
	maxPiece = 4 << 20
	// maxRegions bounds what is remembered of an image's tables.
	maxRegions = 300_000
)

// forward reads an image from its beginning to its end and remembers a little.
type forward struct {
	ctx     context.Context
	r       io.Reader
	format  Format
	virtual int64 // size of the disk

	buf   []byte
	start int64 // where buf begins
	err   error // of r, sticky

	// tablesOnly is for those who want to know only whether the image is complete: then need is the
	// least length that its tables speak of.
	tablesOnly bool
	need       int64
}

func newForward(ctx context.Context, r io.Reader, format Format) *forward {
	return &forward{ctx: ctx, r: r, format: format}
}

// end is how far the image was read.
func (f *forward) end() int64 { return f.start + int64(len(f.buf)) }

// at returns n bytes of the image, valid until the next call. Less than that is
// Incomplete, and what lies too far behind Unsupported.
func (f *forward) at(offset int64, n int) ([]byte, error) {
	p, err := f.upTo(offset, n)
	if err == nil && len(p) < n {
		return nil, f.cut(offset + int64(n))
	}
	return p, err
}

// upTo is like at, but returns less where the image ends.
func (f *forward) upTo(offset int64, n int) ([]byte, error) {
	switch {
	case offset < 0 || n < 0 || n > maxPiece:
		return nil, damaged(f.format, "it names an impossible place")
	case offset < f.start:
		return nil, f.backward()
	}
	for f.end() < offset+int64(n) && f.err == nil {
		f.fill(offset)
	}
	if f.err != nil && f.err != io.EOF {
		return nil, f.err
	}
	from := min(offset, f.end()) - f.start
	to := min(offset+int64(n), f.end()) - f.start
	return f.buf[from:to], nil
}

// fill reads on. What lies before want is no longer needed, but for the history.
func (f *forward) fill(want int64) {
	if err := f.ctx.Err(); err != nil {
		f.err = fmt.Errorf("the transfer was stopped: %w", err)
		return
	}
	if f.buf == nil {
		f.buf = make([]byte, 0, window)
	}
	if cap(f.buf)-len(f.buf) < chunkSize {
		// A request is at most maxPiece long, so this makes room.
		keep := max(f.start, min(want, f.end())-history)
		f.buf = f.buf[:copy(f.buf, f.buf[keep-f.start:])]
		f.start = keep
	}
	n, err := f.r.Read(f.buf[len(f.buf) : len(f.buf)+chunkSize])
	f.buf = f.buf[:len(f.buf)+n]
	f.err = err
}

// finish reads what follows, so that r can say whether the transfer was right.
func (f *forward) finish() error {
	for f.err == nil {
		f.fill(f.end())
	}
	if f.err != io.EOF {
		return f.err
	}
	if f.end() < f.need {
		return f.cut(f.need)
	}
	return nil
}

// tail is the last n bytes of an image that was read to its end.
func (f *forward) tail(n int) []byte { return f.buf[max(0, len(f.buf)-n):] }

func (f *forward) cut(expected int64) error {
	return errorf(Incomplete, "the %s image is cut short: it has %d bytes, and its tables speak of at least %d", f.format, f.end(), expected)
}

func (f *forward) backward() error {
	return errorf(Unsupported, "this %s image refers back to what came before its tables, so it cannot be converted while it is read; lay it out anew with: qemu-img convert -O qcow2", f.format)
}

// region is a part of an image: data of the disk, or a table that names further ones.
type region struct {
	at    int64
	n     int64
	guest int64 // where the data belongs, or what the table begins with
	kind  regionKind
}

type regionKind uint8

const (
	data regionKind = iota
	table
	deflated
	zstandard
)

// regions are what is still to come, by their place in the image.
type regions struct {
	f    *forward
	todo regionHeap
}

// add remembers a region.
func (s *regions) add(r region) error {
	if s.f.tablesOnly && r.kind != table {
		least := r.at + r.n
		if r.kind != data {
			least -= sector - 1 // the length of what is compressed is rounded up
		}
		s.f.need = max(s.f.need, least)
		return nil
	}
	if r.at < s.f.start {
		return s.f.backward()
	}
	// What continues the region before is often the latest that was added.
	if n := len(s.todo); n > 0 && r.kind == data {
		if last := &s.todo[n-1]; last.kind == data && last.at+last.n == r.at && last.guest+last.n == r.guest {
			last.n += r.n
			return nil
		}
	}
	if len(s.todo) >= maxRegions {
		return errorf(Unsupported, "the blocks of this %s image are scattered too much to be put in order while it is read; lay it out anew with: qemu-img convert -O qcow2", s.f.format)
	}
	heap.Push(&s.todo, r)
	return nil
}

// next takes the region that comes first, at most maxPiece bytes of it; io.EOF: there is none.
func (s *regions) next() (region, error) {
	if len(s.todo) == 0 {
		return region{}, io.EOF
	}
	r := s.todo[0]
	if r.kind == data && r.n > maxPiece {
		rest := r
		rest.at, rest.guest, rest.n = r.at+maxPiece, r.guest+maxPiece, r.n-maxPiece
		s.todo[0] = rest
		heap.Fix(&s.todo, 0)
		r.n = maxPiece
		return r, nil
	}
	heap.Pop(&s.todo)
	return r, nil
}

// piece reads the next region of images whose regions are all data.
func (s *regions) piece() (int64, []byte, error) {
	r, err := s.next()
	if err != nil {
		return 0, nil, err
	}
	p, err := s.f.at(r.at, int(r.n))
	return r.guest, p, err
}

type regionHeap []region

func (h regionHeap) Len() int           { return len(h) }
func (h regionHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h regionHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *regionHeap) Push(x any)        { *h = append(*h, x.(region)) } //nolint:forcetypeassert // only regions are pushed
func (h *regionHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// Watch passes r on as it is, and follows the tables of the image in it: where the
// image ends before what they speak of, the last Read answers an error of kind
// Incomplete in place of io.EOF. Formats without tables, and images whose tables cannot be
// followed from beginning to end, are not watched. stop ends the watching; it must be called.
func Watch(r io.Reader, format Format) (watched io.Reader, stop func()) {
	if !Convertible(format) {
		return r, func() {}
	}
	in, out := io.Pipe()
	w := &watch{r: r, out: out, verdict: make(chan error, 1)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		err := follow(in, format)
		w.verdict <- err
		in.CloseWithError(errors.New("nobody watches any more")) //nolint:errcheck // never fails
	}()
	return w, func() {
		out.Close() //nolint:errcheck // never fails
		<-over
	}
}

// follow reads an image for its tables only.
func follow(r io.Reader, format Format) error {
	f := newForward(context.Background(), r, format)
	f.tablesOnly = true
	d := newDecoder(format, f)
	err := d.open()
	for err == nil {
		_, _, err = d.next()
	}
	if err != io.EOF {
		return err
	}
	return f.finish()
}

type watch struct {
	r       io.Reader
	out     *io.PipeWriter
	verdict chan error
	err     error
}

func (w *watch) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.r.Read(p)
	if n > 0 {
		_, _ = w.out.Write(p[:n]) // fails where nobody watches any more
	}
	if err == io.EOF {
		w.out.Close() //nolint:errcheck // never fails
		if v := <-w.verdict; KindOf(v) == Incomplete || KindOf(v) == Damaged {
			err = v
		}
	}
	w.err = err
	return n, err
}
