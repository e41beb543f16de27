package ovf

import (
	"math"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// units are the words of the early versions; later ones write "byte * 2^20".
var units = map[string]int64{
	"byte": 1, "bytes": 1, "b": 1,
	"kilobyte": 1 << 10, "kilobytes": 1 << 10, "kb": 1 << 10, "kib": 1 << 10,
	"megabyte": 1 << 20, "megabytes": 1 << 20, "mb": 1 << 20, "mib": 1 << 20,
	"gigabyte": 1 << 30, "gigabytes": 1 << 30, "gb": 1 << 30, "gib": 1 << 30,
	"terabyte": 1 << 40, "terabytes": 1 << 40, "tb": 1 << 40, "tib": 1 << 40,
}

// unit reads a unit; "" is the given default.
func unit(text string, otherwise int64) (int64, bool) {
	text = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(text), " ", ""))
	if text == "" {
		return otherwise, true
	}
	if u, ok := units[text]; ok {
		return u, true
	}
	base, factor, ok := strings.Cut(text, "*")
	if !ok || base != "byte" && base != "bytes" {
		return 0, false
	}
	number, power, ok := strings.Cut(factor, "^")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 {
		return 0, false
	}
	if !ok {
		return n, true
	}
	p, err := strconv.Atoi(power)
	if err != nil || p < 0 || p > 62 {
		return 0, false
	}
	u := int64(1)
	for range p {
		if u > math.MaxInt64/n {
			return 0, false
		}
		u *= n
	}
	return u, true
}

// bytesOf reads a size in a unit.
func bytesOf(what, number, unitText string, otherwise int64) (int64, error) {
	u, ok := unit(unitText, otherwise)
	if !ok {
		return 0, errorf(diskimage.Unsupported, "its OVF descriptor gives the %s in the unknown unit %q", what, unitText)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/u {
		return 0, errorf(diskimage.Damaged, "its OVF descriptor says that the %s is %q", what, number)
	}
	return n * u, nil
}

// count reads a small number; "" and what is none is 0.
func count(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
