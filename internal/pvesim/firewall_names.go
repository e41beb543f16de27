package pvesim

import (
	"maps"
	"net/netip"
	"slices"
)

// handleAliases registers the endpoints of names for addresses.
func handleAliases(base string) {
	handle("GET "+base, listAliases)
	handle("POST "+base, makeAlias)
	handle("GET "+base+"/{name}", readAlias)
	handle("PUT "+base+"/{name}", changeAlias)
	handle("DELETE "+base+"/{name}", func(r *request) (any, error) {
		s := r.scope()
		if err := r.sameDigest(digestOf(slices.Collect(maps.Values(s.aliases))...)); err != nil {
			return nil, err
		}
		delete(s.aliases, r.p["name"])
		return nil, nil
	})
}

func (s *firewallScope) alias(name string) map[string]any {
	answer := s.aliases[name].show()
	answer["name"], answer["ipversion"] = name, ipVersion(s.aliases[name]["cidr"])
	answer["digest"] = digestOf(s.aliases[name])
	return answer
}

func listAliases(r *request) (any, error) {
	s, list := r.scope(), []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.aliases)) {
		list = append(list, s.alias(name))
	}
	return list, nil
}

func makeAlias(r *request) (any, error) {
	s, name := r.scope(), r.p["name"]
	if s.aliases[name] != nil {
		return nil, wrongParam("name", "alias '%s' already exists", name)
	}
	s.aliases[name] = section{}
	s.aliases[name].change(r.p, "name", "node", "vmid")
	return nil, nil
}

func readAlias(r *request) (any, error) {
	s, name := r.scope(), r.p["name"]
	if s.aliases[name] == nil {
		return nil, wrongParam("name", "no such alias")
	}
	return s.alias(name), nil
}

func changeAlias(r *request) (any, error) {
	s, name := r.scope(), r.p["name"]
	old := s.aliases[name]
	if old == nil {
		return nil, wrongParam("name", "no such alias")
	}
	if err := r.sameDigest(digestOf(old)); err != nil {
		return nil, err
	}
	to := r.p["rename"]
	if to != "" && to != name {
		if s.aliases[to] != nil {
			return nil, wrongParam("name", "alias '%s' already exists", to)
		}
		delete(s.aliases, name)
		s.aliases[to] = old
	}
	old.change(r.p, "name", "node", "vmid", "rename")
	return nil, nil
}

// handleIPSets registers the endpoints of sets of addresses.
func handleIPSets(base string) {
	handle("GET "+base, listIPSets)
	handle("POST "+base, makeIPSet)
	handle("DELETE "+base+"/{name}", removeIPSet)
	handle("GET "+base+"/{name}", withIPSet(listEntries))
	handle("POST "+base+"/{name}", withIPSet(makeEntry))
	handle("GET "+base+"/{name}/{cidr}", withEntry(func(_ *request, set *ipset, cidr string) (any, error) { return set.entry(cidr), nil }))
	handle("PUT "+base+"/{name}/{cidr}", withEntry(func(r *request, set *ipset, cidr string) (any, error) {
		if err := r.sameDigest(set.digest()); err != nil {
			return nil, err
		}
		set.entries[cidr].change(r.p, entryKeys...)
		return nil, nil
	}))
	handle("DELETE "+base+"/{name}/{cidr}", withEntry(func(r *request, set *ipset, cidr string) (any, error) {
		if err := r.sameDigest(set.digest()); err != nil {
			return nil, err
		}
		delete(set.entries, cidr)
		return nil, nil
	}))
}

var entryKeys = []string{"name", "cidr", "node", "vmid"}

func (s *ipset) digest() string {
	var all []section
	for _, cidr := range slices.Sorted(maps.Keys(s.entries)) {
		all = append(all, section{"cidr": cidr}, s.entries[cidr])
	}
	return digestOf(all...)
}

func (s *ipset) entry(cidr string) map[string]any {
	answer := s.entries[cidr].show("nomatch")
	answer["cidr"], answer["digest"] = cidr, s.digest()
	return answer
}

