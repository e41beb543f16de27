package vcsim

import (
	"reflect"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// update changes an object with its lock held, and tells those who wait for
// updates each property that has changed. The simulator's AutoUpdate tells the
// outermost only ("guest" and not "guest.ipAddress").
func update(ctx *simulator.Context, obj mo.Reference, change func()) {
	ctx.WithLock(obj, func() {
		now := managed(obj)
		before := deepCopy(now)
		change()
		var changes []types.PropertyChange
		differences("", before, now, &changes)
		if len(changes) > 0 {
			ctx.Update(obj, changes)
		}
	})
}

// managed returns the properties of an object of the simulator's.
func managed(obj mo.Reference) reflect.Value {
	v := reflect.ValueOf(obj).Elem()
	for !strings.HasSuffix(v.Type().PkgPath(), "/vim25/mo") {
		v = reflect.Indirect(v.Field(0))
	}
	return v
}

var timeType = reflect.TypeFor[time.Time]()

// differences lists the properties of a structure that are not as before.
func differences(path string, before, now reflect.Value, changes *[]types.PropertyChange) {
	for i := range now.NumField() {
		f := now.Type().Field(i)
		was, is := before.Field(i), now.Field(i)
		if f.Anonymous {
			differences(path, was, is, changes)
			continue
		}
		name := propertyName(f)
		if name == "" || f.Name == "Self" || reflect.DeepEqual(was.Interface(), is.Interface()) {
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		differ(name, was, is, changes)
	}
}

// differ lists a property that has changed, or those within it.
func differ(name string, was, is reflect.Value, changes *[]types.PropertyChange) {
	structure := is.Type()
	pointer := structure.Kind() == reflect.Pointer
	if pointer {
		structure = structure.Elem()
	}
	deep := structure.Kind() == reflect.Struct && structure != timeType && structure != reflect.TypeFor[types.ManagedObjectReference]()
	switch {
	case deep && !pointer:
		differences(name, was, is, changes)
	case deep && !was.IsNil() && !is.IsNil():
		differences(name, was.Elem(), is.Elem(), changes)
	case (pointer || is.Kind() == reflect.Slice || is.Kind() == reflect.Interface) && is.IsNil():
		*changes = append(*changes, types.PropertyChange{Name: name})
	default:
		if pointer {
			is = is.Elem()
		}
		*changes = append(*changes, types.PropertyChange{Name: name, Val: is.Interface()})
		if deep {
			differences(name, reflect.Zero(structure), is, changes)
		}
	}
}

// propertyName returns the API's name of a field.
func propertyName(f reflect.StructField) string {
	for _, tag := range []string{"json", "xml"} {
		if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" {
			return name
		}
	}
	return ""
}
