package pvesim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
)

// comparison compares one answer with what was recorded.
type comparison struct {
	names *names
	route string // "GET /nodes/{node}/qemu"
	known map[string]bool
	vm    bool // what is compared is a VM of a list
}

// answer returns the first difference, "" where there is none.
func (c *comparison) answer(want exchange, got reply) string {
	if want.Status != got.status {
		return fmt.Sprintf("status %d %q, recorded %d %q; body %s", got.status, got.reason, want.Status, want.Reason, short(got.body))
	}
	if !c.names.sameText(want.Reason, got.reason) {
		return fmt.Sprintf("reason %q, recorded %q", got.reason, want.Reason)
	}
	if kind := want.Headers["content-type"]; kind != "" && want.Body != "" && kind != got.kind {
		return fmt.Sprintf("content type %q, recorded %q", got.kind, kind)
	}
	if c.route == "GET /nodes/{node}/tasks/{upid}/log" && want.Status == http.StatusOK {
		return c.lines(linesOf(want.Body), linesOf(got.body))
	}
	return c.value("", want.Body, got.body)
}

// moments are lines of a task's log that tell how far it was at a moment, how fast, or that it waited for others.
var moments = regexp.MustCompile(`^transferred |^(?:drive-|mirror-)?[a-z]+\d+: transferred |^ +\d+K[ .]*|^trying to acquire lock\.\.\.$|^ OK$`)

func linesOf(body any) []string {
	m, _ := body.(map[string]any)
	data, _ := m["data"].([]any)
	var lines []string
	for _, el := range data {
		line, _ := el.(map[string]any)
		if text, _ := line["t"].(string); !moments.MatchString(text) {
			lines = append(lines, text)
		}
	}
	return lines
}

// lines compares logs.
func (c *comparison) lines(want, got []string) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("the log lacks line %q", want[i])
		case i >= len(want):
			return fmt.Sprintf("the log has line %q more", got[i])
		case !c.names.sameText(want[i], got[i]):
			return fmt.Sprintf("line %d of the log is %q, recorded %q", i+1, got[i], want[i])
		}
	}
	return ""
}

// value compares two values at a path such as "data[].ha.managed".
func (c *comparison) value(at string, want, got any) string {
	how := c.rule(at)
	if how == skip {
		return ""
	}
	if kindOf(want) != kindOf(got) {
		if how == shape && want != nil && got != nil && scalarKind(want) && scalarKind(got) && numberish(want) && numberish(got) {
			return ""
		}
		return fmt.Sprintf("%s is %s, recorded %s", at, short(got), short(want))
	}
	switch want := want.(type) {
	case map[string]any:
		return c.object(at, want, got.(map[string]any))
	case []any:
		return c.list(at, want, got.([]any), how)
	case string:
		if how == shape || c.names.sameText(want, got.(string)) || how == words && sameWords(want, got.(string)) {
			return ""
		}
	case json.Number:
		if strings.HasSuffix(at, ".pid") {
			c.names.learnNumber("pid", want, got.(json.Number))
		}
		if how == shape || want == got.(json.Number) {
			return ""
		}
	default:
		if want == got {
			return ""
		}
	}
	return fmt.Sprintf("%s is %s, recorded %s", at, short(got), short(want))
}

func (c *comparison) object(at string, want, got map[string]any) string {
	keys := maps.Clone(want)
	maps.Copy(keys, got)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		inner := strings.TrimPrefix(at+"."+k, ".")
		w, wanted := want[k]
		g, there := got[k]
		if how := c.rule(inner); wanted != there && (how == skip || how == optional) {
			continue
		}
		switch {
		case !wanted:
			return fmt.Sprintf("%s is %s, recorded nothing", inner, short(g))
		case !there:
			return fmt.Sprintf("%s is missing, recorded %s", inner, short(w))
		}
		if d := c.value(inner, w, g); d != "" {
			return d
		}
	}
	return ""
}

// list compares lists: those of objects that have a name without a look at the order, which Proxmox VE does not keep.
func (c *comparison) list(at string, want, got []any, how int) string {
	if how == shape {
		return c.shapes(at, want, got)
	}
	if id := identity(want, got); id != "" {
		return c.byName(at, id, want, got)
	}
	if how == words || unordered(want) && unordered(got) {
		want, got = sorted(want), sorted(got)
	}
	for i := range want {
		if i >= len(got) {
			return fmt.Sprintf("%s has no element %d, recorded %s", at, i, short(want[i]))
		}
		if d := c.value(at+"[]", want[i], got[i]); d != "" {
			return fmt.Sprintf("%s (element %d)", d, i)
		}
	}
	if len(got) > len(want) {
		return fmt.Sprintf("%s has an element %s more", at, short(got[len(want)]))
	}
	return ""
}

