package proxmox

import (
	"cmp"
	"maps"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// value is what p points to, or zero.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// orElse is what p points to, or v.
func orElse[T any](p *T, v T) T {
	if p != nil {
		return *p
	}
	return v
}

// changed reports whether to asks for another value than the VM has.
func changed[T comparable](from, to *T) bool { return to != nil && (from == nil || *from != *to) }

// invalid is a refusal of a value, which blames an attribute.
func invalid(path backends.Path, format string, args ...any) error {
	return backends.Errorf(backends.Invalid, "", "", format, args...).At(path)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
