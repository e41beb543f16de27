package diskimage

import "encoding/binary"

// readQCOW2 reads the header of versions 2 and 3.
func readQCOW2(p []byte) (Header, error) {
	be := binary.BigEndian
	if len(p) < 72 {
		return Header{}, damaged(QCOW2, "it is cut off")
	}
	version := be.Uint32(p[4:])
	switch {
	case version == 1:
		return Header{}, errorf(Unsupported, "it is an image of the old qcow format, not qcow2; convert it with: qemu-img convert -O qcow2")
	case version != 2 && version != 3:
		return Header{}, errorf(Unsupported, "it is qcow2 of the unknown version %d", version)
	}
	if version == 3 {
		if len(p) < 104 {
			return Header{}, damaged(QCOW2, "it is cut off")
		}
		incompatible := be.Uint64(p[72:])
		if incompatible&(1<<1) != 0 {
			return Header{}, errorf(Damaged, "the qcow2 image is marked as corrupt; try: qemu-img check -r all")
		}
		if incompatible&(1<<2) != 0 {
			return Header{}, errorf(Unsupported, "the data of this qcow2 image lies in another file; make one file of it with: qemu-img convert -O qcow2")
		}
	}
	if at := be.Uint64(p[8:]); at != 0 {
		name := "another file"
		n := uint64(be.Uint32(p[16:]))
		if n <= 1023 && at < uint64(len(p)) && n <= uint64(len(p))-at {
			name = `"` + scrub(string(p[at:at+n])) + `"`
		}
		return Header{}, errorf(Unsupported, "this qcow2 image holds only the differences to its backing file %s; make it complete with: qemu-img convert -O qcow2", name)
	}
	size := be.Uint64(p[24:])
	clusterBits := be.Uint32(p[20:])
	if clusterBits < 9 || clusterBits > 30 {
		return Header{}, damaged(QCOW2, "its cluster size is impossible")
	}
	virtual, ok := bytesOf(size, 1)
	l1, l1ok := bytesOf(be.Uint64(p[40:]), 1)
	// L1 tables of more than 32 MiB are refused by QEMU, too.
	entries := be.Uint32(p[36:])
	if !ok || !l1ok || l1 > 1<<62 || entries > 4<<20 {
		return Header{}, damaged(QCOW2, "its sizes are impossible")
	}
	h := Header{Format: QCOW2, VirtualSize: virtual, Encrypted: be.Uint32(p[32:]) != 0}
	if entries > 0 {
		h.end = l1 + int64(entries)*8
	}
	return h, nil
}
