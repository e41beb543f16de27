package diskimage

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
)

// qcow2Decoder follows the two levels of tables of a qcow2 image.
type qcow2Decoder struct {
	f       *forward
	todo    regions
	cluster int64
	bits    uint
	zstd    bool
	plain   []byte // a cluster, decompressed
	inflate io.ReadCloser
	zreader *zstd.Decoder
}

const (
	qcow2Offset     = 0x00fffffffffffe00
	qcow2Compressed = 1 << 62
)

func (d *qcow2Decoder) open() error {
	d.todo.f = d.f
	p, err := d.f.upTo(0, 512)
	if err != nil {
		return err
	}
	h, err := readQCOW2(p)
	if err != nil {
		return err
	}
	be := binary.BigEndian
	d.f.virtual = h.VirtualSize
	d.bits = uint(be.Uint32(p[20:]))
	d.cluster = 1 << d.bits
	unsupported := func(what string) error {
		return errorf(Unsupported, "this qcow2 image %s, so it cannot be converted while it is read; convert it with: qemu-img convert -O raw", what)
	}
	switch {
	case h.Encrypted:
		return unsupported("is encrypted")
	case d.cluster > maxPiece/2:
		return unsupported("has clusters of more than 2 MiB")
	}
	if be.Uint32(p[4:]) == 3 {
		if be.Uint64(p[72:])&(1<<4) != 0 {
			return unsupported("has extended table entries")
		}
		if be.Uint64(p[72:])&(1<<3) != 0 {
			if len(p) < 105 || p[104] != 1 {
				return unsupported("is compressed in an unknown way")
			}
			d.zstd = true
		}
	}
	at, entries := int64(be.Uint64(p[40:])), int64(be.Uint32(p[36:]))
	covers := d.cluster / 8 * d.cluster // by one table
	if need := (h.VirtualSize + covers - 1) / covers; entries < need {
		return damaged(QCOW2, "its first table is too short")
	} else { //nolint:revive // need belongs here
		entries = need
	}
	for i := int64(0); i < entries; {
		n := min(entries-i, maxPiece/8)
		p, err := d.f.at(at+i*8, int(n*8))
		if err != nil {
			return err
		}
		for k := range n {
			l2 := int64(be.Uint64(p[k*8:]) & qcow2Offset)
			if l2 == 0 {
				continue
			}
			if err := d.todo.add(region{at: l2, n: d.cluster, guest: (i + k) * covers, kind: table}); err != nil {
				return err
			}
		}
		i += n
	}
	return nil
}

func (d *qcow2Decoder) next() (int64, []byte, error) {
	for {
		r, err := d.todo.next()
		if err != nil {
			return 0, nil, err
		}
		switch r.kind {
		case table:
			if err := d.table(r); err != nil {
				return 0, nil, err
			}
		case data:
			p, err := d.f.at(r.at, int(r.n))
			return r.guest, p, err
		default:
			p, err := d.decompress(r)
			return r.guest, p, err
		}
	}
}

// table takes the entries of one second table.
func (d *qcow2Decoder) table(t region) error {
	p, err := d.f.at(t.at, int(t.n))
	if err != nil {
		return err
	}
	shift := 62 - (d.bits - 8)
	for i := range t.n / 8 {
		e := binary.BigEndian.Uint64(p[i*8:])
		guest := t.guest + i*d.cluster
		if e == 0 || guest >= d.f.virtual {
			continue
		}
		r := region{guest: guest, n: min(d.cluster, d.f.virtual-guest)}
		switch {
		case e&qcow2Compressed != 0:
			r.at = int64(e & (1<<shift - 1))
			sectors := int64(e&(1<<62-1)>>shift) + 1
			r.n = r.at&^(sector-1) + sectors*sector - r.at
			if r.kind = deflated; d.zstd {
				r.kind = zstandard
			}
		case e&1 != 0: // zeros
			continue
		default:
			if r.at = int64(e & qcow2Offset); r.at == 0 {
				continue
			}
		}
		if err := d.todo.add(r); err != nil {
			return err
		}
	}
	return nil
}

// decompress makes one cluster of a region that is compressed. How long it is, is known only
// to the sector.
func (d *qcow2Decoder) decompress(r region) ([]byte, error) {
	in, err := d.f.upTo(r.at, int(r.n))
	if err != nil {
		return nil, err
	}
	if int64(len(in)) <= r.n-sector {
		return nil, d.f.cut(r.at + r.n - sector + 1)
	}
	if d.plain == nil {
		d.plain = make([]byte, d.cluster)
	}
	if r.kind == zstandard {
		err = d.unzstd(in)
	} else {
		err = d.undeflate(in)
	}
	if err != nil {
		return nil, &Error{Kind: Damaged, Msg: "a compressed cluster of the qcow2 image cannot be decompressed: " + err.Error(), Err: err}
	}
	return d.plain[:min(d.cluster, d.f.virtual-r.guest)], nil
}

func (d *qcow2Decoder) undeflate(in []byte) error {
	if d.inflate == nil {
		d.inflate = flate.NewReader(bytes.NewReader(in))
	} else if err := d.inflate.(flate.Resetter).Reset(bytes.NewReader(in), nil); err != nil { //nolint:forcetypeassert // documented
		return err
	}
	_, err := io.ReadFull(d.inflate, d.plain)
	return err
}

func (d *qcow2Decoder) unzstd(in []byte) (err error) {
	if d.zreader == nil {
		d.zreader, err = zstd.NewReader(bytes.NewReader(in), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	} else {
		err = d.zreader.Reset(bytes.NewReader(in))
	}
	if err == nil {
		_, err = io.ReadFull(d.zreader, d.plain)
	}
	return err
}
