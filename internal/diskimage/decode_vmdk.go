package diskimage

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
)

// vmdkDecoder reads a hosted sparse extent: by its grain tables, or, where it was made for a
// stream, grain after grain.
type vmdkDecoder struct {
	f      *forward
	todo   regions
	stream bool
	grain  int64 // bytes
	covers int64 // bytes of the disk that one table is about
	perGT  int64

	pos   int64 // in a stream
	last  int64 // where the last grain begins that the tables name, -1: not known
	seen  int64 // where the last grain begins that came
	ended bool  // its end marker came
	plain []byte
	zr    io.ReadCloser
}

const gdAtEnd = 0xffffffffffffffff

func (d *vmdkDecoder) open() error {
	d.todo.f = d.f
	p, err := d.f.upTo(0, headBytes)
	if err != nil {
		return err
	}
	h, err := readVMDK(p)
	if err != nil {
		return err
	}
	d.f.virtual = h.VirtualSize
	le := binary.LittleEndian
	grain, perGT := le.Uint64(p[20:]), le.Uint32(p[44:])
	gd, overhead := le.Uint64(p[56:]), le.Uint64(p[64:])
	flags, method := le.Uint32(p[8:]), le.Uint16(p[77:])
	if grain == 0 || grain > 2048 || grain&(grain-1) != 0 || overhead > 1<<40 || gd != gdAtEnd && gd > 1<<40 {
		return damaged(VMDK, "its grains are impossible")
	}
	d.grain = int64(grain) * sector
	if d.stream = flags&(1<<16) != 0; d.stream && method != 1 {
		return errorf(Unsupported, "this VMDK is compressed in an unknown way; convert it with: qemu-img convert -O qcow2")
	}
	d.pos, d.last, d.seen = int64(overhead)*sector, -1, -1
	if gd == gdAtEnd {
		if !d.stream {
			return damaged(VMDK, "its directory lies behind its data")
		}
		return nil
	}
	if perGT == 0 || perGT > 1<<16 {
		return damaged(VMDK, "its tables are impossible")
	}
	d.perGT, d.covers = int64(perGT), int64(perGT)*d.grain
	d.f.virtual = h.VirtualSize
	return d.directory(int64(gd) * sector)
}

// directory reads where the tables are. They lie before the data, for they are made with the
// image; a table by itself is small.
func (d *vmdkDecoder) directory(at int64) error {
	n := (d.f.virtual + d.covers - 1) / d.covers
	if n > maxPiece/4 {
		return errorf(Unsupported, "this VMDK is too large to be converted while it is read; convert it with: qemu-img convert -O qcow2")
	}
	p, err := d.f.at(at, int(n*4))
	if err != nil {
		return err
	}
	for i := range n {
		e := int64(binary.LittleEndian.Uint32(p[i*4:]))
		if e == 0 {
			continue
		}
		if err := d.todo.add(region{at: e * sector, n: d.perGT * 4, guest: i * d.covers, kind: table}); err != nil {
			return err
		}
	}
	if !d.stream {
		return nil
	}
	// In a stream the tables only tell what has to come.
	d.last = 0
	for {
		r, err := d.todo.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = d.table(r)
		}
		if err != nil {
			return err
		}
	}
}

func (d *vmdkDecoder) table(t region) error {
	p, err := d.f.at(t.at, int(t.n))
	if err != nil {
		return err
	}
	for i := range d.perGT {
		e := int64(binary.LittleEndian.Uint32(p[i*4:]))
		guest := t.guest + i*d.grain
		if e <= 1 || guest >= d.f.virtual { // not there, or zeros
			continue
		}
		if d.stream {
			d.last = max(d.last, e*sector)
			continue
		}
		if err := d.todo.add(region{at: e * sector, n: min(d.grain, d.f.virtual-guest), guest: guest}); err != nil {
			return err
		}
	}
	return nil
}

func (d *vmdkDecoder) next() (int64, []byte, error) {
	if d.stream {
		return d.nextGrain()
	}
	for {
		r, err := d.todo.next()
		if err != nil {
			return 0, nil, err
		}
		if r.kind == table {
			if err := d.table(r); err != nil {
				return 0, nil, err
			}
			continue
		}
		p, err := d.f.at(r.at, int(r.n))
		return r.guest, p, err
	}
}

// nextGrain reads a stream: grains, and markers before what else there is.
func (d *vmdkDecoder) nextGrain() (int64, []byte, error) {
	le := binary.LittleEndian
	for !d.ended {
		p, err := d.f.upTo(d.pos, sector)
		if err != nil {
			return 0, nil, err
		}
		if len(p) == 0 && d.last >= 0 { // some writers leave the end marker out
			break
		}
		if len(p) < sector {
			return 0, nil, d.f.cut(d.pos + sector)
		}
		value, size := le.Uint64(p), int64(le.Uint32(p[8:]))
		if size == 0 {
			kind := le.Uint32(p[12:])
			switch {
			case kind == 0:
				d.ended = true
			case kind > 3 || value > 1<<32:
				return 0, nil, errorf(Damaged, "the vmdk image has an unknown marker at byte %d", d.pos)
			}
			d.pos += sector + int64(value)*sector
			if d.ended {
				d.pos = 0
			}
			continue
		}
		at := d.pos
		if size > d.grain+d.grain/4+4096 || value > 1<<53 {
			return 0, nil, errorf(Damaged, "the vmdk image has an impossible grain at byte %d", at)
		}
		d.pos += (12 + size + sector - 1) / sector * sector
		d.seen = at
		guest := int64(value) * sector
		if d.f.tablesOnly {
			d.f.need = max(d.f.need, at+12+size)
			continue
		}
		if p, err = d.f.at(at+12, int(size)); err != nil {
			return 0, nil, err
		}
		p, err = d.inflate(p, guest)
		return guest, p, err
	}
	if d.last > 0 && d.seen < d.last {
		return 0, nil, d.f.cut(d.last + sector)
	}
	return 0, nil, io.EOF
}

func (d *vmdkDecoder) inflate(in []byte, guest int64) (p []byte, err error) {
	if d.plain == nil {
		d.plain = make([]byte, d.grain)
	}
	if guest >= d.f.virtual {
		return nil, errorf(Damaged, "the vmdk image has data behind the end of the disk")
	}
	if d.zr == nil {
		d.zr, err = zlib.NewReader(bytes.NewReader(in))
	} else {
		err = d.zr.(zlib.Resetter).Reset(bytes.NewReader(in), nil) //nolint:forcetypeassert // documented
	}
	n := 0
	if err == nil {
		n, err = io.ReadFull(d.zr, d.plain)
	}
	if err == nil { // its checksum comes behind it
		var more [1]byte
		if _, err = d.zr.Read(more[:]); err == io.EOF {
			err = nil
		}
	}
	want := min(d.grain, d.f.virtual-guest)
	if err == io.ErrUnexpectedEOF && int64(n) >= want { // the last grain may end with the disk
		err = nil
	}
	if err != nil {
		return nil, &Error{Kind: Damaged, Msg: "a grain of the vmdk image cannot be decompressed: " + err.Error(), Err: err}
	}
	return d.plain[:want], nil
}
