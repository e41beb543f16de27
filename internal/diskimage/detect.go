package diskimage

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"math"
	"strings"
)

// Format is the format of an image, as found in its content; names as qemu-img
// and Terraform users know them.
type Format string

// The formats.
const (
	Raw   Format = "raw"
	QCOW2 Format = "qcow2"
	VMDK  Format = "vmdk"
	VDI   Format = "vdi"
	VHD   Format = "vhd" // qemu-img calls it vpc
	VHDX  Format = "vhdx"
	ISO   Format = "iso"
	OVA   Format = "ova"
)

// Header is what the beginning of an image tells about it.
type Header struct {
	Format Format
	// Subformat is createType for VMDK (monolithicSparse, streamOptimized),
	// empty otherwise.
	Subformat string
	// VirtualSize is the size in bytes of the disk that the guest sees;
	// -1: not known from the header (raw, OVA).
	VirtualSize int64
	// Encrypted images need a secret before a guest can use them.
	Encrypted bool

	// end is the least length of a complete image, as far as the header tells.
	end int64
	// need is how much of the image would have to be seen to tell more.
	need int
}

const (
	// headBytes is the part of an image that Open looks at first; the
	// descriptor of an ISO ends at 34 KiB.
	headBytes = 64 << 10
	// maxHeadBytes is as far as Open looks for the size of a VHDX.
	maxHeadBytes = 8 << 20
)

// Detect tells the format of an image by its first bytes; 64 KiB are enough
// for all formats, a VHDX says its size only after 2 to 8 MiB. What it does not
// know is Raw. An image that cannot be used by itself (it has a backing file,
// is one of several pieces, an archive, a web page) is an error of kind
// Unsupported, an impossible header one of kind Damaged.
func Detect(head []byte) (Header, error) {
	h, err := detect(head)
	h.end, h.need = 0, 0
	return h, err
}

func detect(p []byte) (Header, error) {
	for _, f := range []struct {
		at    int
		magic string
		read  func([]byte) (Header, error)
	}{
		{0, "QFI\xfb", readQCOW2},
		{0, "KDMV", readVMDK},
		{0, "vhdxfile", readVHDX},
		{0, "conectix", readVHD},
		{64, "\x7f\x10\xda\xbe", readVDI},
		{257, "ustar", readTar},
		{32769, "CD001", readISO},
	} {
		if has(p, f.at, f.magic) {
			h, err := f.read(p)
			if err != nil {
				return Header{}, err
			}
			return h, nil
		}
	}
	if err := notAnImage(p); err != nil {
		return Header{}, err
	}
	return Header{Format: Raw, VirtualSize: -1, Encrypted: has(p, 0, "LUKS\xba\xbe")}, nil
}

func has(p []byte, at int, magic string) bool {
	return len(p) >= at+len(magic) && string(p[at:at+len(magic)]) == magic
}

// notAnImage recognises what people upload by mistake. Without it, all of this
// would pass for a raw disk that does not boot.
func notAnImage(p []byte) error {
	if len(p) == 0 {
		return errorf(Damaged, "it is empty")
	}
	text := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(p[:min(len(p), 256)]), "\xef\xbb\xbf")))
	switch {
	case strings.HasPrefix(text, "# disk descriptorfile"):
		return errorf(Unsupported, "this VMDK is only the descriptor of a disk, its data lies in other files (such as NAME-flat.vmdk or NAME-s001.vmdk); make one file of it with: qemu-img convert -O qcow2 NAME.vmdk NAME.qcow2")
	case strings.HasPrefix(text, "<!doctype"), strings.HasPrefix(text, "<html"):
		return errorf(Unsupported, "it is a web page, not a disk image; the URL probably leads to a login or download page")
	case strings.HasPrefix(text, "<?xml"):
		return errorf(Unsupported, "it is an XML document (an OVF descriptor?), not a disk image; name the OVA or the disk itself")
	case strings.HasPrefix(text, `{"`):
		return errorf(Unsupported, "it is a JSON document, not a disk image")
	case sniffCompression(p) != None:
		return errorf(Unsupported, "it is compressed twice; take one compression away")
	}
	for _, f := range []struct{ magic, what, remedy string }{
		{"PK\x03\x04", "a ZIP archive", "unpack it first"},
		{"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
		{"Rar!\x1a\x07", "a RAR archive", "unpack it first"},
		{"\x04\x22\x4d\x18", "compressed with lz4", "compress it with gzip, xz or zstd instead"},
		{"COWD", "a VMDK of the old COWD kind", "convert it with vmkfstools or qemu-img"},
		{"QED\x00", "a QED image", "convert it with qemu-img"},
		{"WithoutFreeSpace", "a Parallels image", "convert it with qemu-img"},
		{"WithouFreSpacExt", "a Parallels image", "convert it with qemu-img"},
	} {
		if has(p, 0, f.magic) {
			return errorf(Unsupported, "it is %s; %s", f.what, f.remedy)
		}
	}
	return nil
}

func damaged(format Format, what string) error {
	return errorf(Damaged, "the %s header is damaged: %s", format, what)
}

// bytesOf converts a size in units to bytes; ok is false where that is more
// than an int64 holds.
func bytesOf(n, unit uint64) (size int64, ok bool) {
	if n > math.MaxInt64/unit {
		return 0, false
	}
	return int64(n * unit), true
}

// readTar takes a tar archive for an OVA if an OVF descriptor comes first, as
// the OVF standard demands.
func readTar(p []byte) (Header, error) {
	first, err := tar.NewReader(bytes.NewReader(p)).Next()
	if err != nil {
		return Header{}, errorf(Damaged, "the tar archive is damaged")
	}
	if !strings.HasSuffix(strings.ToLower(first.Name), ".ovf") {
		return Header{}, errorf(Unsupported, "it is a tar archive that does not begin with an OVF descriptor, so not an OVA; unpack the disk image first")
	}
	return Header{Format: OVA, VirtualSize: -1}, nil
}

// readISO reads the primary volume descriptor of ISO 9660.
func readISO(p []byte) (Header, error) {
	h := Header{Format: ISO, VirtualSize: -1}
	pvd := p[32768:]
	if len(pvd) < 132 || pvd[0] != 1 {
		return h, nil
	}
	blocks, size := binary.LittleEndian.Uint32(pvd[80:]), binary.LittleEndian.Uint16(pvd[128:])
	if blocks == 0 || size == 0 {
		return h, nil
	}
	h.VirtualSize = int64(blocks) * int64(size)
	return h, nil
}
