package inventory

import (
	"context"
	"errors"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Place is where a VM goes.
type Place struct {
	Datacenter Object
	Folder     Object
	Pool       Object
	Host       *Object // nil: the cluster's choice
	Compute    Object  // cluster or stand-alone host of Pool
	Datastore  *Object // or datastore cluster, for disks that name none; nil: none is the default and there are several
	Hardware   int64   // version of virtual hardware that a new VM gets, 19 for vmx-19: the least where hosts differ
}

// Place resolves a placement, with the provider's defaults and the only ones there are for what it leaves out. Errors
// blame placement.host and so on, or name the setting of the provider block; what does not fit together (a host of another cluster) is Invalid,
// a host that takes no VMs now is a Precondition.
//
// A default that does not fit what the placement says is left out. A cluster
// without DRS chooses no host, so there the connected one with most free memory is chosen.
func (i *Inventory) Place(ctx context.Context, p backends.PlacementSpec) (Place, error) {
	return again(ctx, i, func(x *Index) (Place, error) { return x.place(p) })
}

// site is a placement while it is resolved.
type site struct {
	*Index
	spec backends.PlacementSpec

	compute, pool, host *node
	dc                  reference // that is asked for, or zero
	from                *Place    // where the VM is that is placed, nil for a new one
}

func (x *Index) place(p backends.PlacementSpec) (Place, error) {
	s := &site{Index: x, spec: p}
	if err := s.datacenter(); err != nil {
		return Place{}, err
	}
	for _, step := range []func() error{s.asked, s.usual, s.choose} {
		if err := step(); err != nil {
			return Place{}, err
		}
	}
	folder, err := s.folder()
	if err != nil {
		return Place{}, err
	}
	place := Place{Folder: folder.Object, Pool: s.pool.Object, Compute: s.compute.Object}
	place.Datacenter, _ = x.Object(s.compute.Datacenter)
	if s.host != nil {
		place.Host = new(s.host.Object)
	}
	place.Hardware = x.hardware(place)
	storage, err := s.storage(place)
	if err != nil {
		return Place{}, err
	}
	if storage != nil {
		place.Datastore = new(storage.Object)
	}
	return place, nil
}

// datacenter checks the provider's.
func (s *site) datacenter() error {
	if s.defaults.Datacenter == "" {
		return nil
	}
	n, err := s.find(s.defaults.Datacenter, nil, Datacenter)
	if err != nil {
		return ofProvider(err, "datacenter")
	}
	s.dc = n.Ref
	return nil
}

// asked resolves what the placement itself says of host, cluster and resource pool.
func (s *site) asked() error {
	if name := s.spec.Cluster; name != nil {
		n, err := s.find(*name, s.local, Cluster)
		if err != nil {
			return blame(err, "placement.cluster")
		}
		s.compute = n
	}
	if name := s.spec.Host; name != nil {
		n, err := s.find(*name, s.local, Host)
		if err != nil {
			return blame(err, "placement.host")
		}
		if s.compute != nil && n.owner != s.compute.Ref {
			return refusal(backends.Invalid, "placement.host", "host %q is not in cluster %q, but in %s", *name, *s.spec.Cluster, s.nodes[n.owner].Path)
		}
		if err := n.available(); err != nil && (s.from == nil || s.from.Host == nil || s.from.Host.Ref != n.Ref) {
			return blame(err, "placement.host")
		}
		s.host, s.compute = n, s.nodes[n.owner]
	}
	if name := s.spec.ResourcePool; name != nil {
		n, err := s.find(*name, s.local, Pool)
		if err != nil {
			return blame(err, "placement.resource_pool")
		}
		if s.compute != nil && n.owner != s.compute.Ref {
			return refusal(backends.Invalid, "placement.resource_pool", "resource pool %q is that of %s, and the VM goes to %s", *name, s.nodes[n.owner].Path, s.compute.Path).
				Advise("A resource pool belongs to one cluster or stand-alone host: name one of %s.", s.compute.Path)
		}
		s.pool, s.compute = n, s.nodes[n.owner]
	}
	return nil
}

// local reports whether an object can be meant together with what is known already.
func (s *site) local(n *node) bool {
	if s.compute != nil {
		return n.owner == s.compute.Ref || n.owner.Value == "" && n.Datacenter == s.compute.Datacenter
	}
	if s.from != nil {
		return n.owner == s.from.Compute.Ref || n.owner.Value == "" && n.Datacenter == s.from.Datacenter.Ref
	}
	if n.Kind == Pool && s.defaults.Cluster != "" {
		return s.Names(s.defaults.Cluster, n.owner)
	}
	return s.dc.Value == "" || n.Datacenter == s.dc
}

// usual adds the provider's settings, as far as they fit what is asked.
func (s *site) usual() error {
	d := s.defaults
	free := s.compute == nil // the settings choose where, so they have to fit together
	if d.Cluster != "" && free {
		n, err := s.find(d.Cluster, s.local, Cluster)
		if err != nil {
			return ofProvider(err, "cluster")
		}
		s.compute = n
	}
	if d.Host != "" && free {
		n, err := s.find(d.Host, s.local, Host)
		if err == nil {
			err = n.available()
		}
		if err != nil {
			return ofProvider(err, "host")
		}
		if s.compute != nil && n.owner != s.compute.Ref {
			return refusal(backends.Invalid, "", "the provider's vsphere.host %q is not in its vsphere.cluster %q", d.Host, d.Cluster)
		}
		s.host, s.compute = n, s.nodes[n.owner]
	}
	if d.ResourcePool != "" && s.pool == nil {
		n, err := s.find(d.ResourcePool, s.local, Pool)
		if err != nil && free {
			return ofProvider(err, "resource_pool")
		}
		switch {
		case n == nil: // ambiguous: none is that of this cluster
		case s.compute == nil || n.owner == s.compute.Ref:
			s.pool, s.compute = n, s.nodes[n.owner]
		case free:
			return refusal(backends.Invalid, "", "the provider's vsphere.resource_pool %q is not that of %s, where VMs go by its other settings", d.ResourcePool, s.compute.Path)
		}
	}
	return nil
}

// choose fills in what nobody said.
func (s *site) choose() error {
	if s.compute == nil {
		all := filter(s.hostsOwners(), func(n *node) bool { return s.dc.Value == "" || n.Datacenter == s.dc })
		if dc := s.folderDatacenter(); dc.Value != "" {
			all = filter(all, within(dc))
		}
		switch len(all) {
		case 0:
			return refusal(backends.NotFound, "", "there is no cluster and no host that the account may see")
		case 1:
			s.compute = all[0]
		default:
			return refusal(backends.Invalid, "placement.cluster", "there are several clusters and hosts that it could go to: %s", paths(all)).
				Advise("Set placement.cluster, placement.host or placement.resource_pool, or vsphere.cluster or vsphere.host in the provider block.")
		}
	}
	if s.pool == nil {
		s.pool = s.nodes[s.compute.root]
	}
	if s.pool == nil {
		return s.noRootPool()
	}
	if s.host != nil || s.compute.drs {
		return nil
	}
	return s.chooseHost(func(*node) bool { return true })
}

func (s *site) noRootPool() error {
	return refusal(backends.Auth, "placement.resource_pool", "the account may not see the root resource pool of %s", s.compute.Path).
		Advise("Grant Resource.AssignVMToPool on the cluster or one of its resource pools, and name that in placement.resource_pool.")
}

// hostsOwners are the clusters and stand-alone compute resources, by path.
func (x *Index) hostsOwners() []*node {
	seen := map[reference]bool{}
	var out []*node
	for _, h := range x.of(Host) {
		if n := x.nodes[h.owner]; n != nil && !seen[n.Ref] {
			seen[n.Ref] = true
			out = append(out, n)
		}
	}
	return out
}

// folderDatacenter is that of the folder which is asked for, if it can be told.
func (s *site) folderDatacenter() reference {
	name := s.defaults.Folder
	if s.spec.Folder != nil {
		name = *s.spec.Folder
	}
	if name == "" {
		return reference{}
	}
	if all := s.match(name, Folder); len(all) == 1 {
		return all[0].Datacenter
	}
	return reference{}
}

func (s *site) folder() (*node, error) {
	dc := s.nodes[s.compute.Datacenter]
	if dc == nil {
		return nil, refusal(backends.Internal, "", "vSphere does not tell the datacenter of %s", s.compute.Path)
	}
	if name := s.spec.Folder; name != nil {
		n, err := s.find(*name, within(dc.Ref), Folder)
		if err != nil {
			return nil, blame(err, "placement.folder")
		}
		if n.Datacenter != dc.Ref {
			return nil, refusal(backends.Invalid, "placement.folder", "folder %s is in another datacenter than %s", n.Path, s.compute.Path)
		}
		return n, nil
	}
	if name := s.defaults.Folder; name != "" {
		n, err := s.find(name, within(dc.Ref), Folder)
		if err != nil {
			return nil, ofProvider(err, "folder")
		}
		if n.Datacenter == dc.Ref {
			return n, nil
		}
	}
	if n := s.nodes[dc.root]; n != nil {
		return n, nil
	}
	return nil, refusal(backends.Auth, "placement.folder", "the account may not see the folder of VMs of datacenter %q", dc.Name).
		Advise("Name a folder that it may see in placement.folder.")
}

// ofProvider says which setting of the provider block is to blame.
func ofProvider(err error, setting string) error {
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	c := refusal(e.Code, "", "the provider's vsphere.%s: %w", setting, e.Err)
	c.Remedy = e.Remedy
	return c
}
