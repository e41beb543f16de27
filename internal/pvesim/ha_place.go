package pvesim

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// nodePriorities are the nodes of a group or rule with their priorities: "pve1:2,pve2".
func nodePriorities(list string) map[string]int {
	nodes := map[string]int{}
	for _, entry := range splitList(list) {
		name, priority, _ := strings.Cut(entry, ":")
		nodes[name], _ = strconv.Atoi(priority)
	}
	return nodes
}

// haWanted says where a service shall be: nodes with priorities (none: anywhere), whether only there, and
// whether it goes back to the best of them from another.
func (c *cluster) haWanted(sid string) (nodes map[string]int, only, back bool) {
	res := c.ha.resources[sid]
	if group := c.ha.groups[res["group"]]; group != nil {
		return nodePriorities(group["nodes"]), group["restricted"] == "1", group["nofailback"] != "1"
	}
	for _, id := range c.ha.order {
		rule := c.ha.rules[id]
		if rule["type"] == "node-affinity" && rule["disable"] != "1" && slices.Contains(splitList(rule["resources"]), sid) {
			return nodePriorities(rule["nodes"]), rule["strict"] == "1", res["failback"] != "0"
		}
	}
	return nil, false, true
}

// haAffine are the services that a service is to be with, and those that it is to be apart from.
func (c *cluster) haAffine(sid string) (with, apart []string) {
	for _, id := range c.ha.order {
		rule := c.ha.rules[id]
		sids := splitList(rule["resources"])
		if rule["type"] != "resource-affinity" || rule["disable"] == "1" || !slices.Contains(sids, sid) {
			continue
		}
		others := slices.DeleteFunc(sids, func(s string) bool { return s == sid })
		if rule["affinity"] == "positive" {
			with = append(with, others...)
		} else {
			apart = append(apart, others...)
		}
	}
	return with, apart
}

// haMotion are the services that come along when a service moves, and by node those that are in its way.
func (c *cluster) haMotion(sid string) (with []string, against map[string][]map[string]any) {
	together, apart := c.haAffine(sid)
	for _, other := range together {
		if c.ha.services[other] != nil {
			with = append(with, other)
		}
	}
	against = map[string][]map[string]any{}
	for _, other := range apart {
		if s := c.ha.services[other]; s != nil {
			against[s.node] = append(against[s.node], map[string]any{"sid": other, "cause": "resource-affinity"})
		}
	}
	return with, against
}

// bound is the node where a service is, or that it is on its way to.
func (s *service) bound() string {
	if s.target != "" {
		return s.target
	}
	return s.node
}

// haPlace chooses the node of a service that is to run, "" where none will do. next asks for another than those
// where it did not start.
func (c *cluster) haPlace(sid string, s *service, next bool) string {
	wanted, only, back := c.haWanted(sid)
	ranks := map[string]int{}
	for _, n := range c.members() {
		if !c.haOnline(n.name) {
			continue
		}
		rank, named := wanted[n.name]
		if !named {
			if only {
				continue
			}
			if rank = 0; len(wanted) > 0 {
				rank = -1
			}
		}
		ranks[n.name] = rank
	}
	if len(ranks) == 0 {
		return ""
	}
	with, apart := c.haAffine(sid)
	for _, other := range apart {
		if o := c.ha.services[other]; o != nil && len(ranks) > 1 {
			delete(ranks, o.bound())
		}
	}
	for _, other := range with {
		if o := c.ha.services[other]; o != nil && (o.running || other < sid) {
			if rank, can := ranks[o.bound()]; can {
				ranks = map[string]int{o.bound(): rank}
				break
			}
		}
	}
	if _, here := ranks[s.node]; here && !next && !back {
		return s.node
	}
	best := slices.Max(slices.Collect(maps.Values(ranks)))
	var names []string
	for name, rank := range ranks {
		if rank == best && !(next && slices.Contains(s.failed, name)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	if !next && slices.Contains(names, s.node) {
		return s.node
	}
	load := map[string]int{}
	for _, o := range c.ha.services {
		if o.state != "stopped" {
			load[o.node]++
		}
	}
	return slices.MinFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(load[a], load[b]), cmp.Compare(a, b)) })
}
