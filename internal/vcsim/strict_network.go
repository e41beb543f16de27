package vcsim

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

var macAddress = regexp.MustCompile(`^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$`)

// nic refuses a network card whose address is none, or whose network the host
// has not got.
func (d *deviceCheck) nic(index int, card *types.VirtualEthernetCard) types.BaseMethodFault {
	if card.MacAddress != "" && !macAddress.MatchString(card.MacAddress) {
		return d.invalid(index, "'%s' is no MAC address.", card.MacAddress)
	}

	if card.AddressType == string(types.VirtualEthernetCardMacTypeManual) && card.MacAddress == "" {
		return d.invalid(index, "A manual MAC address is missing.")
	}

	if card.Backing == nil || d.host == nil {
		return nil
	}

	if _, ok := d.reached(card.Backing, *d.host); !ok {
		f := &types.InvalidDeviceBacking{}
		f.DeviceIndex, f.Property = int32(index), "virtualDeviceSpec.device.backing" //nolint:gosec // A short list.
		f.FaultCause = because("Network '%s' is not available on host '%s'.", backingName(card.Backing), d.server.roster.name(*d.host))

		return f
	}

	return nil
}

// reached returns the network of a card and whether the host has it.
func (c *checks) reached(backing types.BaseVirtualDeviceBackingInfo, ref types.ManagedObjectReference) (*types.ManagedObjectReference, bool) {
	host := c.host(ref)
	if host == nil {
		return nil, false
	}

	var networks []types.ManagedObjectReference

	c.WithLock(host, func() { networks = append(networks, host.Network...) })

	switch b := backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		for _, n := range c.server.roster.named(b.DeviceName) {
			if n.Type == "Network" && contains(networks, n) {
				return &n, true
			}
		}

		return b.Network, false
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		group := types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: b.Port.PortgroupKey}

		return &group, contains(networks, group) && !strings.Contains(c.server.roster.name(group), "-DVUplinks")
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		return nil, c.segment(b.OpaqueNetworkId)
	default:
		return nil, true
	}
}

// segment reports whether there is an opaque network of the id.
func (c *checks) segment(id string) bool {
	for _, obj := range c.Map.AllReference("OpaqueNetwork") {
		if n, ok := obj.(*mo.OpaqueNetwork); ok {
			if s, ok := n.Summary.(*types.OpaqueNetworkSummary); ok && s.OpaqueNetworkId == id {
				return true
			}
		}
	}

	return false
}

// backingName returns what a card is connected to, as messages have it.
func backingName(backing types.BaseVirtualDeviceBackingInfo) string {
	switch b := backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		return b.DeviceName
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		return b.Port.PortgroupKey
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		return b.OpaqueNetworkId
	default:
		return ""
	}
}

// reservedAddress refuses to start a machine with a static address from what
// VMware keeps for addresses that are generated. Static ones end at
// 00:50:56:3f:ff:ff.
func reservedAddress(devices []types.BaseVirtualDevice) types.BaseMethodFault {
	for _, d := range devices {
		card, ok := d.(types.BaseVirtualEthernetCard)
		if !ok {
			continue
		}

		nic := card.GetVirtualEthernetCard()
		if nic.AddressType != string(types.VirtualEthernetCardMacTypeManual) || !generated(nic.MacAddress) {
			continue
		}

		f := &types.GenericVmConfigFault{
			Reason: "MAC address '" + nic.MacAddress + "' is not an allowed static Ethernet address. It conflicts with VMware reserved MACs for other usage.",
		}
		f.FaultCause = because("%s", f.Reason)

		return f
	}

	return nil
}

// generated reports whether an address is one of those that are generated.
func generated(mac string) bool {
	mac = strings.ToLower(mac)
	if strings.HasPrefix(mac, "00:0c:29:") || strings.HasPrefix(mac, "00:05:69:") {
		return true
	}

	rest, ok := strings.CutPrefix(mac, "00:50:56:")
	if !ok || len(rest) < 2 {
		return false
	}

	n, err := strconv.ParseUint(rest[:2], 16, 8)

	return err == nil && n > 0x3f
}
