package diskimage

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"
)

// The layout is that of VMware's "Virtual Disk Format 5.0": a header that says that the directory
// is at the end, the descriptor, grains each behind a marker, behind the grains of each table that table, then
// the directory, the header again with the place of the directory, and the mark of the end.
const (
	grainBytes    = 64 << 10
	grainsInTable = 512
	tableBytes    = grainsInTable * 4
	overheadBytes = 128 * sector // before the first grain
	capacityUnit  = 1 << 20

	markerEnd       = 0
	markerTable     = 1
	markerDirectory = 2
	markerFooter    = 3
)

// StreamOptions says how NewStreamVMDK makes a disk.
type StreamOptions struct {
	// Size of the disk in bytes, for formats that do not tell it at their beginning: Raw, ISO and fixed VHD. A content
	// of another length is Incomplete or Damaged.
	Size int64
	// Capacity is the least that a guest is to see of the disk, in bytes; zeros follow the content.
	Capacity int64
	// Name of the file, which the descriptor mentions; "disk.vmdk" where it is "".
	Name string
}

// StreamVMDK is an image as a VMDK of the kind streamOptimized, made while it is read. It is not safe for
// parallel use, but for Position.
type StreamVMDK struct {
	grains   *grainReader
	deflate  *deflater
	capacity int64

	out       bytes.Buffer // not read yet
	written   int64        // went into out
	table     []uint32     // of grains: where each is, in sectors
	at        int64        // the number of table, -1 for none
	directory []uint32
	position  atomic.Int64
	err       error // once out is empty
}

// NewStreamVMDK makes an image a streamOptimized VMDK, which is what vSphere takes in over NFC. Zeros are left out, and the rest is
// compressed. The grains come in the order of the disk; blocks of an image that are
// out of order by a few MiB are put in order, others are Unsupported with a remedy in the message, as is
// what ConvertSparse refuses. What Read answers io.EOF after was complete, and its checksum right.
//
// Less than 48 MiB of memory serve images of any size.
func NewStreamVMDK(ctx context.Context, r io.Reader, format Format, o StreamOptions) (*StreamVMDK, error) {
	g, err := newGrainReader(ctx, r, format, o.Size)
	if err != nil {
		return nil, err
	}
	v := &StreamVMDK{grains: g, deflate: newDeflater(), at: -1}
	v.capacity = (max(g.n, o.Capacity) + capacityUnit - 1) / capacityUnit * capacityUnit
	if g.n == 0 {
		return nil, errorf(Damaged, "the disk in the image has no size")
	}
	v.table = make([]uint32, grainsInTable)
	v.directory = make([]uint32, (v.capacity+grainsInTable*grainBytes-1)/(grainsInTable*grainBytes))
	v.emit(v.header(gdAtEnd))
	v.emit(v.descriptor(o.Name))
	v.pad(overheadBytes)
	return v, nil
}

// Capacity is the size of the disk in bytes, that of the image or what was asked for rounded up to a whole MiB.
func (v *StreamVMDK) Capacity() int64 { return v.capacity }

// Size is the size of the disk in the image.
func (v *StreamVMDK) Size() int64 { return v.grains.n }

// Position is how many bytes of that were passed; it may be called at any time.
func (v *StreamVMDK) Position() int64 { return v.position.Load() }

// Read reads the VMDK.
func (v *StreamVMDK) Read(p []byte) (int, error) {
	for v.out.Len() == 0 {
		if v.err != nil {
			return 0, v.err
		}
		v.err = v.step()
	}
	return v.out.Read(p)
}

// step makes the next part; io.EOF is that it was the last.
func (v *StreamVMDK) step() error {
	batch, err := v.grains.next(deflateBatch)
	if err != nil && err != io.EOF {
		return err
	}
	packed, failed := v.deflate.all(batch)
	if failed != nil {
		return failed
	}
	for i, g := range batch {
		if n := g.number / grainsInTable; n != v.at {
			v.endTable()
			v.at = n
		}
		if v.written/sector > 1<<32-1 {
			return errorf(TooLarge, "the disk does not fit into a VMDK of 2 TiB")
		}
		v.table[g.number%grainsInTable] = uint32(v.written / sector) //nolint:gosec // checked
		v.emit(packed[i])
		v.pad(sector)
		v.position.Store((g.number + 1) * grainBytes)
	}
	v.grains.release(batch)
	if err == io.EOF {
		v.end()
	}
	return err
}

