package apischema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Parse takes a property string apart by a format, "pve-qm-ipconfig" or "#net-2": the parts by their own names, aliases
// resolved ("virtio=<mac>" has a "model" and a "macaddr"), booleans as "0" and "1". The error has the words of
// Proxmox VE, one line for each part that does not fit.
func (t *Table) Parse(format, value string) (map[string]string, error) {
	parts := t.parts(format)
	if parts == nil {
		return nil, fmt.Errorf("unknown format: %s", format)
	}
	return t.parse(format, parts, value, "")
}

// ParseKey is Parse for a key of a configuration: ParseKey("qemu", "net0", "virtio,bridge=vmbr0").
func (t *Table) ParseKey(kind, key, value string) (map[string]string, error) {
	p := t.ConfigKey(kind, key)
	if p == nil || t.parts(p.Format) == nil {
		return nil, fmt.Errorf("%s is no property string", key)
	}
	return t.parse(p.Format, t.parts(p.Format), value, key)
}

// parts are what a property string of a format consists of, nil where the format is none of a property string.
func (t *Table) parts(format string) map[string]*Property {
	if strings.HasPrefix(format, "#") {
		return t.inline[format]
	}
	return t.named[format].Properties
}

func (t *Table) parse(format string, schema map[string]*Property, value, path string) (map[string]string, error) {
	found, err := split(schema, value)
	if err != nil {
		return nil, err
	}
	values := make(map[string]any, len(found))
	for k, v := range found {
		values[k] = v
	}
	c := check{table: t, errs: map[string]string{}}
	c.object(path, schema, values, false)
	if len(c.errs) > 0 {
		var b strings.Builder
		b.WriteString("format error\n")
		for _, at := range slices.Sorted(maps.Keys(c.errs)) {
			fmt.Fprintf(&b, "%s: %s\n", at, c.errs[at])
		}
		return nil, errors.New(b.String())
	}
	if whole := wholes[format]; whole != nil {
		if err := whole(t, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// split takes a property string apart without a look at the values.
func split(schema map[string]*Property, value string) (map[string]string, error) {
	found := map[string]string{}
	bare := "" // the key that the value without one went to
	for part := range strings.SplitSeq(value, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		key, v, paired := strings.Cut(part, "=")
		switch {
		case paired && (key == "" || v == ""):
			return nil, complaint("missing key in comma-separated list property")
		case paired:
			if err := put(schema, found, key, v); err != nil {
				return nil, err
			}
		default:
			if bare != "" {
				return nil, duplicate(bare)
			}
			if bare = defaultKey(schema); bare == "" {
				return nil, complaint("value without key, but schema does not define a default key")
			}
			if truth(found[bare]) {
				return nil, duplicate(bare)
			}
			found[bare] = part
		}
	}
	return found, nil
}

func put(schema map[string]*Property, found map[string]string, key, v string) error {
	if _, twice := found[key]; twice {
		return duplicate(key)
	}
	p := schema[key]
	if p != nil && p.Alias != "" {
		if p.KeyAlias != "" {
			if _, twice := found[p.KeyAlias]; twice {
				return complaint("key alias '%s' is already defined", p.KeyAlias)
			}
			found[p.KeyAlias] = key
		}
		key = p.Alias
		p = schema[key]
	}
	if p != nil && p.Type == "boolean" {
		v = boolean(v)
	}
	found[key] = v
	return nil
}

func duplicate(key string) error {
	return complaint("duplicate key in comma-separated list property: %s", key)
}

func defaultKey(schema map[string]*Property) string {
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		if schema[key].DefaultKey {
			return key
		}
	}
	return ""
}

// truth is what Perl takes for true.
func truth(s string) bool { return s != "" && s != "0" }

// boolean is a word for a boolean as "0" or "1", and any other word as it is.
func boolean(s string) string {
	switch strings.ToLower(s) {
	case "1", "on", "yes", "true":
		return "1"
	case "0", "off", "no", "false":
		return "0"
	}
	return s
}
