package inventory

import (
	"context"
	"slices"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// segment is what is known of a network.
type segment struct {
	switchUUID, portgroup string // of a distributed port group
	opaqueID, opaqueType  string // of an opaque network
	logicalSwitch         string // of a distributed port group that NSX made: the opaqueID of what it stands for
	uplink                bool   // the port group of a switch's own links
	accessible            bool
	distributed           bool
	vlan                  int64 // 0 none, -1 a trunk or not known
}

// unknownVLAN is the tag where there is not one tag, or the account may not see it.
const unknownVLAN = -1

// trunkVLAN is the tag of a standard port group that passes all tags on.
const trunkVLAN = 4095

// wire fills in what is known of a network; all has the switches.
func (n *node) wire(p properties, all map[reference]properties) {
	n.net.vlan = unknownVLAN
	switch s := p["summary"].(type) {
	case types.OpaqueNetworkSummary:
		n.net.accessible = s.Accessible
		n.net.opaqueID, n.net.opaqueType = s.OpaqueNetworkId, s.OpaqueNetworkType
	case types.NetworkSummary:
		n.net.accessible = s.Accessible
	}
	if n.Ref.Type != "DistributedVirtualPortgroup" {
		return
	}
	n.net.distributed = true
	n.net.portgroup = get[string](p, "key")
	n.net.logicalSwitch = get[string](p, "config.logicalSwitchUuid")
	dvs := all[get[reference](p, "config.distributedVirtualSwitch")]
	n.net.switchUUID = get[string](dvs, "uuid")
	n.net.uplink = slices.Contains(refs(dvs, "config.uplinkPortgroup"), n.Ref)
	if port, ok := p["config.defaultPortConfig"].(types.VMwareDVSPortSetting); ok {
		switch v := port.Vlan.(type) {
		case *types.VmwareDistributedVirtualSwitchVlanIdSpec:
			n.net.vlan = int64(v.VlanId)
		case nil:
			n.net.vlan = 0
		}
	}
}

// tellers are hosts that between them know all standard port groups.
func (x *Index) tellers() []reference {
	open := map[reference]bool{}
	for _, n := range x.of(Network) {
		if n.Ref.Type == "Network" {
			open[n.Ref] = true
		}
	}
	var out []reference
	for _, h := range x.of(Host) {
		useful := false
		for ref := range h.networks {
			useful = useful || h.connected && open[ref]
		}
		if !useful {
			continue
		}
		out = append(out, h.Ref)
		for ref := range h.networks {
			delete(open, ref)
		}
	}
	return out
}

// setVLANs records what a host says of its port groups, by name.
func (x *Index) setVLANs(host reference, vlans map[string]int64) {
	h := x.nodes[host]
	if h == nil {
		return
	}
	for ref := range h.networks {
		n := x.nodes[ref]
		if n == nil || n.Ref.Type != "Network" {
			continue
		}
		if vlan, ok := vlans[n.Name]; ok && vlan != trunkVLAN {
			n.net.vlan = vlan
		}
	}
}

// NetworkBacking returns the network that name names (nil: the default) as a VM at p sees it, and the device backing that connects
// an interface to it: standard port group, distributed port group or opaque network. vlan is the tag of its port group, 0 for none, -1 for a trunk or not known.
// Errors blame no attribute.
func (i *Inventory) NetworkBacking(ctx context.Context, p Place, name *string) (o Object, backing types.BaseVirtualDeviceBackingInfo, vlan int64, err error) {
	n, err := again(ctx, i, func(x *Index) (*node, error) {
		n, err := x.network(p, name)
		if err != nil {
			return nil, err
		}
		return n, x.reachable(p, n)
	})
	if err != nil {
		return Object{}, nil, 0, err
	}
	backing, err = n.backing()
	return n.Object, backing, n.net.vlan, err
}

// network is the one that is asked for, else the provider's, the only one, or that which every ESXi comes with.
func (x *Index) network(p Place, name *string) (*node, error) {
	sees := func(n *node) bool { return n.Datacenter == p.Datacenter.Ref && x.reachable(p, n) == nil }
	if name != nil {
		return x.find(*name, sees, Network)
	}
	if x.defaults.Network != "" {
		n, err := x.find(x.defaults.Network, sees, Network)
		return n, ofProvider(err, "network")
	}
	all := filter(x.of(Network), func(n *node) bool { return !n.net.uplink && sees(n) })
	usual := filter(all, func(n *node) bool { return n.Name == "VM Network" })
	switch {
	case len(all) == 1:
		return all[0], nil
	case len(usual) == 1:
		return usual[0], nil
	case len(all) == 0:
		return nil, refusal(backends.NotFound, "", "there is no network for %s", p.hosts())
	}
	names := make([]string, len(all))
	for i, n := range all {
		names[i] = x.Name(n.Ref)
	}
	return nil, refusal(backends.Invalid, "", "there are several networks, and none is named: %s", quoted(names)).
		Advise("Set the interface's network, or vsphere.network in the provider block.")
}

// reachable says why a VM at p cannot be connected to a network.
func (x *Index) reachable(p Place, n *node) error {
	if n.Datacenter != p.Datacenter.Ref {
		return refusal(backends.Invalid, "", "network %s is in another datacenter than the VM, which goes to %s", n.Path, p.Compute.Path)
	}
	if x.seen(p, func(h *node) bool { return h.networks[n.Ref] }) {
		return nil
	}
	var where []string
	for _, h := range x.of(Host) {
		if h.networks[n.Ref] {
			where = append(where, h.Name)
		}
	}
	if len(where) == 0 { // not known of any: vSphere decides
		return nil
	}
	return refusal(backends.Invalid, "", "network %q is not on %s, but on %s", n.Name, p.hosts(), quoted(where)).
		Advise("Choose a network of that host, or place the VM on a host that has this one.")
}

// backing is how an interface is connected to the network.
func (n *node) backing() (types.BaseVirtualDeviceBackingInfo, error) {
	switch n.Ref.Type {
	case "DistributedVirtualPortgroup":
		if n.net.switchUUID == "" {
			return nil, refusal(backends.Auth, "", "the account may not see the distributed switch of port group %q", n.Name).
				Advise("Grant it System.Read (the role Read-only) on the switch.")
		}
		return &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{
			Port: types.DistributedVirtualSwitchPortConnection{SwitchUuid: n.net.switchUUID, PortgroupKey: n.net.portgroup},
		}, nil
	case "OpaqueNetwork":
		return &types.VirtualEthernetCardOpaqueNetworkBackingInfo{OpaqueNetworkId: n.net.opaqueID, OpaqueNetworkType: n.net.opaqueType}, nil
	}
	return &types.VirtualEthernetCardNetworkBackingInfo{
		VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: n.stored},
		Network:                        &n.Ref,
	}, nil
}

// NetworkOf returns the name and VLAN of what a device backing is connected to.
func (x *Index) NetworkOf(backing types.BaseVirtualDeviceBackingInfo) (o Object, vlan int64, ok bool) {
	var is func(*node) bool
	switch b := backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		if b.Network != nil {
			if n := x.nodes[*b.Network]; n != nil {
				return n.Object, n.net.vlan, true
			}
		}
		is = func(n *node) bool { return n.Ref.Type == "Network" && n.Name == Unescape(b.DeviceName) }
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		is = func(n *node) bool { return n.net.distributed && n.net.portgroup == b.Port.PortgroupKey }
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		is = func(n *node) bool { return n.net.opaqueID != "" && n.net.opaqueID == b.OpaqueNetworkId }
	default:
		return Object{}, 0, false
	}
	for _, same := range x.named[Network] {
		for _, n := range same {
			if is(n) {
				return n.Object, n.net.vlan, true
			}
		}
	}
	return Object{}, 0, false
}
