package vcsim

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// networks makes the networks of the first datacenter. "VM Network" comes with
// the hosts.
func (e *estate) networks(folder *object.Folder, hosts []*object.HostSystem) error {
	for _, ref := range e.server.named(e.seed.Network) {
		if network, ok := e.server.Registry().Get(ref).(*mo.Network); ok {
			e.attachNetwork(network, hosts...)
		}
	}

	if err := e.portGroup(e.seed.SecondNetwork, 0, hosts...); err != nil {
		return err
	}

	if err := e.portGroup(e.seed.LocalNetwork, 0, hosts[len(e.seed.Hosts[0])]); err != nil {
		return err
	}

	dvs, err := e.distributedSwitch(folder, hosts)
	if err != nil {
		return err
	}

	none := &types.VmwareDistributedVirtualSwitchVlanIdSpec{}
	tagged := &types.VmwareDistributedVirtualSwitchVlanIdSpec{VlanId: int32(e.seed.VLAN)}   //nolint:gosec // Below 4096.
	next := &types.VmwareDistributedVirtualSwitchVlanIdSpec{VlanId: int32(e.seed.VLAN + 1)} //nolint:gosec // Below 4096.
	trunk := &types.VmwareDistributedVirtualSwitchTrunkVlanSpec{VlanId: []types.NumericRange{{Start: 100, End: 199}}}

	task, err := dvs.AddPortgroup(e.ctx, []types.DVPortgroupConfigSpec{
		distributed(e.seed.PortGroup, none),
		distributed(e.seed.VLANPortGroup, tagged),
		distributed(e.seed.NextPortGroup, next),
		distributed(e.seed.TrunkPortGroup, trunk),
	})
	if err != nil {
		return err
	}

	if _, err = e.wait(task); err != nil {
		return err
	}

	return e.opaqueNetwork(folder, dvs)
}

func distributed(name string, vlan types.BaseVmwareDistributedVirtualSwitchVlanSpec) types.DVPortgroupConfigSpec {
	return types.DVPortgroupConfigSpec{
		Name:              name,
		Type:              string(types.DistributedVirtualPortgroupPortgroupTypeEarlyBinding),
		NumPorts:          128,
		DefaultPortConfig: &types.VMwareDVSPortSetting{Vlan: vlan},
	}
}

// distributedSwitch makes the switch and lets all hosts join it.
func (e *estate) distributedSwitch(folder *object.Folder, hosts []*object.HostSystem) (*object.DistributedVirtualSwitch, error) {
	spec := types.DVSCreateSpec{ConfigSpec: &types.VMwareDVSConfigSpec{}}
	spec.ConfigSpec.GetDVSConfigSpec().Name = e.seed.Switch

	ref, err := e.result(folder.CreateDVS(e.ctx, spec))
	if err != nil {
		return nil, err
	}

	dvs := object.NewDistributedVirtualSwitch(e.client, ref)

	var join types.DVSConfigSpec
	for _, host := range hosts {
		join.Host = append(join.Host, types.DistributedVirtualSwitchHostMemberConfigSpec{
			Operation: string(types.ConfigSpecOperationAdd),
			Host:      host.Reference(),
		})
	}

	task, err := dvs.Reconfigure(e.ctx, &join)
	if err != nil {
		return nil, err
	}

	if _, err = e.wait(task); err != nil {
		return nil, err
	}

	return dvs, e.uplinks(ref)
}

// uplinks tells the switch which port group is that of its own links, as vCenter does.
func (e *estate) uplinks(ref types.ManagedObjectReference) error {
	dvs, ok := e.server.Registry().Get(ref).(*simulator.DistributedVirtualSwitch)
	if !ok {
		return fmt.Errorf("%s is no switch", ref)
	}

	for _, group := range dvs.Portgroup {
		if strings.Contains(e.server.roster.name(group), "-DVUplinks") {
			dvs.Config.GetDVSConfigInfo().UplinkPortgroup = []types.ManagedObjectReference{group}

			return nil
		}
	}

	return fmt.Errorf("the switch %s has no uplinks", dvs.Name)
}

// opaqueNetwork makes an NSX segment, which is a port group of the switch with
// the segment's id and an opaque network.
func (e *estate) opaqueNetwork(folder *object.Folder, dvs *object.DistributedVirtualSwitch) error {
	const segment = "2f5a7dc4-63d6-4c0a-8f3c-5d7b1e0c9a11"

	task, err := dvs.AddPortgroup(e.ctx, []types.DVPortgroupConfigSpec{{
		Name:              "nsx-" + e.seed.OpaqueNetwork,
		Type:              string(types.DistributedVirtualPortgroupPortgroupTypeEarlyBinding),
		BackingType:       string(types.DistributedVirtualPortgroupBackingTypeNsx),
		LogicalSwitchUuid: segment,
	}})
	if err != nil {
		return err
	}

	if _, err = e.wait(task); err != nil {
		return err
	}

	f, ok := e.server.Registry().Get(folder.Reference()).(*simulator.Folder)
	if !ok {
		return fmt.Errorf("no folder of networks")
	}

	return f.AddOpaqueNetwork(e.server.Context(), types.OpaqueNetworkSummary{
		NetworkSummary:  types.NetworkSummary{Name: e.seed.OpaqueNetwork},
		OpaqueNetworkId: segment,
	})
}