// endTable puts the table behind its grains.
func (v *StreamVMDK) endTable() {
	if v.at < 0 {
		return
	}
	v.marker(markerTable, tableBytes)
	v.directory[v.at] = uint32(v.written / sector) //nolint:gosec // behind a grain whose place was checked
	v.emit(littleEndian(v.table))
	clear(v.table)
}

func (v *StreamVMDK) end() {
	v.endTable()
	directory := littleEndian(v.directory)
	v.marker(markerDirectory, len(directory))
	at := v.written / sector
	v.emit(directory)
	v.pad(sector)
	v.marker(markerFooter, sector)
	v.emit(v.header(uint64(at))) //nolint:gosec // positive
	v.marker(markerEnd, 0)
	v.position.Store(v.grains.n)
}

// marker announces n bytes of something other than a grain.
func (v *StreamVMDK) marker(kind uint32, n int) {
	p := make([]byte, sector)
	binary.LittleEndian.PutUint64(p, uint64((n+sector-1)/sector)) //nolint:gosec // positive
	binary.LittleEndian.PutUint32(p[12:], kind)
	v.emit(p)
}

func (v *StreamVMDK) emit(p []byte) {
	v.out.Write(p) // never fails
	v.written += int64(len(p))
}

// pad fills up with zeros to a multiple of n.
func (v *StreamVMDK) pad(n int64) {
	if over := v.written % n; over > 0 {
		v.emit(zeros[:n-over])
	}
}

// header is a sector with the SparseExtentHeader.
func (v *StreamVMDK) header(directory uint64) []byte {
	const newlineTest, compressed, markers = 1, 1 << 16, 1 << 17
	p := make([]byte, sector)
	le := binary.LittleEndian
	copy(p, "KDMV")
	le.PutUint32(p[4:], 3)
	le.PutUint32(p[8:], newlineTest|compressed|markers)
	le.PutUint64(p[12:], uint64(v.capacity/sector)) //nolint:gosec // positive
	le.PutUint64(p[20:], grainBytes/sector)
	le.PutUint64(p[28:], 1)  // where the descriptor is
	le.PutUint64(p[36:], 20) // and how long
	le.PutUint32(p[44:], grainsInTable)
	le.PutUint64(p[56:], directory)
	le.PutUint64(p[64:], overheadBytes/sector)
	copy(p[73:], "\n \r\n")
	le.PutUint16(p[77:], 1) // deflate
	return p
}

// descriptor is the text behind the header. The geometry is that of SCSI disks.
func (v *StreamVMDK) descriptor(name string) []byte {
	const heads, perTrack = 255, 63
	if name == "" {
		name = "disk.vmdk"
	}
	sectors := v.capacity / sector
	return fmt.Appendf(nil, `# Disk DescriptorFile
version=1
CID=%08x
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW %d SPARSE "%s"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "%d"
ddb.geometry.heads = "%d"
ddb.geometry.sectors = "%d"
ddb.virtualHWVersion = "7"
`, 0x76697274, sectors, descriptorName(name), min(sectors/(heads*perTrack)+1, 65535), heads, perTrack)
}

// descriptorName is a name as the descriptor can quote it, short enough for the room that there is.
func descriptorName(name string) string {
	clean := []rune{}
	for _, r := range name {
		if r < ' ' || r == '"' || r > '~' {
			r = '_'
		}
		clean = append(clean, r)
	}
	return string(clean[max(0, len(clean)-200):])
}

func littleEndian(entries []uint32) []byte {
	p := make([]byte, 0, 4*len(entries))
	for _, e := range entries {
		p = binary.LittleEndian.AppendUint32(p, e)
	}
	return p
}
