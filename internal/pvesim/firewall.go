package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// firewallState is what firewalls are told: by scope, the cluster's own being "cluster".
type firewallState struct {
	scopes map[string]*firewallScope
	groups map[string]*firewallGroup
}

// firewallScope is one firewall configuration.
type firewallScope struct {
	owner   *machine // whose it is; one of a machine that is gone is no more
	options section
	rules   []section
	aliases map[string]section
	ipsets  map[string]*ipset
}

// firewallGroup is one security group.
type firewallGroup struct {
	comment string
	rules   []section
}

// ipset is a named set of networks.
type ipset struct {
	comment string
	entries map[string]section // by CIDR
}

func newFirewallState() *firewallState {
	f := &firewallState{scopes: map[string]*firewallScope{}, groups: map[string]*firewallGroup{}}
	f.scopes["cluster"] = newFirewallScope(nil)
	f.scopes["cluster"].options["enable"] = "0"
	return f
}

func newFirewallScope(m *machine) *firewallScope {
	return &firewallScope{owner: m, options: section{}, aliases: map[string]section{}, ipsets: map[string]*ipset{}}
}

// scope is the firewall configuration that a path is about, an empty one where there is none yet.
func (r *request) scope() *firewallScope {
	name, owner := "cluster", (*machine)(nil)
	switch {
	case r.p.has("vmid"):
		name, owner = "vm/"+r.p["vmid"], r.machines[r.p.num("vmid", 0)]
	case r.p.has("node"):
		name = "node/" + r.p["node"]
	case r.p.has("vnet"):
		name = "vnet/" + r.p["vnet"]
	}
	s := r.firewall.scopes[name]
	if s == nil || s.owner != owner {
		s = newFirewallScope(owner)
		r.firewall.scopes[name] = s
	}
	return s
}

// copyFirewall gives a clone the firewall configuration of its source.
func (c *cluster) copyFirewall(from, to *machine) {
	source := c.firewall.scopes[fmt.Sprintf("vm/%d", from.id)]
	if source == nil || source.owner != from {
		return
	}
	s := newFirewallScope(to)
	s.options = maps.Clone(source.options)
	for _, rule := range source.rules {
		s.rules = append(s.rules, maps.Clone(rule))
	}
	for name, alias := range source.aliases {
		s.aliases[name] = maps.Clone(alias)
	}
	for name, set := range source.ipsets {
		entries := map[string]section{}
		for cidr, e := range set.entries {
			entries[cidr] = maps.Clone(e)
		}
		s.ipsets[name] = &ipset{set.comment, entries}
	}
	c.firewall.scopes[fmt.Sprintf("vm/%d", to.id)] = s
}

// change takes over the parameters of a request but those named, and deletes what "delete" lists.
func (s section) change(p params, but ...string) {
	for _, key := range keyList(p["delete"]) {
		delete(s, key)
	}
	for k, v := range p {
		if k != "delete" && k != "digest" && !slices.Contains(but, k) {
			s[k] = v
		}
	}
}

// keyList takes a list apart that commas, semicolons, spaces or NULs separate.
func keyList(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(",; \t\n\x00", c) })
}

// show is a section as the API tells it, with numbers for the keys named.
func (s section) show(numbers ...string) map[string]any {
	answer := make(map[string]any, len(s)+1)
	for k, v := range s {
		if slices.Contains(numbers, k) {
			answer[k] = number(v)
		} else {
			answer[k] = v
		}
	}
	return answer
}

// firewallBases are where firewall configurations are, and whether they have names for addresses.
var firewallBases = map[string]bool{
	"/cluster/firewall":                  true,
	"/nodes/{node}/firewall":             false,
	"/nodes/{node}/qemu/{vmid}/firewall": true,
	"/nodes/{node}/lxc/{vmid}/firewall":  true,
	"/cluster/sdn/vnets/{vnet}/firewall": false,
}

func init() {
	for base, names := range firewallBases {
		handle("GET "+base, firewallIndex)
		handle("GET "+base+"/options", firewallOptions)
		handle("PUT "+base+"/options", setFirewallOptions)
		handleRules(base+"/rules", func(r *request) (*[]section, error) { s := r.scope(); return &s.rules, nil })
		if names {
			handleAliases(base + "/aliases")
			handleIPSets(base + "/ipset")
			handle("GET "+base+"/refs", firewallRefs)
		}
		if strings.HasPrefix(base, "/nodes") {
			handle("GET "+base+"/log", func(*request) (any, error) {
				return []any{map[string]any{"n": 1, "t": "no content"}}, nil
			})
		}
	}
	handle("GET /cluster/firewall/groups", listGroups)
	handle("POST /cluster/firewall/groups", makeGroup)
	handle("DELETE /cluster/firewall/groups/{group}", removeGroup)
	handleRules("/cluster/firewall/groups/{group}", (*request).groupRules)
	handle("GET /cluster/firewall/macros", firewallMacros)
}

