package libvirt

import (
	"slices"
	"strconv"
	"strings"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// units are libvirt's, for memory; without one a number counts KiB.
var units = map[string]uint64{
	"":  1 << 10,
	"b": 1, "bytes": 1,
	"k": 1 << 10, "KiB": 1 << 10, "KB": 1e3,
	"M": 1 << 20, "MiB": 1 << 20, "MB": 1e6,
	"G": 1 << 30, "GiB": 1 << 30, "GB": 1e9,
	"T": 1 << 40, "TiB": 1 << 40, "TB": 1e12,
}

// mebibytes converts to whole MiB, rounded down.
func mebibytes(value uint64, unit string) int64 {
	size, ok := units[unit]
	if !ok {
		size = 1 << 10
	}
	const most = 1 << 62
	if value > most/size {
		return most / mib
	}
	return int64(value * size / mib)
}

// gibibytes is a disk's size as specs count it: whole GiB, rounded down, at least 1.
func gibibytes(bytes uint64) int64 {
	return max(1, int64(min(bytes, 1<<62)/gib))
}

// sameCPUSet reports whether two lists such as "0-3,8" and "0,1,2,3,8" mean the same.
func sameCPUSet(a, b string) bool {
	as, okA := parseCPUSet(a)
	bs, okB := parseCPUSet(b)
	return okA && okB && slices.Equal(as, bs)
}

// parseCPUSet returns the sorted numbers of a list; "^4" takes one away.
func parseCPUSet(s string) ([]int, bool) {
	const most = 4096
	in := map[int]bool{}
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		number, exclude := strings.CutPrefix(part, "^")
		from, to, isRange := strings.Cut(number, "-")
		if !isRange {
			to = from
		}
		lo, err1 := strconv.Atoi(strings.TrimSpace(from))
		hi, err2 := strconv.Atoi(strings.TrimSpace(to))
		if err1 != nil || err2 != nil || lo < 0 || hi < lo || hi > most || exclude && isRange {
			return nil, false
		}
		for n := lo; n <= hi; n++ {
			in[n] = !exclude
		}
	}
	var all []int
	for n, ok := range in {
		if ok {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, len(all) > 0
}
