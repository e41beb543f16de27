package inventory

import (
	"context"
	"fmt"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Move is what decides where a VM goes that exists.
type Move struct {
	From Place // where it is
	// To names what it goes to; what it leaves out stays as it is as far as it can. Storage is not looked at.
	To backends.PlacementSpec
	// Uses are the networks and datastores that the VM goes on to use.
	Uses []types.ManagedObjectReference
	// Pinned asks for a host also where DRS would choose one, as templates do.
	Pinned bool
}

// Destination resolves where a VM goes. What does not fit together is Invalid, a host that takes no VMs now, or does
// not have what the VM uses, a Precondition; all of them blame an attribute. Of a host chosen by DRS, Host is nil.
func (i *Inventory) Destination(ctx context.Context, m Move) (Place, error) {
	return again(ctx, i, func(x *Index) (Place, error) { return x.destination(m) })
}

func (x *Index) destination(m Move) (Place, error) {
	s := &site{Index: x, spec: m.To, from: &m.From}
	if err := s.asked(); err != nil {
		return Place{}, err
	}
	to := m.From
	if s.compute != nil && s.compute.Ref != m.From.Compute.Ref {
		if err := s.elsewhere(m); err != nil {
			return Place{}, err
		}
		to.Compute, to.Pool = s.compute.Object, s.pool.Object
		to.Datacenter, _ = x.Object(s.compute.Datacenter)
		to.Host = nil
	} else {
		s.compute = x.nodes[m.From.Compute.Ref]
	}
	if s.compute == nil {
		return Place{}, refusal(backends.Internal, m.blame(), "the inventory does not have the host that the VM is on")
	}
	if s.pool != nil {
		to.Pool = s.pool.Object
	}
	if s.host != nil {
		to.Host = new(s.host.Object)
	}
	if m.To.Folder != nil || to.Datacenter.Ref != m.From.Datacenter.Ref {
		folder, err := s.folder()
		if err != nil {
			return Place{}, err
		}
		to.Folder = folder.Object
	}
	return to, x.check(m, to)
}

// elsewhere chooses pool and host in another cluster.
func (s *site) elsewhere(m Move) error {
	if s.pool == nil && s.defaults.ResourcePool != "" {
		owned := filter(s.match(s.defaults.ResourcePool, Pool), func(n *node) bool { return n.owner == s.compute.Ref })
		if len(owned) == 1 {
			s.pool = owned[0]
		}
	}
	if s.pool == nil {
		s.pool = s.nodes[s.compute.root]
	}
	if s.pool == nil {
		return s.noRootPool()
	}
	if s.host != nil || s.compute.drs && !m.Pinned {
		return nil
	}
	return s.chooseHost(func(host *node) bool {
		return s.lacking(Place{Host: &host.Object, Datacenter: Object{Ref: host.Datacenter}}, m.Uses) == nil
	})
}

// check says what a place lacks that the VM uses, where that is not where it is.
func (x *Index) check(m Move, to Place) error {
	if to.Host != nil && m.From.Host != nil && to.Host.Ref == m.From.Host.Ref {
		return nil
	}
	n := x.lacking(to, m.Uses)
	if n == nil {
		return nil
	}
	e := refusal(backends.Precondition, m.blame(), "%s %q, which the VM uses, is not on %s", n.Kind, n.Name, to.hosts())
	if n.Kind == Network {
		return e.Advise("Choose a host that has it, or connect the VM's interfaces to a network of the new one first.")
	}
	return e.Advise("Choose a host that has it mounted, or move what the VM has there in the same change, by the disks' storage.")
}

// lacking returns the first of refs that hosts of a place do not see.
func (x *Index) lacking(p Place, refs []types.ManagedObjectReference) *node {
	for _, ref := range refs {
		n := x.nodes[ref]
		switch {
		case n == nil:
		case n.Kind == Network && x.reachable(p, n) != nil,
			n.Kind == Datastore && len(n.mounts) > 0 && !x.seen(p, func(h *node) bool { return n.mounts[h.Ref] }):
			return n
		}
	}
	return nil
}

// blame is the attribute that decides where the VM goes.
func (m Move) blame() backends.Path {
	switch {
	case m.To.Host != nil:
		return "placement.host"
	case m.To.Cluster != nil:
		return "placement.cluster"
	case m.To.ResourcePool != nil:
		return "placement.resource_pool"
	}
	return "placement.folder"
}

// hosts names those that have to see what a VM at p uses.
func (p Place) hosts() string {
	if p.Host != nil {
		return fmt.Sprintf("host %q", p.Host.Name)
	}
	return fmt.Sprintf("the hosts of cluster %q", p.Compute.Name)
}
