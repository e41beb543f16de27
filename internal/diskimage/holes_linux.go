package diskimage

import (
	"os"

	"golang.org/x/sys/unix"
)

// nextData returns where the first data at or after pos begins and where the
// hole after it begins, both at most size. Where the file system cannot tell,
// all is data.
func nextData(f *os.File, pos, size int64) (data, hole int64) {
	fd := int(f.Fd())
	data, err := unix.Seek(fd, pos, unix.SEEK_DATA)
	if err == unix.ENXIO {
		return size, size // nothing but a hole up to the end
	}
	if err != nil {
		return pos, size
	}
	hole, err = unix.Seek(fd, data, unix.SEEK_HOLE)
	if err != nil {
		hole = size
	}
	return min(data, size), min(hole, size)
}
