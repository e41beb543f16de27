package libvirt

import (
	"context"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func (e *edit) coldNIC(ctx context.Context, c backends.Change) error {
	x, m := e.d.xml, e.d.mark
	if c.Action == backends.Remove {
		if i := findNIC(x, m, c.Key); i >= 0 {
			x.Devices.Interfaces = slices.Delete(x.Devices.Interfaces, i, i+1)
		}
		m.dropNIC(c.Key)
		e.seed = true
		return nil
	}
	if findNIC(x, m, c.Key) >= 0 { // by an earlier try
		e.seed = true
		return nil
	}
	nic, err := e.newNIC(ctx, c.Key)
	if err != nil {
		return err
	}
	x.Devices.Interfaces = append(x.Devices.Interfaces, nic.device())
	e.seed = true
	return nil
}

// newNIC checks a new interface, finds it an address and notes its key.
func (e *edit) newNIC(ctx context.Context, key string) (nicDevice, error) {
	spec := e.to.Networks[key]
	if err := e.checkNetwork(ctx, key, spec); err != nil {
		return nicDevice{}, err
	}
	macs, release, err := e.takeMACs(ctx, e.d.xml.Name, e.dom.UUID, map[string]backends.NIC{key: spec})
	if err != nil {
		return nicDevice{}, err
	}
	e.releases = append(e.releases, release)
	e.d.mark.setNIC(nicMark{Key: key, MAC: macs[key], Order: spec.Order})
	return nicDevice{key: key, mac: macs[key], network: e.networkFor(spec), spec: spec}, nil
}

func (e *edit) coldNetwork(ctx context.Context, key string) error {
	spec := e.to.Networks[key]
	if err := e.checkNetwork(ctx, key, spec); err != nil {
		return err
	}
	i := findNIC(e.d.xml, e.d.mark, key)
	if i < 0 {
		return nil
	}
	nic := &e.d.xml.Devices.Interfaces[i]
	if networkOf(nic) != e.networkFor(spec) {
		setNICNetwork(nic, e.networkFor(spec))
	}
	setNICOptions(nic, spec)
	return nil
}

func (e *edit) nicOptions(ctx context.Context, c backends.Change) error {
	i := findNIC(e.d.xml, e.d.mark, c.Key)
	if i < 0 {
		return nil
	}
	nic, want := &e.d.xml.Devices.Interfaces[i], e.to.Networks[c.Key]
	switch c.Path.Generic() {
	case "networks.mac":
		macs, release, err := e.takeMACs(ctx, e.d.xml.Name, e.dom.UUID, map[string]backends.NIC{c.Key: want})
		if err != nil {
			return err
		}
		e.releases = append(e.releases, release)
		nic.MAC = &libvirtxml.DomainInterfaceMAC{Address: macs[c.Key]}
		entry := nicMark{Key: c.Key, Order: want.Order, MAC: macs[c.Key]}
		e.d.mark.setNIC(entry)
		e.seed = true
	case "networks.model":
		nic.Address = nil // another model may sit on another kind of bus
		nic.Driver = nil
		setNICOptions(nic, want)
	default:
		setNICOptions(nic, want)
		e.seed = e.seed || c.Path.Generic() == "networks.mtu"
	}
	return nil
}

// reorder puts the interfaces into the order that is asked for, and has libvirt place them anew.
func (e *edit) reorder(c backends.Change) {
	x, m := e.d.xml, e.d.mark
	if entry := m.nic(c.Key); entry != nil {
		entry.Order = e.to.Networks[c.Key].Order
	}
	keys := nicKeys(x, m)
	place := map[string]int{}
	for i, key := range nicOrder(e.to.Networks) {
		place[key] = i
	}
	indices := make([]int, len(keys))
	for i := range indices {
		indices[i] = i
	}
	slices.SortStableFunc(indices, func(a, b int) int { return place[keys[a]] - place[keys[b]] })
	sorted := make([]libvirtxml.DomainInterface, 0, len(keys))
	for _, i := range indices {
		nic := x.Devices.Interfaces[i]
		nic.Address = nil
		sorted = append(sorted, nic)
	}
	x.Devices.Interfaces = sorted
	e.seed = true
}
