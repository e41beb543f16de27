package mock

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// formatVersion is the version of the state file that this package writes. 2 has
// snapshots, templates and bases, which a reader of 1 would lose.
const formatVersion = 2

// file is the state file.
type file struct {
	Version int
	Product string
	world
}

const product = "terraform-provider-virtrigaud mock"

// encoder remembers the text of what has not changed since the last time, so
// that writing one VM of a thousand costs little more than writing the bytes.
type encoder struct {
	machines map[*machine][]byte
	tasks    map[string][]byte // by id: what has ended does not change
	size     int               // that the next text will about have
}

// encode writes a world as JSON, one VM a line, without what is empty.
func (e *encoder) encode(w *world) ([]byte, error) {
	rest := *w
	rest.Machines, rest.Tasks = nil, nil
	head, err := json.Marshal(compact(reflect.ValueOf(file{Version: formatVersion, Product: product, world: rest})))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(e.size)
	out.Write(bytes.TrimSuffix(head, []byte("}")))
	out.WriteString(",\n\"Tasks\":[")
	tasks := make(map[string][]byte, len(w.Tasks))
	for i, t := range w.Tasks {
		text, ok := e.tasks[t.ID]
		if !ok {
			if text, err = json.Marshal(compact(reflect.ValueOf(t))); err != nil {
				return nil, err
			}
		}
		tasks[t.ID] = text
		if i > 0 {
			out.WriteString(",\n")
		}
		out.Write(text)
	}
	out.WriteString("],\n\"Machines\":{")
	texts := make(map[*machine][]byte, len(w.Machines))
	separator := "\n"
	for _, id := range sortedKeys(w.Machines) {
		m := w.Machines[id]
		text, ok := e.machines[m]
		if !ok {
			if text, err = json.Marshal(compact(reflect.ValueOf(*m))); err != nil {
				return nil, err
			}
		}
		texts[m] = text
		key, err := json.Marshal(id)
		if err != nil {
			return nil, err
		}
		out.WriteString(separator)
		out.Write(key)
		out.WriteByte(':')
		out.Write(text)
		separator = ",\n"
	}
	out.WriteString("}}\n")
	e.machines, e.tasks, e.size = texts, tasks, out.Len()+out.Len()/8
	return out.Bytes(), nil
}

// decode reads what encode wrote.
func decode(path string, data []byte) (*world, error) {
	if len(bytes.TrimSpace(data)) == 0 { // made by hand, to be filled
		return newWorld(0), nil
	}
	bad := func(format string, args ...any) *backends.Error {
		return backends.Errorf(backends.Invalid, "read the state file", path, format, args...)
	}
	var version struct{ Version int }
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, bad("it is damaged: %w", err).
			Advise("Restore the file from a copy, or delete it to begin with an empty mock.")
	}
	switch {
	case version.Version == 0:
		return nil, bad("it is no state file of the mock: it has no version").
			Advise("Name another file in state_file; this one was left as it is.")
	case version.Version > formatVersion:
		return nil, bad("it has version %d; this provider knows up to %d", version.Version, formatVersion).
			Advise("Upgrade the provider, or name another file in state_file.")
	}
	f := file{world: *newWorld(0)}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, bad("it is damaged: %w", err).
			Advise("Restore the file from a copy, or delete it to begin with an empty mock.")
	}
	for id, m := range f.Machines {
		if m == nil || m.ID != id {
			return nil, bad("it is damaged: VM %q is not described", id).
				Advise("Restore the file from a copy, or delete it to begin with an empty mock.")
		}
	}
	return &f.world, nil
}

// compact turns a value into maps and lists without nil pointers and zero
// fields; what is behind a pointer stays, so that decoding gives the same value.
func compact(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return t
		}
		out := map[string]any{}
		fields(v, out)
		return out
	case reflect.Pointer:
		return compact(v.Elem())
	case reflect.Map:
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = compact(it.Value())
		}
		return out
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Interface()
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = compact(v.Index(i))
		}
		return out
	default:
		return v.Interface()
	}
}

func fields(v reflect.Value, out map[string]any) {
	for i := range v.NumField() {
		f, info := v.Field(i), v.Type().Field(i)
		switch {
		case info.Anonymous:
			fields(f, out)
		case info.IsExported() && !f.IsZero():
			out[info.Name] = compact(f)
		}
	}
}