// shapes compares one element of each list.
func (c *comparison) shapes(at string, want, got []any) string {
	if len(want) == 0 || len(got) == 0 {
		return ""
	}
	return c.value(at+"[]", want[0], got[0])
}

// identities are the keys that name an element of a list, the first that all elements have.
var identities = []string{
	"upid", "volid", "vmid", "key", "roleid", "userid", "tokenid", "groupid", "poolid", "realm", "iface", "storage", "subdir",
	"sid", "group", "id", "name", "node", "pos", "cidr", "zone", "vnet",
}

func identity(lists ...[]any) string {
	for _, id := range identities {
		all, some := true, false
		for _, list := range lists {
			seen := map[string]bool{}
			for _, el := range list {
				m, _ := el.(map[string]any)
				v, ok := m[id]
				if !ok || seen[plainText(v)] {
					all = false
					break
				}
				seen[plainText(v)] = true
				some = true
			}
		}
		if all && some {
			return id
		}
	}
	return ""
}

func (c *comparison) byName(at, id string, want, got []any) string {
	have := map[string]any{}
	for _, el := range got {
		name, _ := c.names.marked(plainText(el.(map[string]any)[id]))
		if id == "upid" {
			name = plainText(el.(map[string]any)[id])
		}
		have[name] = el
	}
	for _, el := range want {
		name := c.names.translated(plainText(el.(map[string]any)[id]))
		if id != "upid" {
			name, _ = c.names.marked(plainText(el.(map[string]any)[id]))
		}
		g, there := have[name]
		if !there {
			if id == "upid" && name == plainText(el.(map[string]any)[id]) || c.foreign(el.(map[string]any)) {
				continue // of before the recording
			}
			return fmt.Sprintf("%s lacks %s %q, recorded %s", at, id, name, short(el))
		}
		delete(have, name)
		c.vm = el.(map[string]any)["vmid"] != nil
		if d := c.value(at+"[]", el, g); d != "" {
			return fmt.Sprintf("%s (%s %s)", d, id, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if id != "upid" {
			return fmt.Sprintf("%s has %s %q more: %s", at, id, name, short(have[name]))
		}
	}
	return ""
}

// foreign reports whether an element belongs to other scenarios that ran on the host of the recording.
func (c *comparison) foreign(el map[string]any) bool {
	if id, ok := el["vmid"]; ok {
		return !c.known["vmid "+plainText(id)]
	}
	if volid, ok := el["volid"].(string); ok {
		return !c.known["file "+path.Base(volid)]
	}
	return false
}

// knownIn are the VMs and files that a scenario speaks of.
func knownIn(list []exchange) map[string]bool {
	known := map[string]bool{"vmid 100": true}
	for _, x := range list {
		for _, m := range pathOfVM.FindAllStringSubmatch(x.Path, -1) {
			known["vmid "+m[1]] = true
		}
		params, _ := x.Params.(map[string]any)
		for k, v := range params {
			switch k {
			case "vmid", "newid", "target-vmid":
				known["vmid "+plainText(v)] = true
			case "filename":
				known["file "+strings.ReplaceAll(strings.ReplaceAll(plainText(v), " ", "_"), "+", "_")] = true
			}
			for _, name := range strings.FieldsFunc(plainText(v), func(r rune) bool { return strings.ContainsRune("/,=:", r) }) {
				known["file "+name] = true
			}
		}
	}
	return known
}

var pathOfVM = regexp.MustCompile(`/(?:qemu|lxc)/(\d+)`)

func unordered(list []any) bool {
	for _, el := range list {
		if _, ok := el.(string); !ok {
			return false
		}
	}
	return true
}

func sorted(list []any) []any {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(plainText(a), plainText(b)) })
	return list
}

// sameWords compares lists in a text, whose order says nothing.
func sameWords(a, b string) bool {
	split := func(s string) []string {
		list := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
		slices.Sort(list)
		return list
	}
	return slices.Equal(split(a), split(b))
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case json.Number:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "list"
	}
	return "object"
}

func scalarKind(v any) bool { k := kindOf(v); return k == "string" || k == "number" }

// numberish says whether a value is a number, or a text of one: Perl does not keep them apart.
func numberish(v any) bool {
	_, err := json.Number(plainText(v)).Float64()
	return err == nil
}

func short(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 240 {
		return string(b[:240]) + "…"
	}
	return string(b)
}
