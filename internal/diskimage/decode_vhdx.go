package diskimage

import (
	"bytes"
	"encoding/binary"
)

// vhdxDecoder follows the block table of a Hyper-V image.
type vhdxDecoder struct {
	f    *forward
	todo regions

	log [16]byte // names the log that has to be replayed, zero: none
}

const (
	vhdxBATRegion   = "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08"
	vhdxLogicalSize = "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f"
	// maxVHDXTable is as much of a block table as is kept where it comes before what explains it.
	maxVHDXTable = 4 << 20
)

// vhdxLayout is what the metadata say.
type vhdxLayout struct {
	block   int64
	virtual int64
	ratio   int64 // of data blocks to bitmap blocks, which take turns in the table
}

func (d *vhdxDecoder) open() error {
	d.todo.f = d.f
	if err := d.headers(); err != nil {
		return err
	}
	p, err := d.f.at(192<<10, 64<<10)
	if err != nil {
		return err
	}
	if !has(p, 0, "regi") {
		return damaged(VHDX, "it has no region table")
	}
	type extent struct{ at, n int64 }
	var bat, meta extent
	le := binary.LittleEndian
	for i := range min(int(le.Uint32(p[8:])&0xffff), 2047) {
		e := p[16+i*32:]
		x := extent{int64(le.Uint64(e[16:]) & (1<<62 - 1)), int64(le.Uint32(e[24:]))}
		switch {
		case has(e, 0, vhdxBATRegion):
			bat = x
		case has(e, 0, vhdxMetadataRegion):
			meta = x
		}
	}
	if bat.at < 1<<20 || meta.at < 1<<20 || bat.n%8 != 0 {
		return damaged(VHDX, "it has no block table or no metadata")
	}
	var early []byte
	if bat.at < meta.at {
		if bat.n > maxVHDXTable {
			return d.f.backward()
		}
		if p, err = d.f.at(bat.at, int(bat.n)); err != nil {
			return err
		}
		early = bytes.Clone(p)
	}
	// Items lie behind a table of 64 KiB.
	if p, err = d.f.upTo(meta.at, int(min(max(meta.n, 68<<10), 1<<20))); err != nil {
		return err
	}
	layout, err := readVHDXLayout(p)
	if err != nil {
		return err
	}
	d.f.virtual = layout.virtual
	if entries := layout.entries(); bat.n/8 < entries {
		return damaged(VHDX, "its block table is too short")
	}
	if early != nil {
		return d.table(layout, 0, early[:min(int64(len(early)), layout.entries()*8)])
	}
	for i := int64(0); i < layout.entries(); {
		n := min(layout.entries()-i, maxPiece/8)
		if p, err = d.f.at(bat.at+i*8, int(n*8)); err != nil {
			return err
		}
		if err := d.table(layout, i, p); err != nil {
			return err
		}
		i += n
	}
	return nil
}

// headers looks at the two headers, of which the newer one counts, and at the log.
func (d *vhdxDecoder) headers() error {
	p, err := d.f.at(0, 192<<10)
	if err != nil {
		return err
	}
	if !has(p, 0, "vhdxfile") {
		return damaged(VHDX, "it does not begin like one")
	}
	le := binary.LittleEndian
	var newest []byte
	for _, at := range []int{64 << 10, 128 << 10} {
		h := p[at:]
		if has(h, 0, "head") && (newest == nil || le.Uint64(h[8:]) > le.Uint64(newest[8:])) {
			newest = h
		}
	}
	if newest == nil {
		return damaged(VHDX, "it has no header")
	}
	copy(d.log[:], newest[48:64])
	if d.log == [16]byte{} {
		return nil
	}
	n, at := int64(le.Uint32(newest[68:])), int64(le.Uint64(newest[72:])&(1<<62-1))
	for off := int64(0); off < n; off += 4096 {
		e, err := d.f.at(at+off, 64)
		if err != nil {
			return err
		}
		if has(e, 0, "loge") && bytes.Equal(e[32:48], d.log[:]) {
			return errorf(Unsupported, "this vhdx image was not closed properly: its last changes are in its log only; open and close it once with Hyper-V, or repair it with: qemu-img check -r all")
		}
	}
	return nil
}

func readVHDXLayout(meta []byte) (vhdxLayout, error) {
	var l vhdxLayout
	le := binary.LittleEndian
	if !has(meta, 0, "metadata") || len(meta) < 64<<10 {
		return l, damaged(VHDX, "it has no metadata")
	}
	logical := int64(0)
	for i := range min(int(le.Uint16(meta[10:])), 2047) {
		e := meta[32+i*32:]
		item := uint64(le.Uint32(e[16:]))
		if item > uint64(len(meta))-8 {
			continue
		}
		switch {
		case has(e, 0, vhdxFileParameters):
			l.block = int64(le.Uint32(meta[item:]))
			if le.Uint32(meta[item+4:])&2 != 0 {
				return l, errorf(Unsupported, "this VHDX holds only the differences to its parent disk; make it complete with: qemu-img convert -O qcow2")
			}
		case has(e, 0, vhdxVirtualSize):
			size, ok := bytesOf(le.Uint64(meta[item:]), 1)
			if !ok {
				return l, damaged(VHDX, "its size is impossible")
			}
			l.virtual = size
		case has(e, 0, vhdxLogicalSize):
			logical = int64(le.Uint32(meta[item:]))
		}
	}
	if l.block < 1<<20 || l.block > 256<<20 || l.block&(l.block-1) != 0 || logical != 512 && logical != 4096 || l.virtual > 64<<40 {
		return l, damaged(VHDX, "its metadata are impossible")
	}
	l.ratio = (1 << 23) * logical / l.block
	return l, nil
}

// entries is how long the block table is: behind every ratio data blocks there is a bitmap's.
func (l vhdxLayout) entries() int64 {
	blocks := (l.virtual + l.block - 1) / l.block
	if blocks == 0 {
		return 0
	}
	return blocks + (blocks-1)/l.ratio
}

// table takes the entries of p, of which the first is number first.
func (d *vhdxDecoder) table(l vhdxLayout, first int64, p []byte) error {
	le := binary.LittleEndian
	for k := range int64(len(p) / 8) {
		i := first + k
		if i%(l.ratio+1) == l.ratio {
			continue // a bitmap, which only differences have
		}
		e := le.Uint64(p[k*8:])
		guest := (i - i/(l.ratio+1)) * l.block
		switch e & 7 {
		case 6:
			at := e >> 20
			if at > 1<<42 {
				return damaged(VHDX, "its block table is impossible")
			}
			r := region{at: int64(at << 20), n: min(l.block, l.virtual-guest), guest: guest}
			d.f.need = max(d.f.need, r.at+l.block) // also of the last one, which the disk may not fill
			if err := d.todo.add(r); err != nil {
				return err
			}
		case 7:
			return errorf(Unsupported, "this VHDX holds only the differences to its parent disk; make it complete with: qemu-img convert -O qcow2")
		}
	}
	return nil
}

func (d *vhdxDecoder) next() (int64, []byte, error) { return d.todo.piece() }
