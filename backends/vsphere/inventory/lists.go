package inventory

import (
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Hosts lists the hosts, by the names that Find takes.
func (x *Index) Hosts() []backends.Host {
	all := x.of(Host)
	out := make([]backends.Host, 0, len(all))
	for _, n := range all {
		h := backends.Host{Name: x.Name(n.Ref), Online: n.available() == nil, CPUs: n.cpus, MemoryMiB: n.memory}
		if owner := x.nodes[n.owner]; owner != nil && owner.Kind == Cluster {
			h.Cluster = x.Name(owner.Ref)
		}
		out = append(out, h)
	}
	return out
}

// Networks lists the networks, by the names that NetworkBacking takes, without the port groups of switches' own links.
func (x *Index) Networks() []backends.Network {
	var out []backends.Network
	for _, n := range x.of(Network) {
		if n.net.uplink {
			continue
		}
		one := backends.Network{Name: x.Name(n.Ref), Kind: "standard", VLAN: max(n.net.vlan, 0), Active: n.net.accessible}
		switch n.Ref.Type {
		case "DistributedVirtualPortgroup":
			one.Kind = "distributed"
		case "OpaqueNetwork":
			one.Kind = "opaque"
		}
		out = append(out, one)
	}
	return out
}

// Storages lists the datastores and datastore clusters, by the names that Storage takes. What a
// cluster has free is that of all its datastores together.
func (x *Index) Storages() []backends.Storage {
	var out []backends.Storage
	clusters := map[reference]*backends.Storage{}
	for _, n := range x.of(DatastoreCluster) {
		clusters[n.Ref] = &backends.Storage{Name: x.Name(n.Ref), Kind: string(DatastoreCluster), Shared: true}
	}
	for _, n := range x.of(Datastore) {
		s := n.summary
		one := backends.Storage{
			Name: x.Name(n.Ref), Kind: s.Type, CapacityBytes: s.Capacity, FreeBytes: s.FreeSpace, Active: n.online(), Shared: n.shared(),
		}
		if c := clusters[n.owner]; c != nil {
			c.CapacityBytes += one.CapacityBytes
			c.FreeBytes += one.FreeBytes
			c.Active, c.Shared = c.Active || one.Active, c.Shared && one.Shared
		}
		out = append(out, one)
	}
	for _, n := range x.of(DatastoreCluster) {
		out = append(out, *clusters[n.Ref])
	}
	return out
}

// online reports whether a datastore can be used from somewhere.
func (n *node) online() bool {
	m := n.summary.MaintenanceMode
	return n.summary.Accessible && (m == "" || m == "normal")
}

// shared reports whether several hosts have a datastore.
func (n *node) shared() bool {
	if s := n.summary.MultipleHostAccess; s != nil {
		return *s
	}
	return len(n.mounts) > 1
}
