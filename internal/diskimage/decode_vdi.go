package diskimage

import "encoding/binary"

// vdiDecoder follows the block map of a VirtualBox image.
type vdiDecoder struct {
	f    *forward
	todo regions
}

func (d *vdiDecoder) open() error {
	d.todo.f = d.f
	p, err := d.f.at(0, 512)
	if err != nil {
		return err
	}
	h, err := readVDI(p)
	if err != nil {
		return err
	}
	d.f.virtual = h.VirtualSize
	le := binary.LittleEndian
	maps, base := int64(le.Uint32(p[0x154:])), int64(le.Uint32(p[0x158:]))
	block, extra, blocks := int64(le.Uint32(p[0x178:])), int64(le.Uint32(p[0x17c:])), int64(le.Uint32(p[0x180:]))
	if block < sector || block > 1<<30 || block%sector != 0 || blocks*block < h.VirtualSize || maps < 512 {
		return damaged(VDI, "its block map is impossible")
	}
	for i := int64(0); i < blocks; {
		n := min(blocks-i, maxPiece/4)
		p, err := d.f.at(maps+i*4, int(n*4))
		if err != nil {
			return err
		}
		for k := range n {
			guest := (i + k) * block
			e := le.Uint32(p[k*4:])
			if e >= 0xfffffffe || guest >= h.VirtualSize { // not there, or discarded
				continue
			}
			r := region{at: base + int64(e)*(block+extra) + extra, n: min(block, h.VirtualSize-guest), guest: guest}
			d.f.need = max(d.f.need, r.at+block) // also of the last one, which the disk may not fill
			if err := d.todo.add(r); err != nil {
				return err
			}
		}
		i += n
	}
	return nil
}

func (d *vdiDecoder) next() (int64, []byte, error) { return d.todo.piece() }
