package libvirt

import (
	"context"
	"slices"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// checkNetwork holds a NIC against what the host has, before anything is made.
func (b *Backend) checkNetwork(ctx context.Context, key string, nic backends.NIC) error {
	path := backends.Path("networks").Key(key)
	network := b.networkFor(nic)
	kind, name := splitNetwork(network)
	switch kind {
	case "network":
		return b.checkLibvirtNetwork(ctx, path, name, nic)
	case "bridge", "direct":
		if deref(nic.VLAN) != 0 {
			return noVLAN(path, network)
		}
		return b.checkInterface(ctx, path, name)
	}
	return nil
}

func noVLAN(path backends.Path, network string) error {
	return backends.Errorf(backends.Unsupported, "", "", "%q cannot carry a VLAN tag", network).At(path.Attr("vlan")).
		Advise(`libvirt tags on Open vSwitch only: use network = "ovs:BRIDGE" or a libvirt network of that type, or a bridge on the VLAN's interface.`)
}

// networkFor is the network of a NIC, with the provider's default.
func (b *Backend) networkFor(nic backends.NIC) string {
	if nic.Network != nil && *nic.Network != "" {
		return *nic.Network
	}
	return b.cfg.Network
}

func (b *Backend) checkLibvirtNetwork(ctx context.Context, path backends.Path, name string, nic backends.NIC) error {
	text, err := query(ctx, b, func(l *rpc.Libvirt) (string, error) {
		n, err := l.NetworkLookupByName(name)
		if err != nil {
			return "", err
		}
		return l.NetworkGetXMLDesc(n, 0)
	})
	if backends.CodeOf(err) == backends.NotFound {
		return b.noNetwork(ctx, path, name)
	}
	if err != nil || deref(nic.VLAN) == 0 {
		return err
	}
	network, err := parseXML[libvirtxml.Network]("network", text)
	if err != nil {
		return err
	}
	if !carriesVLAN(network) {
		return noVLAN(path, name)
	}
	return nil
}

// carriesVLAN reports whether interfaces on a network may have a tag: those on Open
// vSwitch, and those that are virtual functions of a card.
func carriesVLAN(n *libvirtxml.Network) bool {
	if n.VirtualPort != nil && n.VirtualPort.Params != nil && n.VirtualPort.Params.OpenVSwitch != nil {
		return true
	}
	return n.Forward != nil && n.Forward.Mode == "hostdev"
}

func (b *Backend) noNetwork(ctx context.Context, path backends.Path, name string) error {
	e := backends.Errorf(backends.NotFound, "", "", "there is no libvirt network %q", name).At(path.Attr("network"))
	all, err := b.listNetworks(ctx)
	if err != nil {
		return e
	}
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
	}
	if len(names) == 0 {
		return e.Advise(`This libvirt has no networks; define one, or use "bridge:NAME".`)
	}
	return e.Advise("There are: %s.", strings.Join(names, ", "))
}

// checkInterface makes sure that a host's interface exists. A libvirt that cannot list
// interfaces leaves it to the start of the VM to find out.
func (b *Backend) checkInterface(ctx context.Context, path backends.Path, name string) error {
	_, err := query(ctx, b, func(l *rpc.Libvirt) (rpc.Interface, error) { return l.InterfaceLookupByName(name) })
	if err == nil || !answered(err, rpc.ErrNoInterface) {
		if ctx.Err() != nil {
			return err
		}
		return nil
	}
	e := backends.Errorf(backends.NotFound, "", "", "the host has no interface %q", name).At(path.Attr("network"))
	if names := b.interfaceNames(ctx); len(names) > 0 {
		return e.Advise("It has: %s.", strings.Join(names, ", "))
	}
	return e
}

func (b *Backend) interfaceNames(ctx context.Context) []string {
	list, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.Interface, error) {
		list, _, err := l.ConnectListAllInterfaces(1, 0)
		return list, err
	})
	if err != nil {
		return nil
	}
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return names
}
