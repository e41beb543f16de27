package pvesim

import (
	"context"
	"net/http"
	"strconv"
)

// handler answers one request that passed the schema. What it returns becomes "data".
// It runs with cluster.mu held.
type handler func(r *request) (any, error)

// handlers are by method and path as the schema writes them, "GET /nodes/{node}/qemu/{vmid}/config".
var handlers = map[string]handler{}

// handle registers a handler; files do that in init.
func handle(route string, h handler) {
	if _, twice := handlers[route]; twice {
		panic("pvesim: two handlers of " + route)
	}
	handlers[route] = h
}

// request is one request that passed authentication, the schema and the check of privileges.
type request struct {
	*cluster
	ctx  context.Context
	http *http.Request
	// p holds the parameters, those of the path among them, in PVE's text form: booleans are "0" and "1",
	// numbers decimal as they were sent, property strings as they were sent.
	p    params
	user *login
	// total is the "total" beside "data", where an answer has one; more is what else stands beside it.
	total *int
	more  map[string]any
	// upload is the file that came with the request, or nil.
	upload *upload
}

// params are verified parameters.
type params map[string]string

func (p params) has(name string) bool { _, ok := p[name]; return ok }

// num is a numeric parameter, or otherwise where it is absent.
func (p params) num(name string, otherwise int) int {
	if n, err := strconv.Atoi(p[name]); err == nil {
		return n
	}
	return otherwise
}

// flag is a boolean parameter, false where it is absent.
func (p params) flag(name string) bool { return p[name] == "1" }

// unlocked runs f without cluster.mu, for what waits.
func (c *cluster) unlocked(f func()) {
	c.mu.Unlock()
	defer c.mu.Lock()
	f()
}

// vm is the VM that the path names at its node, or the error that Proxmox VE has for one that is not there.
func (r *request) vm() (*machine, error) {
	id := r.p.num("vmid", 0)
	m := r.machines[id]
	if m == nil || m.lxc || m.node.name != r.p["node"] {
		return nil, die("Configuration file 'nodes/%s/qemu-server/%d.conf' does not exist", r.p["node"], id)
	}
	return m, nil
}
