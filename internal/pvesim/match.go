package pvesim

import (
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

// target is the endpoint that a request is for, with the values of the path's variables.
type target struct {
	*apischema.Endpoint
	vars  map[string]string
	loose bool // what the schema does not have: takes any parameters
}

// match finds the endpoint of a path, which is without "/api2/json" and unescaped.
func (c *cluster) match(method, path string) (t target, matched bool) {
	if method == "HEAD" {
		method = "GET"
	}
	if e, vars, _ := c.schema.Find(method, path); e != nil {
		return target{Endpoint: e, vars: vars}, true
	}
	for _, e := range c.extra {
		if vars, ok := fits(e.Path, path); ok && e.Method == method {
			return target{Endpoint: e, vars: vars, loose: true}, true
		}
	}
	return target{}, false
}

var everybody = map[string]any{"user": "all"}

// extraPermissions are the endpoints that Proxmox VE has and the schema does not, with their checks.
var extraPermissions = map[string]any{
	"GET /":                                     everybody,
	"GET /cluster/log":                          everybody,
	"GET /cluster/sdn":                          everybody,
	"PUT /cluster/sdn":                          perm("/sdn", "SDN.Allocate"),
	"GET /cluster/backup-info":                  everybody,
	"GET /cluster/backup-info/not-backed-up":    perm("/", "Sys.Audit"),
	"GET /nodes/{node}/certificates/info":       everybody,
	"GET /nodes/{node}/disks/list":              perm("/nodes/{node}", "Sys.Audit"),
	"GET /nodes/{node}/firewall":                everybody,
	"GET /nodes/{node}/firewall/log":            perm("/nodes/{node}", "Sys.Syslog"),
	"GET /nodes/{node}/firewall/options":        perm("/nodes/{node}", "Sys.Audit"),
	"PUT /nodes/{node}/firewall/options":        perm("/nodes/{node}", "Sys.Modify"),
	"GET /nodes/{node}/firewall/rules":          perm("/nodes/{node}", "Sys.Audit"),
	"POST /nodes/{node}/firewall/rules":         perm("/nodes/{node}", "Sys.Modify"),
	"GET /nodes/{node}/firewall/rules/{pos}":    perm("/nodes/{node}", "Sys.Audit"),
	"PUT /nodes/{node}/firewall/rules/{pos}":    perm("/nodes/{node}", "Sys.Modify"),
	"DELETE /nodes/{node}/firewall/rules/{pos}": perm("/nodes/{node}", "Sys.Modify"),
	"GET /nodes/{node}/hardware":                everybody,
	"GET /nodes/{node}/hardware/pci":            perm("/nodes/{node}", "Sys.Audit", "Sys.Modify"),
	"GET /nodes/{node}/hardware/usb":            perm("/nodes/{node}", "Sys.Modify"),
	"GET /nodes/{node}/replication":             everybody,
	"GET /nodes/{node}/rrddata":                 perm("/nodes/{node}", "Sys.Audit"),
	"GET /nodes/{node}/scan":                    everybody,
	"GET /nodes/{node}/services":                perm("/nodes/{node}", "Sys.Audit"),
	"POST /nodes/{node}/spiceshell":             perm("/nodes/{node}", "Sys.Console"),
	"GET /nodes/{node}/subscription":            everybody,
	"GET /nodes/{node}/syslog":                  perm("/nodes/{node}", "Sys.Syslog"),
	"POST /nodes/{node}/termproxy":              perm("/nodes/{node}", "Sys.Console"),
	"POST /nodes/{node}/suspendall":             everybody,
	"GET /nodes/{node}/time":                    perm("/nodes/{node}", "Sys.Audit"),
	"POST /nodes/{node}/vncshell":               perm("/nodes/{node}", "Sys.Console"),
}

// perm is the check of one of some privileges in the schema's notation.
func perm(path string, privs ...any) any {
	return map[string]any{"check": []any{"perm", path, privs, "any", "1"}}
}

// extraEndpoints are what handlers are registered for and no version of the schema has.
func extraEndpoints() []*apischema.Endpoint {
	inSchema := map[string]bool{}
	for _, version := range []int{8, 9} {
		for _, e := range apischema.Load(version).Endpoints() {
			inSchema[e.Route()] = true
		}
	}
	var extra []*apischema.Endpoint
	for route := range handlers {
		if inSchema[route] {
			continue
		}
		method, path, _ := strings.Cut(route, " ")
		e := &apischema.Endpoint{Method: method, Path: path, AllowToken: true, Permissions: extraPermissions[route]}
		if strings.HasPrefix(path, "/nodes/{node}/") {
			e.Proxyto = "node"
		}
		extra = append(extra, e)
	}
	slices.SortFunc(extra, func(a, b *apischema.Endpoint) int { return strings.Compare(a.Route(), b.Route()) })
	return extra
}

// fits compares a path with a pattern.
func fits(pattern, path string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	vars := map[string]string{}
	for i, w := range want {
		if name, isVar := strings.CutPrefix(w, "{"); isVar {
			vars[strings.TrimSuffix(name, "}")] = have[i]
		} else if w != have[i] {
			return nil, false
		}
	}
	return vars, true
}

// verify checks the parameters of a request.
func (t target) verify(in map[string]any) (params, error) {
	if t.loose {
		p := params{}
		for k, v := range in {
			p[k] = plain(v)
		}
		return p, nil
	}
	out, errs := t.Verify(in)
	if len(errs) > 0 {
		return nil, wrong(errs)
	}
	return out, nil
}
