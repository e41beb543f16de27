package vcsim

import (
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// portGroup makes a standard port group on the first virtual switch of each
// host. Hosts that have one of the same name share the network.
func (e *estate) portGroup(name string, vlan int32, hosts ...*object.HostSystem) error {
	var network *mo.Network

	ctx := e.server.Context()

	for _, h := range hosts {
		host, ok := ctx.Map.Get(h.Reference()).(*simulator.HostSystem)
		if !ok {
			continue
		}

		if network == nil {
			system, err := h.ConfigManager().NetworkSystem(e.ctx)
			if err != nil {
				return err
			}

			err = system.AddPortGroup(e.ctx, types.HostPortGroupSpec{Name: name, VlanId: vlan, VswitchName: "vSwitch0"})
			if err != nil {
				return err
			}

			for _, ref := range e.server.named(name) {
				if n, ok := ctx.Map.Get(ref).(*mo.Network); ok {
					network = n
				}
			}
		}

		if network == nil {
			continue
		}

		host.Network = append(host.Network, network.Self)
		network.Host = append(network.Host, host.Self)

		e.attach(host, network.Self)
	}

	return nil
}

// attach adds the network to those of the host's compute resource.
func (e *estate) attach(host *simulator.HostSystem, network types.ManagedObjectReference) {
	var networks *[]types.ManagedObjectReference

	switch parent := e.server.Registry().Get(*host.Parent).(type) {
	case *simulator.ClusterComputeResource:
		networks = &parent.Network
	case *mo.ComputeResource:
		networks = &parent.Network
	default:
		return
	}

	if simulator.FindReference(*networks, network) == nil {
		*networks = append(*networks, network)
	}
}
