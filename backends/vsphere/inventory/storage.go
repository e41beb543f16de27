package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const gib = int64(1) << 30

// Storage returns the datastore for a disk of a VM at p: the one that name names, of a datastore cluster the one with most
// free space that the VM's hosts see, and p.Datastore where name is nil. needBytes, where known, lets one that lacks the space be Exhausted.
// Errors blame placement.storage where name is nil, else no attribute.
func (i *Inventory) Storage(ctx context.Context, p Place, name *string, needBytes int64) (Object, error) {
	return again(ctx, i, func(x *Index) (Object, error) {
		n, err := x.storageOf(p, name)
		if err == nil {
			n, err = x.usable(p, n, needBytes)
		}
		if err != nil {
			if name == nil {
				err = blame(err, "placement.storage")
			}
			return Object{}, err
		}
		return n.Object, nil
	})
}

// storageOf is the datastore or datastore cluster that is asked for.
func (x *Index) storageOf(p Place, name *string) (*node, error) {
	if name != nil {
		n, err := x.find(*name, within(p.Datacenter.Ref), Datastore, DatastoreCluster)
		if err == nil && n.Datacenter != p.Datacenter.Ref {
			return nil, refusal(backends.Invalid, "", "%s %s is in another datacenter than the VM, which goes to %s", n.Kind, n.Path, p.Compute.Path)
		}
		return n, err
	}
	if p.Datastore != nil {
		if n := x.nodes[p.Datastore.Ref]; n != nil {
			return n, nil
		}
		return nil, refusal(backends.NotFound, "", "%s %q is no longer there", p.Datastore.Kind, p.Datastore.Name)
	}
	all := x.mounted(p)
	if len(all) == 0 {
		return nil, refusal(backends.NotFound, "", "there is no datastore that can be written to from %s", p.hosts())
	}
	return nil, refusal(backends.Invalid, "", "there are several datastores, and none is named: %s", rooms(all)).
		Advise("Set placement.storage, the disk's storage, or vsphere.datastore in the provider block.")
}

// usable returns the datastore itself, or the best member of a datastore cluster, if a VM at p can use it and it has room.
func (x *Index) usable(p Place, n *node, need int64) (*node, error) {
	if n.Kind == Datastore {
		if refused := x.usableBy(p, n); refused != nil {
			return nil, refused
		}
		if n.summary.FreeSpace < need {
			return nil, refusal(backends.Exhausted, "", "datastore %q has %s GiB free of %s GiB, and %s GiB are needed",
				n.Name, inGiB(n.summary.FreeSpace), inGiB(n.summary.Capacity), inGiB(need)).
				Advise("Choose another datastore, or make room on this one.")
		}
		return n, nil
	}
	members := filter(x.of(Datastore), func(d *node) bool { return d.owner == n.Ref })
	if len(members) == 0 {
		return nil, refusal(backends.Precondition, "", "datastore cluster %q has no datastore that the account may see", n.Name)
	}
	fit := filter(members, func(d *node) bool { return x.usableBy(p, d) == nil })
	if len(fit) == 0 {
		first := x.usableBy(p, members[0])
		return nil, refusal(backends.CodeOf(first), "", "no datastore of datastore cluster %q can be used; %w", n.Name, first.Err)
	}
	best := x.roomiest(fit, func(d *node) int64 { return d.summary.FreeSpace })
	if best.summary.FreeSpace < need {
		return nil, refusal(backends.Exhausted, "", "no datastore of datastore cluster %q has the %s GiB that are needed: %s", n.Name, inGiB(need), rooms(fit)).
			Advise("Choose another datastore, or make room on one of these.")
	}
	x.promise(best.Ref, max(need, gib))
	return best, nil
}

// usableBy says why a VM at p cannot use a datastore.
func (x *Index) usableBy(p Place, d *node) *backends.Error {
	if m := d.summary.MaintenanceMode; m != "" && m != string(types.DatastoreSummaryMaintenanceModeStateNormal) {
		return refusal(backends.Precondition, "", "datastore %q is in maintenance mode", d.Name)
	}
	if !d.summary.Accessible {
		return refusal(backends.Precondition, "", "datastore %q is not accessible from any host", d.Name)
	}
	if len(d.mounts) == 0 || x.seen(p, func(host *node) bool { return d.mounts[host.Ref] }) {
		return nil // accessible, and where from the account may not see
	}
	return refusal(backends.Invalid, "", "datastore %q is not mounted on %s, or cannot be written to from there", d.Name, p.hosts()).
		Advise("Choose a datastore of that host, or a host that has this datastore.")
}

// seen reports whether the host of a place has something or, where the cluster chooses the host, any of its hosts.
func (x *Index) seen(p Place, has func(host *node) bool) bool {
	if p.Host != nil {
		host := x.nodes[p.Host.Ref]
		return host != nil && has(host)
	}
	members := x.members(p.Compute.Ref)
	return len(members) == 0 || slices.ContainsFunc(members, has) // none: the account may not see them
}

// mounted are the datastores that a VM at p can use now.
func (x *Index) mounted(p Place) []*node {
	return filter(x.of(Datastore), func(d *node) bool {
		return d.Datacenter == p.Datacenter.Ref && x.usableBy(p, d) == nil
	})
}

// storage is the datastore for disks that name none: the placement's, the provider's, the only
// one there is, and on a stand-alone ESXi the one with most room.
func (s *site) storage(p Place) (*node, error) {
	if name := s.spec.Storage; name != nil {
		n, err := s.storageOf(p, name)
		return n, blame(err, "placement.storage")
	}
	if name := s.defaults.Datastore; name != "" {
		n, err := s.find(name, within(p.Datacenter.Ref), Datastore, DatastoreCluster)
		if err != nil {
			return nil, ofProvider(err, "datastore")
		}
		if n.Datacenter == p.Datacenter.Ref {
			return n, nil
		}
	}
	all := s.mounted(p)
	switch {
	case len(all) == 1:
		return all[0], nil
	case len(all) > 1 && s.standalone:
		return s.roomiest(all, func(n *node) int64 { return n.summary.FreeSpace }), nil
	}
	return nil, nil
}

// rooms lists datastores with what is free in each.
func rooms(all []*node) string {
	out := make([]string, len(all))
	for i, n := range all {
		out[i] = fmt.Sprintf("%s (%s GiB free)", n.Name, inGiB(n.summary.FreeSpace))
	}
	return strings.Join(out, ", ")
}

// inGiB writes bytes in GiB, with a tenth where it matters.
func inGiB(bytes int64) string {
	if bytes%gib == 0 || bytes > 100*gib {
		return fmt.Sprintf("%d", bytes/gib)
	}
	return fmt.Sprintf("%.1f", float64(bytes)/float64(gib))
}
