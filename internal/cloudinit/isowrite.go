package cloudinit

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode/utf16"
)

// The image is written here rather than by a library: the names must have lower case and
// hyphens for Linux (Rock Ridge) and for Windows (Joliet), and equal seeds must give equal bytes.
// ECMA-119, SUSP 1.12 and RRIP 1.12 describe the layout.
const (
	sector      = 2048
	volumeLabel = "cidata"

	sectorPrimary    = 16 // volume descriptors: primary, Joliet, terminator
	sectorPathTables = 19 // little and big endian; primary, then Joliet
	sectorRoot       = 23
	sectorSUSP       = 24 // what does not fit the root directory's own record
	sectorJolietRoot = 25
	sectorData       = 26

	// sectorsPadding follow the last file, as every ISO maker leaves them: what looks for
	// labels (busybox, for one) reads 68 KiB and gives up on a shorter volume.
	sectorsPadding = 150
)

// maxFile bounds one file of a seed; cloud-init and hypervisors take far less.
const maxFile = 16 << 20

var errTooLarge = errors.New("a file of the seed is larger than 16 MiB")

// isoNames are the plain ISO 9660 names, for readers that know neither extension.
var isoNames = map[string]string{
	fileUserData:      "USER_DATA.;1",
	fileMetaData:      "META_DATA.;1",
	fileVendorData:    "VENDOR_DATA.;1",
	fileNetworkConfig: "NETWORK_CONFIG.;1",
	fileInputs:        "VIRTRIGAUD.JSON;1",
}

// ISO makes the NoCloud volume: an ISO 9660 image labelled "cidata" with Rock Ridge and Joliet
// names. Equal seeds give equal bytes. Files are readable by their owner, root, only.
func ISO(s Seed) ([]byte, error) {
	files := s.files()
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(isoNames[a.name], isoNames[b.name]) })

	end := sectorData
	starts := make([]int, len(files))
	for i, f := range files {
		if len(f.data) > maxFile {
			return nil, errTooLarge
		}
		starts[i] = end
		end += sectors(len(f.data))
	}
	end += sectorsPadding
	image := make([]byte, end*sector)
	at := func(n int) []byte { return image[n*sector:] }

	writeDescriptor(at(sectorPrimary), false, end)
	writeDescriptor(at(sectorPrimary+1), true, end)
	copy(at(sectorPrimary+2), "\xffCD001\x01")
	writePathTables(at(sectorPathTables), sectorRoot)
	writePathTables(at(sectorPathTables+2), sectorJolietRoot)

	root, joliet := at(sectorRoot)[:0], at(sectorJolietRoot)[:0]
	er := suspExtension()
	copy(at(sectorSUSP), er)
	// SP marks that system use fields are present, CE says where the root's go on.
	sp := []byte{'S', 'P', 7, 1, 0xbe, 0xef, 0}
	ce := append([]byte{'C', 'E', 28, 1}, concat(both32(sectorSUSP), both32(0), both32(len(er)))...)
	root = append(root, record("\x00", sectorRoot, sector, true, concat(sp, posix(0o40555, 2), ce))...)
	root = append(root, record("\x01", sectorRoot, sector, true, posix(0o40555, 2))...)
	joliet = append(joliet, record("\x00", sectorJolietRoot, sector, true, nil)...)
	joliet = append(joliet, record("\x01", sectorJolietRoot, sector, true, nil)...)
	for i, f := range files {
		copy(at(starts[i]), f.data)
		name := concat([]byte{'N', 'M', byte(5 + len(f.name)), 1, 0}, []byte(f.name))
		root = append(root, record(isoNames[f.name], starts[i], len(f.data), false, concat(posix(0o100400, 1), name))...)
		joliet = append(joliet, record(string(ucs2(f.name)), starts[i], len(f.data), false, nil)...)
	}
	return image, nil
}

func sectors(n int) int { return (n + sector - 1) / sector }

