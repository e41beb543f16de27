package apischema

import (
	"maps"
	"slices"
	"strings"
)

// Table is the API of one version. It is safe for concurrent use.
type Table struct {
	// Version is 8 or 9.
	Version int

	root   *branch
	count  int
	named  map[string]namedFormat
	inline map[string]map[string]*Property
}

// Endpoint is one method of one path.
type Endpoint struct {
	Method     string               `json:"method"`
	Path       string               `json:"path"` // "/nodes/{node}/qemu/{vmid}"
	Name       string               `json:"name"` // what the implementation calls it, "vm_status"
	Parameters map[string]*Property `json:"parameters"`
	Additional flag                 `json:"additional"` // takes parameters that it does not name
	// Permissions is the check in the API's own notation, {"check": ["perm", "/vms/{vmid}", ["VM.Audit"]]} or
	// {"user": "all"}; nil is for root@pam alone.
	Permissions any `json:"permissions"`
	// Protected endpoints run as root on the node.
	Protected flag `json:"protected"`
	// Proxyto is the parameter that names the node that answers, "" where any does.
	Proxyto string `json:"proxyto"`
	// AllowToken is false where API tokens are refused.
	AllowToken flag      `json:"allowtoken"`
	Returns    *Property `json:"returns"`

	table *Table
}

// Route is the endpoint as handlers are registered: "GET /version".
func (e *Endpoint) Route() string { return e.Method + " " + e.Path }

// branch is one step of the paths.
type branch struct {
	literal map[string]*branch
	params  []*variable
	methods map[string]*Endpoint
}

type variable struct {
	name string
	next *branch
}

func (b *branch) add(e *Endpoint) {
	for _, step := range steps(e.Path) {
		name, isVar := strings.CutPrefix(step, "{")
		if !isVar {
			if b.literal == nil {
				b.literal = map[string]*branch{}
			}
			if b.literal[step] == nil {
				b.literal[step] = &branch{}
			}
			b = b.literal[step]
			continue
		}
		name = strings.TrimSuffix(name, "}")
		i := slices.IndexFunc(b.params, func(v *variable) bool { return v.name == name })
		if i < 0 {
			i = len(b.params)
			b.params = append(b.params, &variable{name: name, next: &branch{}})
		}
		b = b.params[i].next
	}
	if b.methods == nil {
		b.methods = map[string]*Endpoint{}
	}
	b.methods[e.Method] = e
}

func steps(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// greedy are the variables that take the rest of a path, slashes and all: "local:iso/debian.iso", "10.0.0.0/8".
var greedy = map[string]bool{"volume": true, "cidr": true}

// Find looks for the endpoint of a path without "/api2/json", unescaped. vars are the values of the path's
// variables; known says that the path exists with this or another method.
func (t *Table) Find(method, path string) (e *Endpoint, vars map[string]string, known bool) {
	vars = map[string]string{}
	b := t.root.find(method, steps(path), vars)
	if b == nil {
		return nil, nil, false
	}
	return b.methods[method], vars, len(b.methods) > 0
}

func (b *branch) find(method string, rest []string, vars map[string]string) *branch {
	if len(rest) == 0 {
		if len(b.methods) == 0 {
			return nil
		}
		return b
	}
	if next := b.literal[rest[0]]; next != nil {
		if found := next.find(method, rest[1:], vars); found != nil {
			return found
		}
	}
	var other *branch // the path with another method
	for _, v := range b.params {
		inner := map[string]string{v.name: rest[0]}
		found := v.next.find(method, rest[1:], inner)
		if found == nil && greedy[v.name] && len(v.next.methods) > 0 {
			inner[v.name] = strings.Join(rest, "/")
			found = v.next
		}
		if found == nil {
			continue
		}
		if found.methods[method] != nil {
			maps.Copy(vars, inner)
			return found
		}
		other = found
	}
	return other
}

// Endpoints are all endpoints, by path and method.
func (t *Table) Endpoints() []*Endpoint {
	all := make([]*Endpoint, 0, t.count)
	t.root.walk(func(e *Endpoint) { all = append(all, e) })
	slices.SortFunc(all, func(a, b *Endpoint) int {
		if d := strings.Compare(a.Path, b.Path); d != 0 {
			return d
		}
		return strings.Compare(a.Method, b.Method)
	})
	return all
}

func (b *branch) walk(visit func(*Endpoint)) {
	for _, e := range b.methods {
		visit(e)
	}
	for _, next := range b.literal {
		next.walk(visit)
	}
	for _, v := range b.params {
		v.next.walk(visit)
	}
}

// configs are where each kind of configuration is written.
var configs = map[string]string{
	"qemu": "/nodes/{node}/qemu/{vmid}/config", "lxc": "/nodes/{node}/lxc/{vmid}/config",
	"storage": "/storage/{storage}", "options": "/cluster/options",
}

// Config is what the keys of a configuration may be: of "qemu", "lxc", "storage" or "options". Numbered
// families stand there as "net[n]"; ConfigKey finds one member.
func (t *Table) Config(kind string) map[string]*Property {
	e, _, _ := t.Find("PUT", configs[kind])
	if e == nil {
		return nil
	}
	return e.Parameters
}

// ConfigKey is what one key of a configuration may be, "net0" as well as "name", nil where there is no such key.
func (t *Table) ConfigKey(kind, key string) *Property { return lookup(t.Config(kind), key) }
