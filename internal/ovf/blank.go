package ovf

import "encoding/binary"

// emptyQCOW2 is an image of a disk of the given size that reads as zeros: a header, the counts of the
// few clusters that there are, and a table that names none.
func emptyQCOW2(size int64) []byte {
	const bits, cluster = 16, 1 << 16
	const covers = cluster / 8 * cluster // by one entry of the table
	entries := ceil(size, covers)
	clusters := 3 + ceil(entries*8, cluster)
	p := make([]byte, clusters*cluster)
	be := binary.BigEndian
	copy(p, "QFI\xfb")
	be.PutUint32(p[4:], 3)
	be.PutUint32(p[20:], bits)
	be.PutUint64(p[24:], uint64(size))    //nolint:gosec // positive
	be.PutUint32(p[36:], uint32(entries)) //nolint:gosec // at most 2^21 for the largest disk
	be.PutUint64(p[40:], 3*cluster)       // where the table is
	be.PutUint64(p[48:], cluster)         // where the table of counts is
	be.PutUint32(p[56:], 1)               // how many clusters that has
	be.PutUint32(p[96:], 4)               // counts have 16 bits
	be.PutUint32(p[100:], 104)
	be.PutUint64(p[cluster:], 2*cluster) // the counts themselves
	for i := range clusters {
		be.PutUint16(p[2*cluster+2*i:], 1)
	}
	return p
}
