package vsphere

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// cards are the VM's interfaces in the order of the bus.
func (m *machine) cards() []types.BaseVirtualEthernetCard {
	var all []types.BaseVirtualEthernetCard
	for _, d := range m.devices() {
		if c, ok := d.(types.BaseVirtualEthernetCard); ok {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b types.BaseVirtualEthernetCard) int {
		return int(a.GetVirtualEthernetCard().Key - b.GetVirtualEthernetCard().Key)
	})
	return all
}

// nicDevices are the VM's interfaces by key: that of the mark, else "ethernetN".
func (m *machine) nicDevices() map[string]types.BaseVirtualEthernetCard {
	keys := map[int32]string{}
	if m.mark != nil {
		for _, key := range slices.Sorted(maps.Keys(m.mark.NICs)) {
			keys[m.mark.NICs[key].Device] = key
		}
	}
	nics := map[string]types.BaseVirtualEthernetCard{}
	for i, c := range m.cards() {
		key, ok := keys[c.GetVirtualEthernetCard().Key]
		if !ok {
			key = fmt.Sprintf("ethernet%d", i)
			for nics[key] != nil {
				key += "+"
			}
		}
		nics[key] = c
	}
	return nics
}

// observeNICs returns the VM's interfaces by key.
func (m *machine) observeNICs() (map[string]backends.NIC, map[string]backends.NICStatus) {
	nics, status := map[string]backends.NIC{}, map[string]backends.NICStatus{}
	for key, device := range m.nicDevices() {
		var k nicMark
		if m.mark != nil {
			k = m.mark.NICs[key]
		}
		nics[key] = m.observeNIC(k, device)
		status[key] = backends.NICStatus{MAC: *nics[key].MAC}
	}
	return nics, status
}

func (m *machine) observeNIC(k nicMark, device types.BaseVirtualEthernetCard) backends.NIC {
	card := device.GetVirtualEthernetCard()
	n := backends.NIC{Model: modelOf(device), MAC: new(strings.ToLower(card.MacAddress)), Connected: new(true), Order: k.Order}
	if o, vlan, ok := m.index.NetworkOf(card.Backing); ok {
		n.Network = new(m.index.Spelling(k.Network, o.Ref))
		if vlan >= 0 {
			n.VLAN = &vlan
		}
	}
	if c := card.Connectable; c != nil {
		n.Connected = new(c.StartConnected && (c.Connected || m.power() != backends.Running))
	}
	return n
}

func modelOf(device types.BaseVirtualEthernetCard) *string {
	switch device.(type) {
	case *types.VirtualVmxnet3:
		return new("vmxnet3")
	case *types.VirtualE1000:
		return new("e1000")
	case *types.VirtualE1000e:
		return new("e1000e")
	case *types.VirtualVmxnet2:
		return new("vmxnet2")
	case *types.VirtualPCNet32:
		return new("pcnet32")
	case *types.VirtualSriovEthernetCard:
		return new("sriov")
	}
	return nil
}
