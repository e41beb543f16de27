package pvesim

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

func init() {
	const base = "/nodes/{node}/network"
	handle("GET "+base, listInterfaces)
	handle("POST "+base, makeInterface)
	handle("PUT "+base, reloadNetwork)
	handle("DELETE "+base, revertNetwork)
	handle("GET "+base+"/{iface}", readInterface)
	handle("PUT "+base+"/{iface}", changeInterface)
	handle("DELETE "+base+"/{iface}", removeInterface)
}

// interfaces are those of a node as its configuration will have them.
func (r *request) interfaces(n *node) []*iface {
	if waiting := r.misc.interfaces[n]; waiting != nil {
		return waiting
	}
	return n.ifaces
}

// waitingInterfaces is a copy of them to change, which waits until the network is reloaded.
func (r *request) waitingInterfaces(n *node) []*iface {
	if waiting := r.misc.interfaces[n]; waiting != nil {
		return waiting
	}
	waiting := make([]*iface, len(n.ifaces))
	for i, f := range n.ifaces {
		c := *f
		c.options = maps.Clone(f.options)
		waiting[i] = &c
	}
	r.misc.interfaces[n] = waiting
	return waiting
}

func (f *iface) show(priority int) map[string]any {
	answer := map[string]any{"type": f.kind, "method": "manual", "method6": "manual", "families": []string{"inet"}, "priority": priority}
	for k, v := range f.options {
		switch k {
		case "autostart", "bridge_vlan_aware":
			if v == "1" {
				answer[k] = 1
			}
		default:
			answer[k] = v
		}
	}
	if f.active {
		answer["active"] = 1
	}
	if f.kind == "eth" {
		answer["exists"] = 1
	}
	return answer
}

// firstPriority is that of a node's first interface; the loopback and what is sourced come before.
const firstPriority = 3

func listInterfaces(r *request) (any, error) {
	n := r.node(r.p["node"])
	kind := r.p["type"]
	list := []map[string]any{}
	for i, f := range r.interfaces(n) {
		switch {
		case kind == "" || kind == f.kind:
		case strings.HasPrefix(kind, "any_") || kind == "include_sdn":
			if !strings.HasSuffix(strings.ToLower(f.kind), "bridge") && kind != "include_sdn" {
				continue
			}
		default:
			continue
		}
		one := f.show(firstPriority + i)
		one["iface"] = f.name
		list = append(list, one)
	}
	if kind == "include_sdn" || kind == "any_bridge" {
		for _, name := range slices.Sorted(maps.Keys(r.misc.sdn.vnets.running)) {
			list = append(list, map[string]any{"iface": name, "type": "vnet", "active": 1})
		}
	}
	if waiting := r.misc.interfaces[n]; waiting != nil && kind == "" {
		r.more = map[string]any{"changes": interfaceChanges(n.ifaces, waiting)}
	}
	return list, nil
}

// interfaceChanges tells what a reload would change, in the form of a diff.
func interfaceChanges(now, then []*iface) string {
	var b strings.Builder
	b.WriteString("--- /etc/network/interfaces\n+++ /etc/network/interfaces.new\n")
	write := func(sign string, from, without []*iface) {
		for _, f := range from {
			i := slices.IndexFunc(without, func(o *iface) bool { return o.name == f.name })
			if i >= 0 && maps.Equal(without[i].options, f.options) {
				continue
			}
			fmt.Fprintf(&b, "%sauto %s\n%siface %s inet %s\n", sign, f.name, sign, f.name, f.options["method"])
			for _, k := range slices.Sorted(maps.Keys(f.options)) {
				if k != "method" && k != "autostart" {
					fmt.Fprintf(&b, "%s\t%s %s\n", sign, strings.ReplaceAll(k, "_", "-"), f.options[k])
				}
			}
		}
	}
	write("-", now, then)
	write("+", then, now)
	return b.String()
}

// interfaceNamed is the interface that the path names, by its place.
func (r *request) interfaceNamed(list []*iface) (int, error) {
	i := slices.IndexFunc(list, func(f *iface) bool { return f.name == r.p["iface"] })
	if i < 0 {
		return 0, wrongParam("iface", "interface does not exist")
	}
	return i, nil
}

