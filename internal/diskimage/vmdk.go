package diskimage

import (
	"encoding/binary"
	"regexp"
	"strings"
)

const sector = 512

var (
	vmdkCreateType = regexp.MustCompile(`(?m)^\s*createType\s*=\s*"([^"\r\n]*)"`)
	vmdkParentHint = regexp.MustCompile(`parentFileNameHint\s*=\s*"[^"]`)
	vmdkParentCID  = regexp.MustCompile(`(?mi)^\s*parentCID\s*=\s*([0-9a-f]+)`)
)

// readVMDK reads the header of a hosted sparse extent and the descriptor that
// lies in it.
func readVMDK(p []byte) (Header, error) {
	le := binary.LittleEndian
	if len(p) < sector {
		return Header{}, damaged(VMDK, "it is cut off")
	}
	if v := le.Uint32(p[4:]); v == 0 || v > 3 {
		return Header{}, errorf(Unsupported, "it is a VMDK of the unknown version %d", v)
	}
	virtual, ok := bytesOf(le.Uint64(p[12:]), sector)
	if !ok {
		return Header{}, damaged(VMDK, "its capacity is impossible")
	}
	if virtual == 0 { // QEMU then looks for the data in the files that the descriptor names
		return Header{}, errorf(Unsupported, "this VMDK holds no data itself; make one file of it with: qemu-img convert -O qcow2")
	}
	const compressed, markers = 1 << 16, 1 << 17
	h := Header{Format: VMDK, Subformat: "monolithicSparse", VirtualSize: virtual}
	if le.Uint32(p[8:])&(compressed|markers) == compressed|markers {
		h.Subformat = "streamOptimized"
	}
	at, n := le.Uint64(p[28:]), le.Uint64(p[36:])
	// The pieces of a split disk have no descriptor, or an empty one.
	piece := errorf(Unsupported, "this VMDK is one piece of a disk that is split into several files; make one file of it with: qemu-img convert -O qcow2, given the descriptor")
	if at == 0 || n == 0 {
		return Header{}, piece
	}
	if text := p[sector:min(len(p), 21*sector)]; vmdkParentHint.Match(text) { // where QEMU looks, whatever the header says
		return Header{}, errorf(Unsupported, "this VMDK holds only the differences to its parent disk (a snapshot or a linked clone); make it complete with: qemu-img convert -O qcow2")
	}
	if total := uint64(len(p)) / sector; at < total {
		// The descriptor is a few hundred bytes; it is padded with zeros.
		text, _, _ := strings.Cut(string(p[at*sector:min(at+min(n, total), total)*sector]), "\x00")
		if m := vmdkParentCID.FindStringSubmatch(text); m != nil && !strings.EqualFold(m[1], "ffffffff") {
			return Header{}, errorf(Unsupported, "this VMDK holds only the differences to its parent disk (a snapshot or a linked clone); make it complete with: qemu-img convert -O qcow2")
		}
		m := vmdkCreateType.FindStringSubmatch(text)
		switch {
		case m == nil:
			return Header{}, piece
		case m[1] != "monolithicSparse" && m[1] != "streamOptimized":
			return Header{}, errorf(Unsupported, "this VMDK is of the type %q, which is not one file with all data; make one of it with: qemu-img convert -O qcow2", m[1])
		}
		h.Subformat = m[1]
	}
	return h, nil
}
