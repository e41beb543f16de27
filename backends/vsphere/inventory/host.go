package inventory

import (
	"cmp"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// typicalMiB is what a VM is taken to need of a host until its memory is seen there, so
// that many that are made at once spread.
const typicalMiB = 2048

// available says why a host takes no VMs now.
func (n *node) available() error {
	switch {
	case n.maintenance:
		return refusal(backends.Precondition, "", "host %q is in maintenance mode", n.Name).
			Advise("Choose another host, or take this one out of maintenance mode.")
	case !n.connected:
		return refusal(backends.Precondition, "", "host %q does not answer vCenter, or is disconnected from it", n.Name).
			Advise("Choose another host, or reconnect this one.")
	}
	return nil
}

// members are the hosts of a cluster or compute resource.
func (x *Index) members(compute reference) []*node {
	return filter(x.of(Host), func(n *node) bool { return n.owner == compute })
}

// chooseHost takes the connected host with most free memory, where no DRS does, if possible one that is better.
func (s *site) chooseHost(better func(*node) bool) error {
	all := s.members(s.compute.Ref)
	ready := filter(all, func(n *node) bool { return n.available() == nil })
	if len(ready) == 0 {
		if len(all) == 1 {
			return blame(all[0].available(), "placement.host")
		}
		return refusal(backends.Precondition, "placement.host", "none of the %d hosts of %s takes VMs: all are disconnected or in maintenance mode", len(all), s.compute.Path)
	}
	if best := filter(ready, better); len(best) > 0 {
		ready = best
	}
	s.host = s.roomiest(ready, func(n *node) int64 { return n.free })
	s.promise(s.host.Ref, typicalMiB)
	return nil
}

// roomiest returns the one with most of what free tells, without what was promised since, and the first by path of several.
func (x *Index) roomiest(all []*node, free func(*node) int64) *node {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.MinFunc(all, func(a, b *node) int {
		return cmp.Or(cmp.Compare(free(b)-x.promised[b.Ref], free(a)-x.promised[a.Ref]), byPath(a, b))
	})
}

func (x *Index) promise(ref reference, amount int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.promised[ref] += amount
}