func readInterface(r *request) (any, error) {
	list := r.interfaces(r.node(r.p["node"]))
	i, err := r.interfaceNamed(list)
	if err != nil {
		return nil, err
	}
	return list[i].show(firstPriority + i), nil
}

func makeInterface(r *request) (any, error) {
	n := r.node(r.p["node"])
	if _, err := r.interfaceNamed(r.interfaces(n)); err == nil {
		return nil, wrongParam("iface", "interface already exists")
	}
	f := &iface{name: r.p["iface"], kind: r.p["type"], options: map[string]string{}}
	if f.kind == "bridge" {
		f.options["bridge_ports"], f.options["bridge_stp"], f.options["bridge_fd"] = "", "off", "0"
	}
	if err := r.configure(n, f); err != nil {
		return nil, err
	}
	r.misc.interfaces[n] = append(r.waitingInterfaces(n), f)
	return nil, nil
}

func changeInterface(r *request) (any, error) {
	n := r.node(r.p["node"])
	list := r.interfaces(n)
	i, err := r.interfaceNamed(list)
	if err != nil {
		return nil, err
	}
	changed := *list[i]
	changed.options = maps.Clone(changed.options)
	for _, key := range keyList(r.p["delete"]) {
		delete(changed.options, key)
		if key == "cidr" {
			delete(changed.options, "address")
			delete(changed.options, "netmask")
		}
	}
	if err := r.configure(n, &changed); err != nil {
		return nil, err
	}
	r.waitingInterfaces(n)[i] = &changed
	return nil, nil
}

// configure gives an interface what the request says.
func (r *request) configure(n *node, f *iface) error {
	if gateway := r.p["gateway"]; gateway != "" {
		for _, o := range r.interfaces(n) {
			if o.name != f.name && o.options["gateway"] != "" {
				return wrongParam("gateway", "Default gateway already exists on interface '%s'.", o.name)
			}
		}
	}
	for k, v := range r.p {
		switch k {
		case "node", "iface", "type", "delete":
		case "comments":
			f.options[k] = strings.TrimSuffix(v, "\n") + "\n"
		default:
			f.options[k] = v
		}
	}
	if p, err := netip.ParsePrefix(r.p["cidr"]); err == nil {
		f.options["address"], f.options["netmask"] = p.Addr().String(), strconv.Itoa(p.Bits())
	} else if address, mask := r.p["address"], r.p["netmask"]; address != "" && mask != "" {
		f.options["cidr"] = withPrefix(address, mask)
		if !strings.Contains(f.options["cidr"], "/") {
			f.options["cidr"] += "/" + mask
		}
	}
	f.options["method"], f.options["method6"] = "manual", "manual"
	if r.p["cidr"] != "" || r.p["address"] != "" {
		f.options["method"] = "static"
	}
	if r.p["cidr6"] != "" || r.p["address6"] != "" {
		f.options["method6"] = "static"
	}
	return nil
}

func removeInterface(r *request) (any, error) {
	n := r.node(r.p["node"])
	i, err := r.interfaceNamed(r.interfaces(n))
	if err != nil {
		return nil, err
	}
	r.misc.interfaces[n] = slices.Delete(r.waitingInterfaces(n), i, i+1)
	return nil, nil
}

func revertNetwork(r *request) (any, error) {
	delete(r.misc.interfaces, r.node(r.p["node"]))
	return nil, nil
}

// reloadNetwork lets the configuration that waits be the one in use.
func reloadNetwork(r *request) (any, error) {
	n := r.node(r.p["node"])
	return r.fork(n.name, "srvreload", "networking", func(w *worker) error {
		return w.locked(func() error {
			waiting := w.misc.interfaces[n]
			if waiting == nil {
				return nil
			}
			for _, f := range waiting {
				f.active = f.active || f.options["autostart"] == "1"
			}
			n.ifaces = waiting
			delete(w.misc.interfaces, n)
			return nil
		})
	}), nil
}
