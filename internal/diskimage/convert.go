package diskimage

import (
	"context"
	"fmt"
	"io"
)

// Convertible reports whether images of a format can be made raw while they are read, see
// ConvertSparse.
func Convertible(f Format) bool { return newDecoder(f, nil) != nil }

// ConvertSparse reads an image of the given format from r up to its end and passes on, as
// extents, the disk that a guest would see. What receives them has to read as zeros wherever
// nothing was written, and to be as large as the disk. Unlike those of CopySparse, the extents come
// in the order of the image, which need not be that of the disk.
//
// An image whose tables lie behind the data that they are about cannot be converted like this:
// that is Unsupported, and the message names the remedy. So are images that are encrypted, or whose
// last changes are in a log only. An image that lacks a block which its tables speak of is
// Incomplete. As with CopySparse, nil means that the image was complete and its checksum right.
//
// Less than 32 MiB of memory serve images of any size.
func ConvertSparse(ctx context.Context, r io.Reader, format Format, write ExtentFunc) (Copied, error) {
	d, f, err := openDecoder(ctx, r, format)
	if err != nil {
		return Copied{}, err
	}
	j := &joiner{d: d, f: f}
	for j.nextExtent() {
		e := &joined{j: j}
		offset := j.pos
		err := write(offset, e)
		switch {
		case j.err != nil && j.err != io.EOF:
			return j.done, j.err
		case err != nil:
			return j.done, fmt.Errorf("writing the extent at byte %d: %w", offset, err)
		case !e.ended:
			return j.done, fmt.Errorf("writing the extent at byte %d: the writer stopped at byte %d, before its end", offset, j.pos)
		}
		j.done.Extents++
	}
	j.done.Size = f.virtual
	if j.err != io.EOF {
		return j.done, j.err
	}
	return j.done, f.finish()
}

// NewRawReader makes an image raw while it is read, zeros included. It is for what can only be
// written from its beginning to its end. Beside what ConvertSparse refuses, it refuses an image
// whose blocks are not in the order of the disk.
func NewRawReader(ctx context.Context, r io.Reader, format Format) (io.Reader, error) {
	d, f, err := openDecoder(ctx, r, format)
	if err != nil {
		return nil, err
	}
	return &rawReader{d: d, f: f}, nil
}

// decoder takes an image apart.
type decoder interface {
	// open reads what comes before the data, and sets f.virtual.
	open() error
	// next returns a piece of the disk, at most a few MiB, which is valid until the next
	// call. The end is io.EOF.
	next() (offset int64, data []byte, err error)
}

func newDecoder(format Format, f *forward) decoder {
	switch format {
	case VMDK:
		return &vmdkDecoder{f: f}
	case VDI:
		return &vdiDecoder{f: f}
	case VHD:
		return &vhdDecoder{f: f}
	case VHDX:
		return &vhdxDecoder{f: f}
	case QCOW2:
		return &qcow2Decoder{f: f}
	case Raw, ISO, OVA:
	}
	return nil
}

func openDecoder(ctx context.Context, r io.Reader, format Format) (decoder, *forward, error) {
	f := newForward(ctx, r, format)
	d := newDecoder(format, f)
	if d == nil {
		return nil, nil, errorf(Unsupported, "images of the format %s cannot be converted", format)
	}
	if err := d.open(); err != nil {
		return nil, nil, err
	}
	return d, f, nil
}

// joiner makes extents of the pieces of a decoder. At pos the disk goes on with data.
type joiner struct {
	d    decoder
	f    *forward
	done Copied

	pos  int64
	data []byte // a run of blocks that are not zero
	high int64  // nothing was passed on from here on

	at   int64  // where rest is
	rest []byte // not looked at yet
	err  error  // of the decoder, sticky; io.EOF is the regular end
}

// look moves on to the next blocks that are not zero; false: there are none.
func (j *joiner) look() (at int64, data []byte, ok bool) {
	for j.err == nil {
		for len(j.rest) > 0 {
			n := min(int64(len(j.rest)), blockSize-j.at%blockSize)
			at, data = j.at, j.rest[:n]
			j.at, j.rest = j.at+n, j.rest[n:]
			if !isZero(data) {
				return at, data, true
			}
		}
		j.at, j.rest, j.err = j.d.next()
		if j.err != nil {
			j.rest = nil
			break
		}
		if j.at < 0 || j.at > j.f.virtual || int64(len(j.rest)) > j.f.virtual-j.at {
			j.err = errorf(Damaged, "the image has data behind the end of the disk")
		}
	}
	return 0, nil, false
}

func (j *joiner) nextExtent() bool {
	if len(j.data) > 0 {
		return true // looked at already: it did not belong to the extent before
	}
	at, data, ok := j.look()
	j.pos, j.data = at, data
	return ok
}

// joined reads from the joiner up to the next hole.
type joined struct {
	j     *joiner
	zeros int64 // up to where data begins
	ended bool
}

func (e *joined) Read(p []byte) (int, error) {
	j := e.j
	if e.ended {
		return 0, io.EOF
	}
	if len(j.data) == 0 {
		at, data, ok := j.look()
		if !ok {
			if j.err != io.EOF {
				return 0, j.err
			}
			e.ended = true
			return 0, io.EOF
		}
		j.data = data
		// Zeros may be written only where no data can be by now.
		if hole := at - j.pos; hole < 0 || hole > 0 && (hole >= minHole || j.pos < j.high) {
			j.pos, e.ended = at, true
			return 0, io.EOF
		}
		e.zeros = at - j.pos
	}
	var n int
	if e.zeros > 0 {
		n = copy(p, zeros[:min(e.zeros, int64(len(zeros)))])
		e.zeros -= int64(n)
	} else {
		n = copy(p, j.data)
		j.data = j.data[n:]
	}
	j.pos += int64(n)
	j.high = max(j.high, j.pos)
	j.done.Data += int64(n)
	return n, nil
}

// rawReader is the whole disk.
type rawReader struct {
	d    decoder
	f    *forward
	pos  int64
	at   int64 // of data; where it is empty, of the end
	data []byte
	last bool
	err  error
}

func (r *rawReader) Read(p []byte) (int, error) {
	for r.err == nil && len(r.data) == 0 && !r.last {
		var err error
		switch r.at, r.data, err = r.d.next(); {
		case err == io.EOF:
			r.at, r.data, r.last = r.f.virtual, nil, true
		case err != nil:
			r.err = err
		case r.at < r.pos:
			r.err = errorf(Unsupported, "the blocks of this %s image are not in the order of the disk, so it cannot be written from beginning to end while it is read; convert it with: qemu-img convert -O raw", r.f.format)
		case int64(len(r.data)) > r.f.virtual-r.at:
			r.err = errorf(Damaged, "the image has data behind the end of the disk")
		}
	}
	if r.err == nil && len(r.data) == 0 && r.pos == r.at {
		if r.err = r.f.finish(); r.err == nil {
			r.err = io.EOF
		}
	}
	if r.err != nil {
		return 0, r.err
	}
	var n int
	if gap := r.at - r.pos; gap > 0 {
		n = copy(p, zeros[:min(gap, int64(len(zeros)))])
	} else {
		n = copy(p, r.data)
		r.data = r.data[n:]
		r.at += int64(n)
	}
	r.pos += int64(n)
	return n, nil
}
