package diskimage

import (
	"context"
	"fmt"
	"io"
)

const (
	// blockSize is the unit in which zeros are looked for: an extent begins
	// and a hole ends at a multiple of it. It is the cluster size of qcow2.
	blockSize = 64 << 10
	// minHole is how many zeros it takes to end an extent. An extent costs a
	// call to the hypervisor; shorter runs of zeros are cheaper to send.
	minHole = 1 << 20
	// chunkSize is how much is read at once.
	chunkSize = 1 << 20
)

// An ExtentFunc receives the extents of an image one after another, by growing
// offset, in bytes. It reads extent up to io.EOF before it returns nil.
type ExtentFunc func(offset int64, extent io.Reader) error

// Copied tells what CopySparse passed on.
type Copied struct {
	Size    int64 // bytes from the beginning of the image to its end
	Data    int64 // bytes in extents
	Extents int
}

// CopySparse reads r up to its end and passes on what is not zero: runs of at
// least 1 MiB of zeros are left out, so what receives the extents has to read as
// zeros wherever nothing was written. Extents begin at multiples of 64 KiB. The
// last block, up to 64 KiB, is passed on even if it is zero, so that a file that
// grows by being written gets its full length; an empty r has no extent.
//
// Holes of a local file that r, an *Image, comes from are not read, where the
// file system knows them. A few MiB of memory serve images of any size.
//
// An error of r comes before what the ExtentFunc made of it. As with Read, nil
// means that the image was complete and its checksum right; without it, what
// was written is worthless.
func CopySparse(ctx context.Context, r io.Reader, write ExtentFunc) (Copied, error) {
	s := &splitter{ctx: ctx, r: r, buf: make([]byte, chunkSize)}
	for s.nextExtent() {
		e := &extent{s: s}
		offset := s.pos
		err := write(offset, e)
		switch {
		case s.err != nil && s.err != io.EOF:
			return s.done, s.err
		case err != nil:
			return s.done, fmt.Errorf("writing the extent at byte %d: %w", offset, err)
		case !e.ended:
			return s.done, fmt.Errorf("writing the extent at byte %d: the writer stopped at byte %d, before its end", offset, s.pos)
		}
		s.done.Extents++
	}
	s.done.Size = s.pos
	if s.err != io.EOF {
		return s.done, s.err
	}
	return s.done, nil
}

// splitter reads ahead to tell data from holes. At pos the image goes on with
// pending zeros, then data, then chunk.
type splitter struct {
	ctx  context.Context
	r    io.Reader
	buf  []byte
	done Copied

	pos     int64
	pending int64  // zeros that were read or skipped, but not passed on
	data    []byte // a block that is not zero, or the rest of it
	chunk   []byte // not looked at yet; whole blocks, unless the image ends
	tail    bool   // the image ends with the pending zeros, and they count as data
	err     error  // of r, sticky; io.EOF is the regular end
}

// look takes the next block of chunk for pending or data; false: there is none.
func (s *splitter) look() bool {
	if len(s.chunk) == 0 && s.err == nil {
		s.fill()
	}
	if len(s.chunk) == 0 {
		return false
	}
	b := s.chunk[:min(len(s.chunk), blockSize)]
	s.chunk = s.chunk[len(b):]
	if isZero(b) {
		s.pending += int64(len(b))
	} else {
		s.data = b
	}
	return true
}

// fill reads the next chunk. A hole of a file is added to pending instead.
func (s *splitter) fill() {
	if err := s.ctx.Err(); err != nil {
		s.err = fmt.Errorf("the transfer was stopped: %w", err)
		return
	}
	if h, ok := s.r.(interface{ skipHole() (int64, error) }); ok {
		n, err := h.skipHole()
		s.pending += n
		if err != nil {
			s.err = err
			return
		}
	}
	n := 0
	for n < len(s.buf) && s.err == nil {
		var k int
		k, s.err = s.r.Read(s.buf[n:])
		n += k
	}
	if s.err == nil || s.err == io.EOF {
		s.chunk = s.buf[:n]
	}
}

// nextExtent moves to the beginning of the next extent; false: there is none.
func (s *splitter) nextExtent() bool {
	for len(s.data) == 0 {
		if s.look() {
			continue
		}
		if s.err != io.EOF || s.pending == 0 {
			return false
		}
		// The image ends with zeros: its last block is an extent.
		end := s.pos + s.pending
		s.pos = (end - 1) / blockSize * blockSize
		s.pending = end - s.pos
		s.tail = true
		return true
	}
	s.pos += s.pending
	s.pending = 0
	return true
}

// extent reads from the splitter up to the next hole.
type extent struct {
	s     *splitter
	ended bool
}

func (e *extent) Read(p []byte) (int, error) {
	s := e.s
	for !e.ended && len(s.data) == 0 && !s.tail && s.pending < minHole {
		if s.look() {
			continue
		}
		if s.err != io.EOF {
			return 0, s.err
		}
		s.tail = true
	}
	if e.ended || s.pending >= minHole || len(s.data) == 0 && s.pending == 0 {
		e.ended = true
		return 0, io.EOF
	}
	var n int
	if s.pending > 0 {
		n = copy(p, zeros[:min(s.pending, int64(len(zeros)))])
		s.pending -= int64(n)
	} else {
		n = copy(p, s.data)
		s.data = s.data[n:]
	}
	s.pos += int64(n)
	s.done.Data += int64(n)
	return n, nil
}