// writeDescriptor fills a volume descriptor: the primary, or Joliet's supplementary one.
func writeDescriptor(d []byte, joliet bool, size int) {
	text := func(from, to int, s string) {
		fill, b := []byte(" "), []byte(s)
		if joliet {
			fill, b = []byte("\x00 "), ucs2(s)
		}
		for i := from; i < to; i++ {
			d[i] = fill[(i-from)%len(fill)]
		}
		copy(d[from:to], b)
	}
	kind, pathTable, root := byte(1), sectorPathTables, sectorRoot
	if joliet {
		kind, pathTable, root = 2, sectorPathTables+2, sectorJolietRoot
		copy(d[88:], "%/E") // UCS-2 level 3
	}
	d[0] = kind
	copy(d[1:], "CD001\x01")
	text(8, 40, "")
	text(40, 72, volumeLabel)
	copy(d[80:], both32(size))
	copy(d[120:], both16(1)) // volumes in the set
	copy(d[124:], both16(1))
	copy(d[128:], both16(sector))
	copy(d[132:], both32(10)) // size of a path table with only the root
	binary.LittleEndian.PutUint32(d[140:], uint32(pathTable))
	binary.BigEndian.PutUint32(d[148:], uint32(pathTable+1))
	copy(d[156:190], record("\x00", root, sector, true, nil))
	text(190, 702, "")
	for _, from := range []int{702, 739, 776} { // file identifiers: none
		text(from, from+37, "")
	}
	for _, from := range []int{813, 830} { // made, modified: fixed, so that bytes repeat
		copy(d[from:], "2020010100000000\x00")
	}
	for _, from := range []int{847, 864} { // expires, effective: not given
		copy(d[from:], "0000000000000000\x00")
	}
	d[881] = 1
}

func writePathTables(d []byte, root int) {
	d[0], d[sector] = 1, 1 // length of the root's name, which is one zero byte
	binary.LittleEndian.PutUint32(d[2:], uint32(root))
	binary.BigEndian.PutUint32(d[sector+2:], uint32(root))
	binary.LittleEndian.PutUint16(d[6:], 1)
	binary.BigEndian.PutUint16(d[sector+6:], 1)
}

// record is a directory record.
func record(name string, start, size int, dir bool, systemUse []byte) []byte {
	r := make([]byte, 33, 255)
	copy(r[2:], both32(start))
	copy(r[10:], both32(size))
	copy(r[18:], []byte{120, 1, 1, 0, 0, 0, 0}) // 2020-01-01 00:00 UTC
	if dir {
		r[25] = 2
	}
	copy(r[28:], both16(1))
	r[32] = byte(len(name))
	r = append(r, name...)
	if len(r)%2 == 1 {
		r = append(r, 0)
	}
	r = append(r, systemUse...)
	if len(r)%2 == 1 {
		r = append(r, 0)
	}
	r[0] = byte(len(r))
	return r
}

// posix is Rock Ridge's PX: mode, links, owner and group (root).
func posix(mode, links int) []byte {
	return concat([]byte{'P', 'X', 36, 1}, both32(mode), both32(links), both32(0), both32(0))
}

// suspExtension is ER, which names Rock Ridge.
func suspExtension() []byte {
	const (
		id     = "RRIP_1991A"
		about  = "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
		source = "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
	)
	e := []byte{'E', 'R', byte(8 + len(id) + len(about) + len(source)), 1, byte(len(id)), byte(len(about)), byte(len(source)), 1}
	return concat(e, []byte(id), []byte(about), []byte(source))
}

// both16 and both32 write a number in both byte orders, as the standard asks.
func both16(n int) []byte {
	return binary.BigEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, uint16(n)), uint16(n))
}

func both32(n int) []byte {
	return binary.BigEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(n)), uint32(n))
}

func ucs2(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return b
}

func concat(parts ...[]byte) []byte { return slices.Concat(parts...) }