func listIPSets(r *request) (any, error) {
	s, list := r.scope(), []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.ipsets)) {
		one := map[string]any{"name": name, "digest": s.ipsets[name].digest()}
		if c := s.ipsets[name].comment; c != "" {
			one["comment"] = c
		}
		list = append(list, one)
	}
	return list, nil
}

func makeIPSet(r *request) (any, error) {
	s, name, old := r.scope(), r.p["name"], r.p["rename"]
	if old == "" {
		if s.ipsets[name] != nil {
			return nil, wrongParam("name", "IPSet '%s' already exists", name)
		}
		s.ipsets[name] = &ipset{comment: r.p["comment"], entries: map[string]section{}}
		return nil, nil
	}
	set := s.ipsets[old]
	switch {
	case set == nil:
		return nil, wrongParam("name", "IPSet '%s' does not exist", old)
	case old != name && s.ipsets[name] != nil:
		return nil, wrongParam("name", "IPSet '%s' already exists", name)
	}
	delete(s.ipsets, old)
	s.ipsets[name] = set
	if r.p.has("comment") {
		set.comment = r.p["comment"]
	}
	return nil, nil
}

func removeIPSet(r *request) (any, error) {
	s, name := r.scope(), r.p["name"]
	if set := s.ipsets[name]; set != nil && len(set.entries) > 0 && !r.p.flag("force") {
		return nil, die("IPSet '%s' is not empty", name)
	}
	delete(s.ipsets, name)
	return nil, nil
}

func withIPSet(f func(r *request, set *ipset) (any, error)) handler {
	return func(r *request) (any, error) {
		set := r.scope().ipsets[r.p["name"]]
		if set == nil {
			return nil, die("no such IPSet '%s'", r.p["name"])
		}
		return f(r, set)
	}
}

func withEntry(f func(r *request, set *ipset, cidr string) (any, error)) handler {
	return withIPSet(func(r *request, set *ipset) (any, error) {
		if set.entries[r.p["cidr"]] == nil {
			return nil, wrongParam("cidr", "no such IP/Network")
		}
		return f(r, set, r.p["cidr"])
	})
}

func listEntries(_ *request, set *ipset) (any, error) {
	list := []map[string]any{}
	for _, cidr := range slices.Sorted(maps.Keys(set.entries)) {
		list = append(list, set.entry(cidr))
	}
	return list, nil
}

func makeEntry(r *request, set *ipset) (any, error) {
	cidr := r.p["cidr"]
	if set.entries[cidr] != nil {
		return nil, wrongParam("cidr", "address '%s' already exists", cidr)
	}
	if !isAddress(cidr) && r.scope().aliases[cidr] == nil && r.firewall.scopes["cluster"].aliases[cidr] == nil {
		return nil, die("no such alias '%s'", cidr)
	}
	entry := section{}
	entry.change(r.p, entryKeys...)
	set.entries[cidr] = entry
	return nil, nil
}

// isAddress reports whether s is an address or a network.
func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	if err == nil {
		return true
	}
	_, err = netip.ParsePrefix(s)
	return err == nil
}

// firewallRefs are the names that rules can use, of the scope and of the cluster.
func firewallRefs(r *request) (any, error) {
	list := []map[string]any{}
	add := func(where string, s *firewallScope) {
		for _, name := range slices.Sorted(maps.Keys(s.aliases)) {
			if r.p["type"] != "ipset" {
				list = append(list, map[string]any{"type": "alias", "name": name, "ref": where + "/" + name, "scope": where})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.ipsets)) {
			if r.p["type"] != "alias" {
				list = append(list, map[string]any{"type": "ipset", "name": name, "ref": "+" + where + "/" + name, "scope": where})
			}
		}
	}
	if s := r.scope(); s != r.firewall.scopes["cluster"] {
		add("guest", s)
	}
	add("dc", r.firewall.scopes["cluster"])
	return list, nil
}
