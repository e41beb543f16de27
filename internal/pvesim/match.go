package pvesim

import "strings"

// target is the endpoint that a request is for.
type target struct {
	route       string // method and path as handlers has them
	vars        map[string]string
	proxyTo     string // the parameter that names the node it is for, or ""
	noToken     bool   // refuses API tokens
	permissions any    // the check, in the schema's own notation
}

// match finds the endpoint of a path.
func match(_ int, method, path string) (target, bool) {
	best, found := target{}, false
	for route := range handlers {
		m, pattern, _ := strings.Cut(route, " ")
		if m != method {
			continue
		}
		vars, ok := fits(pattern, path)
		// A literal wins over a variable, and there are fewer variables then.
		if ok && (!found || len(vars) < len(best.vars)) {
			best, found = target{route: route, vars: vars, permissions: map[string]any{"user": "all"}}, true
			if openRoutes[route] {
				best.permissions = map[string]any{"user": "world"}
			}
			if strings.HasPrefix(pattern, "/nodes/{node}/") {
				best.proxyTo = "node"
			}
		}
	}
	return best, found
}

// fits compares a path with a pattern; a volume may have slashes in it.
func fits(pattern, path string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) < len(have) && want[len(want)-1] == "{volume}" {
		last := strings.Join(have[len(want)-1:], "/")
		have = append(have[:len(want)-1:len(want)-1], last)
	}
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
	p := params{}
	for k, v := range in {
		p[k] = plain(v)
	}
	return p, nil
}
