package vsphere

import (
	"slices"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// observePlacement says where the VM is, in the user's words where they are true: a path that was asked for stays a path. What was not asked
// for is told too, so that somebody who asks for it learns whether it is so. Storage alone is what was asked: it is for disks to come.
func (m *machine) observePlacement() backends.PlacementSpec {
	var asked placementMark
	if m.mark != nil {
		asked = m.mark.Placement
	}
	p := backends.PlacementSpec{Storage: some(asked.Storage)}
	if m.ResourcePool != nil { // a template has none
		p.ResourcePool = m.spelled(asked.ResourcePool, m.ResourcePool)
	}
	if m.index.Standalone() {
		return p // which has one host and one folder
	}
	p.Host, p.Folder = m.spelled(asked.Host, m.Runtime.Host), m.spelled(asked.Folder, m.Parent)
	if compute, ok := m.compute(); ok && compute.Type == "ClusterComputeResource" {
		p.Cluster = m.spelled(asked.Cluster, &compute)
	}
	return p
}

// spelled is the name of what ref points to as it was asked for, or its own. nil is nil.
func (m *machine) spelled(asked string, ref *types.ManagedObjectReference) *string {
	if ref == nil {
		return nil
	}
	return some(m.index.Spelling(asked, *ref))
}

// compute is the cluster or stand-alone host that the VM is in.
func (m *machine) compute() (ref types.ManagedObjectReference, ok bool) {
	for _, of := range []*types.ManagedObjectReference{m.ResourcePool, m.Runtime.Host} {
		if of == nil {
			continue
		}
		if c, found := m.index.Compute(*of); found {
			return c.Ref, true
		}
	}
	return types.ManagedObjectReference{}, false
}

// places are what VMs refer to that says where they are, as far as it was read.
func places(vms []mo.VirtualMachine) []types.ManagedObjectReference {
	var all []types.ManagedObjectReference
	for i := range vms {
		for _, ref := range []*types.ManagedObjectReference{vms[i].Runtime.Host, vms[i].Parent, vms[i].ResourcePool} {
			if ref != nil && !slices.Contains(all, *ref) {
				all = append(all, *ref)
			}
		}
	}
	return all
}

// host is the name of the host that the VM is on.
func (m *machine) host() string {
	if m.Runtime.Host == nil {
		return ""
	}
	return m.index.Name(*m.Runtime.Host)
}
