package pvesim

import (
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// names are the values that a server makes up, by those that the recording has in their place: UPIDs, digests,
// identifiers, addresses, processes.
type names struct {
	of    map[string]string
	given map[string]bool // what requests named themselves: that has to come back
	hosts []string        // pairs: what was recorded, and what stands for it here
}

func newNames(list []exchange) *names {
	n := &names{of: map[string]string{}, given: map[string]bool{}}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			for _, c := range made {
				for _, s := range c.re.FindAllString(v, -1) {
					n.given[s] = true
				}
			}
		case map[string]any:
			for _, el := range v {
				walk(el)
			}
		case []any:
			for _, el := range v {
				walk(el)
			}
		}
	}
	for _, x := range list {
		if params, ok := x.Params.(map[string]any); ok {
			for k, v := range params {
				if k != "digest" {
					walk(v)
				}
			}
		}
	}
	return n
}

// made are the kinds of values that a server makes up. Those with same set stand for the same value wherever they are.
var made = []struct {
	mark string
	re   *regexp.Regexp
	same bool
}{
	{"<upid>", regexp.MustCompile(`UPID:[^:\s]+:[0-9A-F]{8}:[0-9A-F]{8,}:[0-9A-F]{8}:`), true},
	{"<digest>", regexp.MustCompile(`\b[0-9a-f]{40}\b`), false},
	{"<uuid>", regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), true},
	{"<mac>", regexp.MustCompile(`\b(?i:[0-9a-f]{2}:){5}(?i:[0-9a-f]{2})\b`), true},
	{"<link-local>", regexp.MustCompile(`\bfe80::[0-9a-f:]+`), true},
	{"<ticket>", regexp.MustCompile(`\bPVE(?:VNC|):[^\s"]+`), false},
	{"<csrf>", regexp.MustCompile(`\b[0-9A-F]{8}:[A-Za-z0-9+/]{27,}`), false},
	{"ctime=<time>", regexp.MustCompile(`ctime=\d+`), false},
	{"creation-qemu=<version>", regexp.MustCompile(`creation-qemu=[\d.]+`), false},
	{"<date>", regexp.MustCompile(`\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\b|\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[+-]\d\d:\d\d)?`), false},
	{"upload <file>", regexp.MustCompile(`/var(?:/tmp/pve)?upload-[0-9a-f]+`), false},
	{"tmp_dwnl.<pid>", regexp.MustCompile(`tmp_dwnl\.\d+`), false},
	{"<speed>", regexp.MustCompile(`\b[\d.]+ [KMG]?B/s|\b[\d.]+[KMG]?=[\d.]+s`), false},
	{"<machine>", regexp.MustCompile(`\bpc-(?:i440fx|q35)-[\d.]+(?:\+pve\d+)?`), false}, // the newest of the host's QEMU
	{"state-suspend-<day>", regexp.MustCompile(`state-suspend-\d{4}-\d\d-\d\d`), false},
	{"<size> in <time>", regexp.MustCompile(`\b[\d.]+ [KMGT]iB in \d+s`), false}, // of a state that was saved
	{"<pid>", regexp.MustCompile(`\bpid \d+`), false},
}

// marked is a text with marks for what was made up, and the values that the marks stand for.
func (n *names) marked(s string) (text string, values []string) {
	for _, c := range made {
		s = c.re.ReplaceAllStringFunc(s, func(v string) string {
			if n.given[v] {
				return v
			}
			values = append(values, v)
			return c.mark
		})
	}
	return s, values
}

// sameText compares two texts, and learns what stands for what.
func (n *names) sameText(want, got string) bool {
	want = strings.NewReplacer(n.hosts...).Replace(want)
	if want == got || n.translated(want) == got {
		return true
	}
	w, ws := n.marked(want)
	g, gs := n.marked(got)
	if w != g || len(ws) != len(gs) {
		return false
	}
	for i := range ws {
		if own, there := n.of[ws[i]]; there && own != gs[i] && constant(ws[i]) {
			return false
		}
	}
	for i := range ws {
		n.of[ws[i]] = gs[i]
	}
	return true
}

// constant reports whether a value that was made up stays what it is.
func constant(v string) bool {
	for _, c := range made {
		if c.same && c.re.FindString(v) == v {
			return true
		}
	}
	return false
}

func (n *names) clone() *names { return &names{of: maps.Clone(n.of), given: n.given, hosts: n.hosts} }

// path is translated for a path, which may be escaped.
func (n *names) path(s string) string {
	if !strings.Contains(s, "UPID%3A") {
		return n.translated(s)
	}
	head, upid, _ := strings.Cut(s, "UPID%3A")
	upid, tail, _ := strings.Cut(upid, "/")
	plain, err := url.PathUnescape("UPID%3A" + upid)
	if err != nil {
		return s
	}
	return head + strings.ReplaceAll(url.PathEscape(n.translated(plain)), ":", "%3A") + "/" + tail
}

// translated is a recorded text with the values of this server.
func (n *names) translated(s string) string {
	if len(s) < 8 {
		return s
	}
	olds := make([]string, 0, 2)
	for old := range n.of {
		if strings.Contains(s, old) {
			olds = append(olds, old)
		}
	}
	slices.SortFunc(olds, func(a, b string) int { return len(b) - len(a) })
	for _, old := range olds {
		s = strings.ReplaceAll(s, old, n.of[old])
	}
	return s
}

// request is a recorded request in this server's values.
func (n *names) request(x exchange) exchange {
	x.Path = n.path(x.Path)
	x.Params = n.params("", x.Params)
	return x
}

func (n *names) params(key string, v any) any {
	switch v := v.(type) {
	case string:
		return n.translated(v)
	case json.Number:
		if own, ok := n.of[key+"="+v.String()]; ok {
			return json.Number(own)
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, el := range v {
			out[k] = n.params(k, el)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, el := range v {
			out[i] = n.params(key, el)
		}
		return out
	}
	return v
}

// learnNumber notes a number that later requests name: the process of a command in a guest.
func (n *names) learnNumber(key string, want, got json.Number) {
	n.of[key+"="+want.String()] = got.String()
}
