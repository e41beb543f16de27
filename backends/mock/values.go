package mock

import (
	"reflect"
	"time"
)

// clone copies v and all that it points to, so that nobody shares memory with
// the mock's world.
func clone[T any](v T) T {
	return copyOf(reflect.ValueOf(&v).Elem()).Interface().(T)
}

func copyOf(v reflect.Value) reflect.Value {
	if v.Type() == timeType {
		return v
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(copyOf(v.Elem()))
		return p
	case reflect.Struct:
		s := reflect.New(v.Type()).Elem()
		s.Set(v)
		copyFields(s, v)
		return s
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		m := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			m.SetMapIndex(it.Key(), copyOf(it.Value()))
		}
		return m
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		s := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			s.Index(i).Set(copyOf(v.Index(i)))
		}
		return s
	default:
		return v
	}
}

func copyFields(dst, src reflect.Value) {
	for i := range src.NumField() {
		switch {
		case src.Type().Field(i).Anonymous: // perhaps of a type that is not exported, whose fields are
			copyFields(dst.Field(i), src.Field(i))
		case holdsReferences(src.Field(i).Kind()):
			dst.Field(i).Set(copyOf(src.Field(i)))
		}
	}
}

var timeType = reflect.TypeFor[time.Time]()

func holdsReferences(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Struct || k == reflect.Map || k == reflect.Slice
}

// overlay returns base with all that top asks for: pointers, slices and maps
// that are not nil and texts that are not empty. Structs are overlaid field by
// field, whatever is below a pointer or a map is taken whole.
func overlay[T any](base, top T) T {
	out := clone(base)
	overlayInto(reflect.ValueOf(&out).Elem(), reflect.ValueOf(clone(top)))
	return out
}

func overlayInto(dst, src reflect.Value) {
	if src.Kind() == reflect.Struct {
		for i := range src.NumField() {
			overlayInto(dst.Field(i), src.Field(i))
		}
		return
	}
	if !src.IsZero() || src.Kind() == reflect.Slice && !src.IsNil() {
		dst.Set(src)
	}
}

// or returns a pointer to what p points to, or else to value.
func or[T any](p *T, value T) *T {
	if p == nil {
		return &value
	}
	return p
}

// value is what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// some returns a pointer to v, or nil for the zero value.
func some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
