package apischema

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Separator stands between the elements of a list parameter in Verify's result.
const Separator = "\x00"

// Split takes a list parameter of Verify's result apart.
func Split(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, Separator)
}

// Verify checks the parameters of a request, those of the path among them, in the order and words of Proxmox VE. Values
// may be what JSON has or text. out holds them in PVE's text form, the elements of a list joined with Separator;
// errs has a text by parameter where something does not fit, and is nil otherwise.
func (e *Endpoint) Verify(in map[string]any) (out map[string]string, errs map[string]string) {
	values := e.normalize(in)
	c := check{table: e.table, errs: map[string]string{}}
	c.object("", e.Parameters, values, bool(e.Additional))
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	out = make(map[string]string, len(values))
	for name, v := range values {
		if list, ok := v.([]any); ok {
			parts := make([]string, len(list))
			for i := range list {
				parts[i], _ = scalar(list[i])
			}
			out[name] = strings.Join(parts, Separator)
			continue
		}
		s, ok := scalar(v)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				continue
			}
			s = string(b)
		}
		if p := lookup(e.Parameters, name); p != nil && p.Type == "boolean" && s == "" {
			s = "0"
		}
		out[name] = s
	}
	return out, nil
}

// normalize makes lists of what is one by the schema, text of a list where the schema has a "-list" format, and
// leaves out what is null.
func (e *Endpoint) normalize(in map[string]any) map[string]any {
	values := make(map[string]any, len(in))
	for name, v := range in {
		if v == nil {
			continue
		}
		if strs, ok := v.([]string); ok {
			list := make([]any, len(strs))
			for i, s := range strs {
				list[i] = s
			}
			v = list
		}
		p := lookup(e.Parameters, name)
		list, isList := v.([]any)
		switch {
		case p == nil:
		case p.Type == "array" && !isList:
			if s, ok := scalar(v); ok {
				v = e.table.splitParam(s, p.Items)
			}
		case p.Type == "string" && isList && strings.HasSuffix(p.Format, "-list"):
			parts := make([]string, 0, len(list))
			for _, el := range list {
				s, _ := scalar(el)
				parts = append(parts, s)
			}
			v = strings.Join(parts, ",")
		}
		values[name] = v
	}
	return values
}

// splitParam makes a list of a text: repeated parameters arrive joined by NUL. What has a simple
// format is taken apart further, as a list; a property string has commas of its own.
func (t *Table) splitParam(s string, items *Property) []any {
	var parts []string
	switch {
	case strings.Contains(s, Separator):
		parts = strings.Split(s, Separator)
	case items != nil && items.Format != "" && t.parts(items.Format) == nil:
		parts = splitList(s)
	default:
		parts = []string{s}
	}
	list := make([]any, len(parts))
	for i, part := range parts {
		list[i] = part
	}
	return list
}

// check collects what is wrong with an object.
type check struct {
	table *Table
	errs  map[string]string
}

