package vmconf

import (
	"math"
	"strconv"
	"strings"
)

// GiB is 2^30 bytes.
const GiB = 1 << 30

// ParseSize reads a size as Proxmox VE writes it: "32G", "3500M", "528K", "0T", "1.5G", "1048576".
func ParseSize(text string) (bytes int64, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, false
	}
	unit := 1.0
	switch text[len(text)-1] {
	case 'K', 'k':
		unit = 1 << 10
	case 'M', 'm':
		unit = 1 << 20
	case 'G', 'g':
		unit = 1 << 30
	case 'T', 't':
		unit = 1 << 40
	}
	if unit > 1 {
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || n*unit > math.MaxInt64/2 || math.IsNaN(n) {
		return 0, false
	}
	return int64(n * unit), true
}

// FormatSize writes a size in the largest unit of which it is a whole number.
func FormatSize(bytes int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 40, "T"}, {1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}} {
		if bytes >= u.size && bytes%u.size == 0 {
			return strconv.FormatInt(bytes/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(bytes, 10)
}

// Rational writes a number with at most places digits behind the point, without zeros at its end.
func Rational(n float64, places int) string {
	text := strconv.FormatFloat(n, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
