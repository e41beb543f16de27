package backends

import "strings"

// Path names an attribute in the portable schema: `cpu.cores` or
// `disks["data"].size_gib`. The provider turns it into its own path type.
type Path string

// Attr appends an attribute's name.
func (p Path) Attr(name string) Path {
	if p == "" {
		return Path(name)
	}
	return p + "." + Path(name)
}

// Key appends a map key.
func (p Path) Key(key string) Path { return p + Path(`["`+key+`"]`) }

// Step is one step of a Path: an attribute's name or a map key.
type Step struct {
	Name  string
	IsKey bool
}

// Steps splits a path. A key may hold any character but a quotation mark.
func (p Path) Steps() []Step {
	var steps []Step
	s := string(p)
	for s != "" {
		if rest, ok := strings.CutPrefix(s, `["`); ok {
			key, after, _ := strings.Cut(rest, `"]`)
			steps = append(steps, Step{Name: key, IsKey: true})
			s = after
			continue
		}
		s = strings.TrimPrefix(s, ".")
		end := strings.IndexAny(s, `.[`)
		if end < 0 {
			end = len(s)
		}
		if end == 0 { // not a path of ours; do not loop
			break
		}
		steps = append(steps, Step{Name: s[:end]})
		s = s[end:]
	}
	return steps
}

// Generic is the path without its keys: `disks.size_gib`.
func (p Path) Generic() string {
	var names []string
	for _, s := range p.Steps() {
		if !s.IsKey {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ".")
}
