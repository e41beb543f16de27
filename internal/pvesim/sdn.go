package pvesim

import (
	"maps"
	"slices"
)

// sdnState is the software defined network: what is configured, and what was applied.
type sdnState struct{ zones, vnets, subnets *sdnObjects }

// sdnObjects are the objects of one kind.
type sdnObjects struct {
	kind, key       string // "zone", "zone"
	config, running map[string]section
}

func newSDN() *sdnState {
	objects := func(kind string) *sdnObjects {
		return &sdnObjects{kind: kind, key: kind, config: map[string]section{}, running: map[string]section{}}
	}
	return &sdnState{objects("zone"), objects("vnet"), objects("subnet")}
}

func init() {
	handle("GET /cluster/sdn", index("id", "vnets", "zones", "controllers", "ipams", "dns"))
	handle("PUT /cluster/sdn", applySDN)
	zones := func(r *request) *sdnObjects { return r.misc.sdn.zones }
	vnets := func(r *request) *sdnObjects { return r.misc.sdn.vnets }
	subnets := func(r *request) *sdnObjects { return r.misc.sdn.subnets }
	handleSDN("/cluster/sdn/zones", "zone", zones)
	handleSDN("/cluster/sdn/vnets", "vnet", vnets)
	handleSDN("/cluster/sdn/vnets/{vnet}/subnets", "subnet", subnets)
}

// handleSDN registers the endpoints of the objects of one kind.
func handleSDN(base, key string, of func(r *request) *sdnObjects) {
	handle("GET "+base, func(r *request) (any, error) { return of(r).list(r), nil })
	handle("POST "+base, func(r *request) (any, error) { return nil, of(r).make(r) })
	handle("GET "+base+"/{"+key+"}", func(r *request) (any, error) { return of(r).read(r) })
	handle("PUT "+base+"/{"+key+"}", func(r *request) (any, error) { return nil, of(r).change(r) })
	handle("DELETE "+base+"/{"+key+"}", func(r *request) (any, error) { return nil, of(r).remove(r) })
}

func (o *sdnObjects) list(r *request) []map[string]any {
	list := []map[string]any{}
	names := slices.Collect(maps.Keys(o.config))
	if r.p.flag("pending") {
		for name := range o.running {
			if o.config[name] == nil {
				names = append(names, name)
			}
		}
	}
	from := o.config
	if r.p.flag("running") {
		from, names = o.running, slices.Collect(maps.Keys(o.running))
	}
	slices.Sort(names)
	for _, name := range names {
		s := from[name]
		if s == nil {
			s = o.running[name]
		}
		if o.kind == "subnet" && s["vnet"] != r.p["vnet"] || o.kind == "zone" && r.p.has("type") && s["type"] != r.p["type"] {
			continue
		}
		if r.p.flag("pending") {
			list = append(list, o.pending(name))
			continue
		}
		list = append(list, o.show(name, s))
	}
	return list
}

var sdnNumbers = []string{"tag", "vlanaware", "isolate-ports", "snat", "mtu", "advertise-subnets", "exitnodes-local-routing", "vrf-vxlan"}

func (o *sdnObjects) show(name string, s section) map[string]any {
	answer := s.show(sdnNumbers...)
	answer[o.key], answer["digest"] = name, o.digest()
	if o.kind != "zone" {
		answer["type"] = o.kind
	}
	return answer
}

