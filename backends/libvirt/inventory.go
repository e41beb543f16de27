package libvirt

import (
	"context"
	"slices"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Hosts returns the one host.
func (b *Backend) Hosts(ctx context.Context) ([]backends.Host, error) {
	h, err := b.host(ctx)
	if err != nil {
		return nil, backends.Wrap(err, "list hosts", "")
	}
	return []backends.Host{{Name: h.hostname, Online: true, CPUs: h.cpus, MemoryMiB: h.memMiB}}, nil
}

// Networks returns libvirt's networks and the host's bridges.
func (b *Backend) Networks(ctx context.Context) ([]backends.Network, error) {
	all, err := b.listNetworks(ctx)
	if err != nil {
		return nil, backends.Wrap(err, "list networks", "")
	}
	bridges, err := b.listBridges(ctx)
	if err != nil {
		return nil, backends.Wrap(err, "list networks", "")
	}
	return append(all, bridges...), nil
}

func (b *Backend) listNetworks(ctx context.Context) ([]backends.Network, error) {
	all, err := query(ctx, b, func(l *rpc.Libvirt) ([]backends.Network, error) {
		list, _, err := l.ConnectListAllNetworks(1, 0)
		if err != nil {
			return nil, err
		}
		active, _, err := l.ConnectListAllNetworks(1, rpc.ConnectListNetworksActive)
		if err != nil {
			return nil, err
		}
		var networks []backends.Network
		for _, n := range list {
			networks = append(networks, backends.Network{
				Name: n.Name, Kind: "network",
				Active: slices.ContainsFunc(active, func(a rpc.Network) bool { return a.UUID == n.UUID }),
			})
		}
		return networks, nil
	})
	slices.SortFunc(all, func(x, y backends.Network) int { return strings.Compare(x.Name, y.Name) })
	return all, err
}

// listBridges returns the host's bridges; none where libvirt was built without
// the part that knows interfaces.
func (b *Backend) listBridges(ctx context.Context) ([]backends.Network, error) {
	texts, err := query(ctx, b, func(l *rpc.Libvirt) ([]string, error) {
		list, _, err := l.ConnectListAllInterfaces(1, 0)
		if err != nil {
			return nil, err
		}
		var texts []string
		for _, i := range list {
			text, err := l.InterfaceGetXMLDesc(i, 0)
			if err != nil {
				continue // interfaces of running VMs come and go
			}
			texts = append(texts, text)
		}
		return texts, nil
	})
	if backends.CodeOf(err) == backends.Unsupported {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var bridges []backends.Network
	for _, text := range texts {
		i, err := parseXML[libvirtxml.Interface]("interface", text)
		if err != nil || i.Bridge == nil {
			continue
		}
		active := i.Link == nil || i.Link.State != "down"
		bridges = append(bridges, backends.Network{Name: "bridge:" + i.Name, Kind: "bridge", Active: active})
	}
	slices.SortFunc(bridges, func(x, y backends.Network) int { return strings.Compare(x.Name, y.Name) })
	return bridges, nil
}

// Storages returns the storage pools.
func (b *Backend) Storages(ctx context.Context) ([]backends.Storage, error) {
	all, err := b.store.Pools(ctx)
	return all, backends.Wrap(err, "list storages", "")
}
