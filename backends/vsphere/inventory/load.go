package inventory

import (
	"context"

	govmomifault "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// pageSize is how many objects one answer holds.
const pageSize = 500

// wanted are the properties that are read of each type. A type is listed beside its base
// with all that is wanted of it, since not every server merges the two.
var wanted = []types.PropertySpec{
	{Type: "Datacenter", PathSet: []string{"name", "parent", "vmFolder", "hostFolder", "datastoreFolder", "networkFolder", "configuration"}},
	{Type: "Folder", PathSet: []string{"name", "parent"}},
	{Type: "StoragePod", PathSet: []string{"name", "parent"}},
	{Type: "ComputeResource", PathSet: []string{"name", "parent", "resourcePool", "configurationEx"}},
	{Type: "ClusterComputeResource", PathSet: []string{"name", "parent", "resourcePool", "configurationEx"}},
	{Type: "HostSystem", PathSet: []string{
		"name", "parent", "runtime.connectionState", "runtime.inMaintenanceMode",
		"summary.config.product", "summary.hardware", "summary.quickStats.overallMemoryUsage", "datastore", "network",
	}},
	{Type: "ResourcePool", PathSet: []string{"name", "parent", "owner"}},
	{Type: "VirtualApp", PathSet: []string{"name", "parent", "owner"}},
	{Type: "Datastore", PathSet: []string{"name", "parent", "summary", "host"}},
	{Type: "Network", PathSet: []string{"name", "parent", "summary"}},
	{Type: "OpaqueNetwork", PathSet: []string{"name", "parent", "summary"}},
	{Type: "DistributedVirtualPortgroup", PathSet: []string{
		"name", "parent", "summary", "key", "config.logicalSwitchUuid", "config.distributedVirtualSwitch", "config.defaultPortConfig",
	}},
	{Type: "DistributedVirtualSwitch", PathSet: []string{"name", "parent", "uuid", "config.uplinkPortgroup"}},
	{Type: "VmwareDistributedVirtualSwitch", PathSet: []string{"name", "parent", "uuid", "config.uplinkPortgroup"}},
}

// traversal goes from the root folder to everything but VMs: each kind of folder has a
// step of its own, so that a VM in one is not followed to what it refers to.
func traversal() []types.BaseSelectionSpec {
	name := func(n string) types.BaseSelectionSpec { return &types.SelectionSpec{Name: n} }
	step := func(n, kind, path string, next ...types.BaseSelectionSpec) *types.TraversalSpec {
		return &types.TraversalSpec{SelectionSpec: types.SelectionSpec{Name: n}, Type: kind, Path: path, SelectSet: next}
	}
	in := func(n string, next ...types.BaseSelectionSpec) *types.TraversalSpec {
		return step(n, "Folder", "childEntity", append(next, name(n))...)
	}
	return []types.BaseSelectionSpec{in("folders",
		step("vmFolder", "Datacenter", "vmFolder", in("vms")),
		step("datastoreFolder", "Datacenter", "datastoreFolder", in("datastores")),
		step("networkFolder", "Datacenter", "networkFolder", in("networks")),
		step("hostFolder", "Datacenter", "hostFolder", in("hosts",
			step("host", "ComputeResource", "host"),
			step("rootPool", "ComputeResource", "resourcePool", step("pools", "ResourcePool", "resourcePool", name("pools"))),
		)),
	)}
}

// properties are what is told of one object.
type properties map[string]any

// get returns a property, or the zero value where the user may not see it or there is none.
func get[T any](p properties, name string) T {
	v, _ := p[name].(T)
	return v
}

// refs returns a property that is a list of references.
func refs(p properties, name string) []types.ManagedObjectReference {
	return get[types.ArrayOfManagedObjectReference](p, name).ManagedObjectReference
}

// load reads the inventory: one traversal, and the VLANs of standard port groups.
func (i *Inventory) load(ctx context.Context) (*Index, error) {
	all, err := i.retrieve(ctx, types.PropertyFilterSpec{
		PropSet: wanted,
		ObjectSet: []types.ObjectSpec{{
			Obj: i.conn.VIM().ServiceContent.RootFolder, Skip: types.NewBool(true), SelectSet: traversal(),
		}},
	})
	if err != nil {
		return nil, fault.WrapBulk(err, "read the inventory", "")
	}
	x := newIndex(all, i.defaults, !i.conn.VCenter())
	x.newest = newestHardware(i.conn.About().ApiVersion)
	i.loadVLANs(ctx, x)
	return x, nil
}

// loadVLANs asks one host of each standard port group for its VLAN. Who may not see hosts'
// configuration does without.
func (i *Inventory) loadVLANs(ctx context.Context, x *Index) {
	ask := x.tellers()
	if len(ask) == 0 {
		return
	}
	spec := types.PropertyFilterSpec{PropSet: []types.PropertySpec{
		{Type: "HostSystem", PathSet: []string{"configManager.networkSystem"}},
		{Type: "HostNetworkSystem", PathSet: []string{"networkInfo.portgroup"}},
	}}
	step := &types.TraversalSpec{Type: "HostSystem", Path: "configManager.networkSystem"}
	for _, host := range ask {
		spec.ObjectSet = append(spec.ObjectSet, types.ObjectSpec{Obj: host, SelectSet: []types.BaseSelectionSpec{step}})
	}
	answers, err := i.retrieve(ctx, spec)
	if err != nil {
		return
	}
	for _, host := range ask {
		system := answers[get[reference](answers[host], "configManager.networkSystem")]
		vlans := map[string]int64{}
		for _, g := range get[types.ArrayOfHostPortGroup](system, "networkInfo.portgroup").HostPortGroup {
			vlans[g.Spec.Name] = int64(g.Spec.VlanId)
		}
		x.setVLANs(host, vlans)
	}
}

// loadTries is how often a traversal is made in whose middle an object vanishes.
const loadTries = 5

// vanished reports whether somebody deleted an object of the inventory while it was read.
func vanished(err error) bool {
	var none *types.ManagedObjectNotFound
	_, is := govmomifault.As(err, &none)
	return is && none.Obj.Type != "PropertyCollector"
}

func (i *Inventory) retrieve(ctx context.Context, spec types.PropertyFilterSpec) (map[types.ManagedObjectReference]properties, error) {
	spec.ReportMissingObjectsInResults = types.NewBool(true)
	res, err := property.DefaultCollector(i.conn.VIM()).RetrieveProperties(ctx,
		types.RetrieveProperties{SpecSet: []types.PropertyFilterSpec{spec}}, pageSize)
	for try := 1; vanished(err) && try < loadTries; try++ {
		res, err = property.DefaultCollector(i.conn.VIM()).RetrieveProperties(ctx,
			types.RetrieveProperties{SpecSet: []types.PropertyFilterSpec{spec}}, pageSize)
	}
	if err != nil {
		return nil, err
	}
	all := make(map[types.ManagedObjectReference]properties, len(res.Returnval))
	for _, o := range res.Returnval {
		p := make(properties, len(o.PropSet))
		for _, one := range o.PropSet {
			p[one.Name] = one.Val
		}
		all[o.Obj] = p
	}
	return all, nil
}