// pending is an object with what of it waits to be applied.
func (o *sdnObjects) pending(name string) map[string]any {
	now, then := o.running[name], o.config[name]
	answer := map[string]any{o.key: name, "digest": nil}
	if o.kind != "zone" {
		answer["type"] = o.kind
	}
	switch {
	case now == nil:
		answer["state"] = "new"
		waiting := then.show(sdnNumbers...)
		if o.kind == "zone" {
			answer["type"] = then["type"]
		}
		answer["pending"] = waiting
	case then == nil:
		maps.Copy(answer, now.show(sdnNumbers...))
		answer["state"] = "deleted"
	default:
		maps.Copy(answer, now.show(sdnNumbers...))
		waiting := map[string]any{}
		for k, v := range then.show(sdnNumbers...) {
			if now[k] != then[k] {
				waiting[k] = v
			}
		}
		for k := range now {
			if !then.has(k) {
				waiting[k] = "deleted"
			}
		}
		if len(waiting) > 0 {
			answer["state"], answer["pending"] = "changed", waiting
		}
	}
	return answer
}

func (s section) has(key string) bool { _, ok := s[key]; return ok }

func (o *sdnObjects) digest() string {
	var all []section
	for _, name := range slices.Sorted(maps.Keys(o.config)) {
		all = append(all, section{o.key: name}, o.config[name])
	}
	return digestOf(all...)
}

func (o *sdnObjects) make(r *request) error {
	name := r.p[o.key]
	failed := "create sdn " + o.kind + " object failed: "
	if o.config[name] != nil {
		return die("%ssdn %s object ID '%s' already defined", failed, o.kind, name)
	}
	s := section{}
	s.change(r.p, o.key, "lock-token")
	if o.kind != "zone" {
		delete(s, "type")
	}
	if o.kind == "vnet" && r.misc.sdn.zones.config[s["zone"]] == nil {
		return die("%szone %s doesn't exist", failed, s["zone"])
	}
	if o.kind == "subnet" {
		if r.misc.sdn.vnets.config[s["vnet"]] == nil {
			return die("%ssdn '%s' does not exist", failed, s["vnet"])
		}
	}
	o.config[name] = s
	return nil
}

func (o *sdnObjects) read(r *request) (any, error) {
	name := r.p[o.key]
	if r.p.flag("pending") && (o.config[name] != nil || o.running[name] != nil) {
		return o.pending(name), nil
	}
	s := o.config[name]
	if r.p.flag("running") {
		s = o.running[name]
	}
	if s == nil {
		return nil, die("sdn '%s' does not exist", name)
	}
	return o.show(name, s), nil
}

func (o *sdnObjects) change(r *request) error {
	name := r.p[o.key]
	s := o.config[name]
	if s == nil {
		return die("update sdn %s object failed: sdn '%s' does not exist", o.kind, name)
	}
	if err := r.sameDigest(o.digest()); err != nil {
		return err
	}
	s = maps.Clone(s)
	s.change(r.p, o.key, "lock-token")
	o.config[name] = s
	return nil
}

// remove takes an object out of the configuration, unless another uses it. What does not exist is removed too.
func (o *sdnObjects) remove(r *request) error {
	name := r.p[o.key]
	switch o.kind {
	case "zone":
		for _, vnet := range slices.Sorted(maps.Keys(r.misc.sdn.vnets.config)) {
			if r.misc.sdn.vnets.config[vnet]["zone"] == name {
				return die("delete sdn zone object failed: zone %s is used by vnet %s at /usr/share/perl5/PVE/Network/SDN/Zones/Plugin.pm line 159.", name, vnet)
			}
		}
	case "vnet":
		for _, subnet := range r.misc.sdn.subnets.config {
			if subnet["vnet"] == name {
				return die("delete sdn vnet object failed: cannot delete vnet '%s' - it has subnets", name)
			}
		}
	}
	delete(o.config, name)
	return nil
}

// applySDN makes what is configured what runs; a vnet is a bridge then, on every node.
func applySDN(r *request) (any, error) {
	return r.fork(r.nodes[0].name, "reloadnetworkall", "", func(w *worker) error {
		return w.locked(func() error {
			for _, o := range []*sdnObjects{w.misc.sdn.zones, w.misc.sdn.vnets, w.misc.sdn.subnets} {
				o.running = maps.Clone(o.config)
			}
			return nil
		})
	}), nil
}
