package diskimage

import (
	"encoding/binary"
	"io"
)

// vhdDecoder reads a Virtual PC image: a dynamic one by its block table, a fixed one,
// which is raw but for its last sector, as it is.
type vhdDecoder struct {
	f     *forward
	todo  regions
	fixed bool
	pos   int64
}

func (d *vhdDecoder) open() error {
	d.todo.f = d.f
	p, err := d.f.at(0, vhdFooterBytes)
	if err != nil {
		return err
	}
	if d.fixed = !has(p, 0, "conectix"); d.fixed {
		return d.openFixed()
	}
	h, err := readVHD(p)
	if err != nil {
		return err
	}
	be := binary.BigEndian
	d.f.virtual = h.VirtualSize
	if be.Uint32(p[60:]) != 3 {
		return damaged(VHD, "it is not a dynamic image")
	}
	at := be.Uint64(p[16:])
	if at > 1<<30 {
		return damaged(VHD, "its second header is too far away")
	}
	if p, err = d.f.at(int64(at), 1024); err != nil {
		return err
	}
	if !has(p, 0, "cxsparse") {
		return damaged(VHD, "it has no second header")
	}
	tableAt, entries, block := be.Uint64(p[16:]), int64(be.Uint32(p[28:])), int64(be.Uint32(p[32:]))
	if block < sector || block > 1<<28 || block&(block-1) != 0 || tableAt > 1<<40 || entries*block < h.VirtualSize {
		return damaged(VHD, "its block table is impossible")
	}
	bitmap := (block/sector/8 + sector - 1) / sector * sector
	for i := int64(0); i < entries; {
		n := min(entries-i, maxPiece/4)
		p, err := d.f.at(int64(tableAt)+i*4, int(n*4))
		if err != nil {
			return err
		}
		for k := range n {
			guest, e := (i+k)*block, be.Uint32(p[k*4:])
			if e == 0xffffffff || guest >= h.VirtualSize {
				continue
			}
			r := region{at: int64(e)*sector + bitmap, n: min(block, h.VirtualSize-guest), guest: guest}
			if err := d.todo.add(r); err != nil {
				return err
			}
		}
		i += n
	}
	return nil
}

// openFixed reads such an image ahead as far as is needed to tell where its last sector is. Its
// size is known only at its end.
func (d *vhdDecoder) openFixed() error {
	d.f.virtual = 1<<63 - 1
	return nil
}

func (d *vhdDecoder) next() (int64, []byte, error) {
	if d.fixed {
		return d.nextFixed()
	}
	at, p, err := d.todo.piece()
	if err != io.EOF {
		return at, p, err
	}
	// A copy of the first sector ends the image.
	if err := d.f.finish(); err != nil {
		return 0, nil, err
	}
	if !has(d.f.tail(vhdFooterBytes), 0, "conectix") {
		return 0, nil, errorf(Incomplete, "the vhd image is cut short: its last sector is missing")
	}
	return 0, nil, io.EOF
}

func (d *vhdDecoder) nextFixed() (int64, []byte, error) {
	p, err := d.f.upTo(d.pos, chunkSize+vhdFooterBytes)
	if err != nil {
		return 0, nil, err
	}
	at := d.pos
	if len(p) == chunkSize+vhdFooterBytes {
		d.pos += chunkSize
		return at, p[:chunkSize], nil
	}
	n := len(p) - vhdFooterBytes
	if n < 0 || !has(p, n, "conectix") {
		return 0, nil, errorf(Incomplete, "the vhd image is cut short: its last sector is missing")
	}
	size, ok := bytesOf(binary.BigEndian.Uint64(p[n+48:]), 1)
	if !ok || size > at+int64(n) {
		return 0, nil, errorf(Incomplete, "the vhd image is cut short: it has %d bytes, its last sector speaks of %d", at+int64(n), size)
	}
	if d.f.virtual = size; n == 0 || at >= size {
		return 0, nil, io.EOF
	}
	n = int(min(int64(n), size-at))
	d.pos += int64(n)
	if d.pos < size {
		return at, p[:n], nil
	}
	d.pos = size
	return at, p[:n], nil
}
