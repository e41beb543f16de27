package diskimage

import "encoding/binary"

// readVDI reads the header of a VirtualBox image.
func readVDI(p []byte) (Header, error) {
	le := binary.LittleEndian
	if len(p) < 512 {
		return Header{}, damaged(VDI, "it is cut off")
	}
	switch kind := le.Uint32(p[0x4c:]); kind {
	case 1, 2: // dynamic, fixed
	case 3, 4:
		return Header{}, errorf(Unsupported, "this VDI holds only the differences to its parent disk; make it complete with: qemu-img convert -O qcow2, or by cloning it in VirtualBox")
	default:
		return Header{}, errorf(Unsupported, "it is a VDI of the unknown type %d", kind)
	}
	virtual, ok := bytesOf(le.Uint64(p[0x170:]), 1)
	if !ok {
		return Header{}, damaged(VDI, "its size is impossible")
	}
	return Header{Format: VDI, VirtualSize: virtual, end: int64(le.Uint32(p[0x158:]))}, nil
}

const vhdFooterBytes = 512

// readVHD reads the footer of a Virtual PC image. A dynamic image has a copy of
// it at the beginning, a fixed one only at the end.
func readVHD(p []byte) (Header, error) {
	be := binary.BigEndian
	if len(p) < vhdFooterBytes {
		return Header{}, damaged(VHD, "it is cut off")
	}
	switch kind := be.Uint32(p[60:]); kind {
	case 2, 3: // fixed, dynamic
	case 4:
		return Header{}, errorf(Unsupported, "this VHD holds only the differences to its parent disk; make it complete with: qemu-img convert -O qcow2")
	default:
		return Header{}, errorf(Unsupported, "it is a VHD of the unknown type %d", kind)
	}
	virtual, ok := bytesOf(be.Uint64(p[48:]), 1)
	if !ok {
		return Header{}, damaged(VHD, "its size is impossible")
	}
	return Header{Format: VHD, VirtualSize: virtual}, nil
}

// GUIDs as they lie in the file.
const (
	vhdxMetadataRegion = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"
	vhdxFileParameters = "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b"
	vhdxVirtualSize    = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8"
)

// readVHDX follows the region table, at 192 KiB, to the metadata, which hold
// the size. Where p ends too early, need says how far it should reach.
func readVHDX(p []byte) (Header, error) {
	const regionTable, tableBytes, entryBytes = 192 << 10, 64 << 10, 32
	le := binary.LittleEndian
	h := Header{Format: VHDX, VirtualSize: -1}
	if len(p) < regionTable+tableBytes {
		h.need = regionTable + tableBytes
		return h, nil
	}
	table := p[regionTable : regionTable+tableBytes]
	if !has(table, 0, "regi") {
		return Header{}, damaged(VHDX, "it has no region table")
	}
	var at uint64
	for i := range min(int(le.Uint32(table[8:])&0xffff), 2047) {
		if e := table[16+i*entryBytes:]; has(e, 0, vhdxMetadataRegion) {
			at = le.Uint64(e[16:])
			break
		}
	}
	if at < 1<<20 {
		return Header{}, damaged(VHDX, "it has no metadata")
	}
	if at > maxHeadBytes-tableBytes-4096 {
		return h, nil // legal, but too far away for a stream
	}
	// Items lie behind the table of 64 KiB; the ones of interest are the first.
	if want := int(at) + tableBytes + 4096; len(p) < want {
		h.need = want
		return h, nil
	}
	meta := p[at:]
	if !has(meta, 0, "metadata") {
		return Header{}, damaged(VHDX, "it has no metadata")
	}
	for i := range min(int(le.Uint16(meta[10:])), 2047) {
		e := meta[entryBytes+i*entryBytes:]
		item := uint64(le.Uint32(e[16:]))
		if item > uint64(len(meta))-8 {
			continue
		}
		switch {
		case has(e, 0, vhdxFileParameters):
			if le.Uint32(meta[item+4:])&2 != 0 {
				return Header{}, errorf(Unsupported, "this VHDX holds only the differences to its parent disk; make it complete with: qemu-img convert -O qcow2")
			}
		case has(e, 0, vhdxVirtualSize):
			size, ok := bytesOf(le.Uint64(meta[item:]), 1)
			if !ok {
				return Header{}, damaged(VHDX, "its size is impossible")
			}
			h.VirtualSize = size
		}
	}
	return h, nil
}
