package vsphere

import (
	"cmp"
	"context"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Interfaces are on the PCI bus of every VM, in its units from 7 on (VMware configuration maximums: ten a VM).
const (
	pciBus   = 100
	firstNIC = 7
	maxNICs  = 10
)

// nicOrder is the order in which interfaces are plugged: as asked, else by key.
func nicOrder(nics map[string]backends.NIC) []string {
	return slices.SortedFunc(maps.Keys(nics), func(a, b string) int {
		x, y := nics[a].Order, nics[b].Order
		switch {
		case x != nil && y != nil && *x != *y:
			return cmp.Compare(*x, *y)
		case (x == nil) != (y == nil):
			return cmp.Compare(asInt(x == nil), asInt(y == nil))
		}
		return cmp.Compare(a, b)
	})
}

// nics takes out what goes, changes what stays and adds what comes. An interface whose model or place on the bus
// changes is plugged anew with its address.
func (e *edit) nics(ctx context.Context) error {
	if len(e.to.Networks) > maxNICs {
		return backends.Errorf(backends.Invalid, "", "", "%d interfaces are more than the %d that a VM of vSphere can have", len(e.to.Networks), maxNICs).At("networks")
	}
	if err := e.checkMACs(ctx); err != nil {
		return err
	}
	taken := map[int32]bool{}
	again := map[string]*types.VirtualEthernetCard{}
	present := e.nicsOf()
	reorder := e.reorders()
	for _, key := range slices.Sorted(maps.Keys(present)) {
		card := present[key].GetVirtualEthernetCard()
		want, stays := e.to.Networks[key]
		path := backends.Path("networks").Key(key)
		switch have := e.from.Networks[key]; {
		case !stays || e.creating:
			e.remove(present[key].(types.BaseVirtualDevice), path)
			delete(e.mark.NICs, key)
		case changed(have.Model, want.Model) || reorder:
			e.remove(present[key].(types.BaseVirtualDevice), path)
			again[key] = card
		default:
			taken[value(card.UnitNumber)] = true
			if err := e.changeNIC(ctx, key, present[key]); err != nil {
				return err
			}
		}
	}
	for _, key := range nicOrder(e.to.Networks) {
		if _, there := present[key]; there && !e.creating && again[key] == nil {
			continue
		}
		unit := int32(firstNIC)
		for taken[unit] {
			unit++
		}
		taken[unit] = true
		if err := e.addNIC(ctx, key, unit, again[key]); err != nil {
			return err
		}
	}
	return nil
}

// reorders reports whether an interface's place among the others is to be another.
func (e *edit) reorders() bool {
	if e.creating {
		return false
	}
	for key, want := range e.to.Networks {
		if have, ok := e.from.Networks[key]; ok && changed(have.Order, want.Order) {
			return true
		}
	}
	return false
}

// addNIC plugs an interface; old is the one that it replaces, whose address it keeps.
func (e *edit) addNIC(ctx context.Context, key string, unit int32, old *types.VirtualEthernetCard) error {
	want, path := e.to.Networks[key], backends.Path("networks").Key(key)
	backing, err := e.connectNIC(ctx, want, path)
	if err != nil {
		return err
	}
	connected := orElse(want.Connected, true)
	card := types.VirtualEthernetCard{VirtualDevice: types.VirtualDevice{
		Key: e.layout.newKey(), ControllerKey: pciBus, UnitNumber: &unit, Backing: backing,
		Connectable: &types.VirtualDeviceConnectInfo{StartConnected: connected, Connected: connected, AllowGuestControl: true},
	}}
	static := want.MAC != nil
	switch {
	case old != nil && (want.MAC == nil || strings.EqualFold(*want.MAC, old.MacAddress)):
		card.AddressType, card.MacAddress = old.AddressType, old.MacAddress // VMware's own are not taken as static ones
		static = e.mark.NICs[key].MAC
	case want.MAC != nil:
		card.AddressType, card.MacAddress = string(types.VirtualEthernetCardMacTypeManual), *want.MAC
	}
	device, err := newCard(orElse(want.Model, "vmxnet3"), card)
	if err != nil {
		return blame(err, path.Attr("model"))
	}
	e.mark.NICs[key] = nicMark{Unit: unit, Network: value(want.Network), Order: want.Order, MAC: static}
	e.add(device, path)
	return nil
}

// connectNIC finds the network, and checks that it has the VLAN that is asked for: vSphere tags on the port group.
func (e *edit) connectNIC(ctx context.Context, want backends.NIC, path backends.Path) (types.BaseVirtualDeviceBackingInfo, error) {
	network, backing, vlan, err := e.inv.NetworkBacking(ctx, e.place, want.Network)
	if err != nil {
		return nil, blame(err, path.Attr("network"))
	}
	if want.VLAN == nil || *want.VLAN == vlan || *want.VLAN == 0 && vlan < 0 {
		return backing, nil
	}
	tag := backends.Errorf(backends.Invalid, "", "", "network %q has the VLAN %d", network.Name, vlan)
	switch {
	case *want.VLAN < 0 || *want.VLAN > 4094:
		tag = backends.Errorf(backends.Invalid, "", "", "VLAN %d is not between 1 and 4094, or 0 for none", *want.VLAN)
	case vlan == 0:
		tag = backends.Errorf(backends.Invalid, "", "", "network %q has no VLAN", network.Name)
	case vlan < 0:
		tag = backends.Errorf(backends.Invalid, "", "", "network %q is a trunk, or its VLAN cannot be read", network.Name)
	}
	return nil, tag.At(path.Attr("vlan")).Advise("A VLAN is a setting of the port group: choose the port group that has the tag %d as networks.*.network.", *want.VLAN)
}

func (e *edit) changeNIC(ctx context.Context, key string, device types.BaseVirtualEthernetCard) error {
	have, want, path := e.from.Networks[key], e.to.Networks[key], backends.Path("networks").Key(key)
	card := device.GetVirtualEthernetCard() // of a copy of what was read
	dirty := false
	blame := path
	if changed(have.Network, want.Network) || changed(have.VLAN, want.VLAN) {
		backing, err := e.connectNIC(ctx, want, path)
		if err != nil {
			return err
		}
		if changed(have.Network, want.Network) {
			card.Backing = backing
			dirty, blame = true, path.Attr("network")
		}
	}
	if changed(have.MAC, want.MAC) {
		card.AddressType, card.MacAddress = string(types.VirtualEthernetCardMacTypeManual), *want.MAC
		dirty, blame = true, path.Attr("mac")
	}
	if changed(have.Connected, want.Connected) {
		info := types.VirtualDeviceConnectInfo{AllowGuestControl: true}
		if card.Connectable != nil {
			info = *card.Connectable
		}
		info.StartConnected, info.Connected, info.Status = *want.Connected, *want.Connected, ""
		card.Connectable = &info
		dirty = true
	}
	k := e.mark.NICs[key]
	k.Unit, k.MAC = value(card.UnitNumber), k.MAC || changed(have.MAC, want.MAC)
	if changed(have.Network, want.Network) {
		k.Network = *want.Network
	}
	e.mark.NICs[key] = k
	if dirty {
		e.change(device.(types.BaseVirtualDevice), blame)
	}
	return nil
}

func newCard(model string, card types.VirtualEthernetCard) (types.BaseVirtualDevice, error) {
	switch model {
	case "vmxnet3":
		return &types.VirtualVmxnet3{VirtualVmxnet: types.VirtualVmxnet{VirtualEthernetCard: card}}, nil
	case "e1000":
		return &types.VirtualE1000{VirtualEthernetCard: card}, nil
	case "e1000e":
		return &types.VirtualE1000e{VirtualEthernetCard: card}, nil
	}
	return nil, backends.Errorf(backends.Invalid, "", "", "vSphere has no interface of model %q: there are vmxnet3, e1000 and e1000e", model)
}

// checkMACs refuses addresses that are none, and those that another VM has: vSphere would only log it.
func (e *edit) checkMACs(ctx context.Context) error {
	asked := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(e.to.Networks)) {
		mac, path := e.to.Networks[key].MAC, backends.Path("networks").Key(key).Attr("mac")
		if mac == nil {
			continue
		}
		parsed, err := net.ParseMAC(*mac)
		if err != nil || len(parsed) != 6 || parsed[0]&1 != 0 {
			return backends.Errorf(backends.Invalid, "", "", "%q is not the MAC of one interface", *mac).At(path)
		}
		if other, twice := asked[strings.ToLower(*mac)]; twice {
			return backends.Errorf(backends.Conflict, "", "", "network %q of the same VM has MAC %s", other, *mac).At(path)
		}
		asked[strings.ToLower(*mac)] = key
	}
	for key, have := range e.from.Networks {
		if have.MAC != nil && !e.creating && asked[*have.MAC] == key {
			delete(asked, *have.MAC) // it has it already
		}
	}
	if len(asked) == 0 {
		return nil
	}
	all, err := e.everyVM(ctx, []string{"name", "config.hardware.device"})
	if err != nil {
		return err
	}
	for _, other := range all {
		if e.m != nil && !e.creating && other.Self == e.m.Self {
			continue
		}
		for _, d := range other.devices() {
			card, ok := d.(types.BaseVirtualEthernetCard)
			if !ok {
				continue
			}
			mac := strings.ToLower(card.GetVirtualEthernetCard().MacAddress)
			if key, taken := asked[mac]; taken {
				return backends.Errorf(backends.Conflict, "", "", "VM %q has an interface with MAC %s", other.Name, mac).
					At(backends.Path("networks").Key(key).Attr("mac"))
			}
		}
	}
	return nil
}