func (c *check) add(path, format string, args ...any) {
	if path == "" {
		path = "_root"
	}
	msg := fmt.Sprintf(format, args...)
	if c.errs[path] != "" {
		msg = c.errs[path] + `\n` + msg
	}
	c.errs[path] = msg
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// object checks values against their schema: first what the schema names, then what is given.
func (c *check) object(path string, schema map[string]*Property, values map[string]any, additional bool) {
	for _, name := range slices.Sorted(maps.Keys(schema)) {
		p := schema[name]
		if p.family {
			continue
		}
		v, given := values[name]
		if !given {
			if !bool(p.Optional) && p.Alias == "" && p.Type != "null" {
				c.add(join(path, name), "property is missing and it is not optional")
			}
			continue
		}
		c.value(join(path, name), p, v)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p := lookup(schema, name)
		at := join(path, name)
		if p == nil || p.otherType(values) {
			if !additional {
				c.add(at, "property is not defined in schema and the schema does not allow additional properties")
			}
			continue
		}
		if _, alone := schema[name]; !alone {
			c.value(at, p, values[name])
		}
		if _, there := values[p.Requires]; p.Requires != "" && !there {
			c.add(join(path, p.Requires), "missing property - '%s' requires this property", at)
		}
	}
}

// otherType reports whether a property is there only for things of other types than this one.
func (p *Property) otherType(values map[string]any) bool {
	kind, given := values[p.TypeProperty]
	if len(p.OnlyFor) == 0 || !given {
		return false
	}
	s, _ := scalar(kind)
	return !slices.Contains(p.OnlyFor, s)
}

// value checks one value that is there.
func (c *check) value(path string, p *Property, v any) {
	if !c.kind(path, p.Type, v) {
		return
	}
	if list, ok := v.([]any); ok {
		for i, el := range list {
			if p.Items != nil {
				c.value(path+"["+strconv.Itoa(i)+"]", p.Items, el)
			}
		}
		return
	}
	if object, ok := v.(map[string]any); ok {
		if p.Properties != nil {
			c.object(path, p.Properties, object, false)
		}
		return
	}
	s, _ := scalar(v)
	if p.Format != "" {
		if err := c.table.format(p.Format, s, path); err != nil {
			c.add(path, "invalid format - %s", err)
			return
		}
	}
	if msg := p.limits(s); msg != "" {
		c.add(path, "%s", msg)
	}
}

// limits is what is wrong with a text by pattern, length, bounds and enumeration, "" for nothing.
func (p *Property) limits(s string) string {
	if p.Pattern != "" && !perl(p.Pattern).MatchString(s) {
		return "value does not match the regex pattern"
	}
	length := utf8.RuneCountInString(s)
	if p.MaxLength != nil && length > *p.MaxLength {
		return fmt.Sprintf("value may only be %d characters long", *p.MaxLength)
	}
	if p.MinLength != nil && length < *p.MinLength {
		return fmt.Sprintf("value must be at least %d characters long", *p.MinLength)
	}
	if n, err := strconv.ParseFloat(s, 64); number.MatchString(s) && (err == nil || math.IsInf(n, 0)) {
		if limit, err := bound(p.Maximum); err == nil && n > limit {
			return fmt.Sprintf("value must have a maximum value of %s", *p.Maximum)
		}
		if limit, err := bound(p.Minimum); err == nil && n < limit {
			return fmt.Sprintf("value must have a minimum value of %s", *p.Minimum)
		}
	}
	if len(p.Enum) > 0 && !slices.Contains(p.Enum, text(s)) {
		words := make([]string, len(p.Enum))
		for i, w := range p.Enum {
			words[i] = string(w)
		}
		return fmt.Sprintf("value '%s' does not have a value in the enumeration '%s'", s, strings.Join(words, ", "))
	}
	return ""
}

func bound(n *json.Number) (float64, error) {
	if n == nil {
		return 0, strconv.ErrSyntax
	}
	return n.Float64()
}

var (
	integer = regexp.MustCompile(`^[+-]?\d+$`)
	number  = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)
)

// kind checks the type of a value.
func (c *check) kind(path, kind string, v any) bool {
	fail := func(rest string) bool {
		c.add(path, "type check ('%s') failed%s", kind, rest)
		return false
	}
	_, isList := v.([]any)
	_, isObject := v.(map[string]any)
	switch kind {
	case "", "any":
		return true
	case "null":
		return fail(" - value is not null")
	case "array":
		return isList || fail("")
	case "object":
		return isObject || fail("")
	}
	switch {
	case isList:
		return fail(" - got ARRAY")
	case isObject:
		return fail(" - got HASH")
	}
	s, ok := scalar(v)
	if !ok {
		return fail(" - got HASH")
	}
	switch kind {
	case "boolean":
		ok = s == "0" || s == "1"
	case "integer":
		ok = integer.MatchString(s)
	case "number":
		ok = number.MatchString(s)
	}
	return ok || fail(" - got '"+s+"'")
}

// scalar is a value in Perl's text form; false for what is none.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	case json.Number:
		return v.String(), true
	case float64:
		return strconv.FormatFloat(v, 'g', 15, 64), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", v == nil
}