func firewallIndex(r *request) (any, error) {
	names := []string{"rules", "options"}
	if !r.p.has("vnet") && (r.p.has("vmid") || !r.p.has("node")) {
		names = append(names, "aliases", "ipset", "refs")
	}
	if !r.p.has("node") && !r.p.has("vnet") {
		names = append(names, "groups", "macros")
	}
	slices.Sort(names)
	return subdirs("name", names...), nil
}

// subdirs is an index.
func subdirs(key string, names ...string) []map[string]any {
	list := make([]map[string]any, len(names))
	for i, name := range names {
		list[i] = map[string]any{key: name}
	}
	return list
}

var firewallNumbers = []string{
	"enable", "dhcp", "ipfilter", "macfilter", "ndp", "radv", "ebtables", "nosmurfs", "tcpflags", "nf_conntrack_allow_invalid",
	"nf_conntrack_max", "nf_conntrack_tcp_timeout_established", "nf_conntrack_tcp_timeout_syn_recv", "nftables", "protection_synflood",
	"protection_synflood_rate", "protection_synflood_burst", "log_nf_conntrack",
}

func firewallOptions(r *request) (any, error) {
	s := r.scope()
	answer := s.options.show(firewallNumbers...)
	answer["digest"] = digestOf(s.options)
	return answer, nil
}

func setFirewallOptions(r *request) (any, error) {
	s := r.scope()
	if err := r.sameDigest(digestOf(s.options)); err != nil {
		return nil, err
	}
	s.options.change(r.p, "node", "vmid", "vnet")
	return nil, nil
}

// groupRules are the rules of the security group that the path names.
func (r *request) groupRules() (*[]section, error) {
	g := r.firewall.groups[r.p["group"]]
	if g == nil {
		return nil, die("no such security group '%s'", r.p["group"])
	}
	return &g.rules, nil
}

func listGroups(r *request) (any, error) {
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(r.firewall.groups)) {
		g := r.firewall.groups[name]
		one := map[string]any{"group": name, "digest": digestOf(g.rules...)}
		if g.comment != "" {
			one["comment"] = g.comment
		}
		list = append(list, one)
	}
	return list, nil
}

// makeGroup makes a security group, or gives one another name.
func makeGroup(r *request) (any, error) {
	groups, name, old := r.firewall.groups, r.p["group"], r.p["rename"]
	if old == "" {
		if groups[name] != nil {
			return nil, wrongParam("group", "Security group '%s' already exists", name)
		}
		groups[name] = &firewallGroup{comment: r.p["comment"]}
		return nil, nil
	}
	g := groups[old]
	switch {
	case g == nil:
		return nil, wrongParam("group", "Security group '%s' does not exist", old)
	case old != name && groups[name] != nil:
		return nil, wrongParam("group", "Security group '%s' already exists", name)
	}
	delete(groups, old)
	groups[name] = g
	if r.p.has("comment") {
		g.comment = r.p["comment"]
	}
	return nil, nil
}

func removeGroup(r *request) (any, error) {
	g := r.firewall.groups[r.p["group"]]
	if g != nil && len(g.rules) > 0 {
		return nil, die("Security group '%s' is not empty", r.p["group"])
	}
	delete(r.firewall.groups, r.p["group"])
	return nil, nil
}

// macros are a few of those that Proxmox VE knows.
var macros = map[string]string{
	"DNS": "Domain Name System traffic (upd and tcp)", "HTTP": "Hypertext Transfer Protocol (WWW)", "HTTPS": "Hypertext Transfer Protocol (WWW) over SSL",
	"Ping": "ICMP echo request", "SSH": "Secure shell traffic", "NTP": "Network Time Protocol (ntpd)", "RDP": "Microsoft Remote Desktop Protocol traffic",
	"SMB": "Microsoft SMB traffic", "SMTP": "Simple Mail Transfer Protocol", "PostgreSQL": "PostgreSQL server", "MySQL": "MySQL server",
}

func firewallMacros(*request) (any, error) {
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(macros)) {
		list = append(list, map[string]any{"macro": name, "descr": macros[name]})
	}
	return list, nil
}
