package libvirt

import (
	"cmp"
	"context"
	"slices"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// readAddresses finds the addresses of running VMs. The guest's own word counts
// most; then the leases of libvirt's networks, read once for all VMs; then, where
// the guests are asked at all, what the host has heard on the wire.
func (b *Backend) readAddresses(ctx context.Context, reads []*reading, guests bool) error {
	var up []*reading
	for _, r := range reads {
		if r.vm != nil && r.vm.Power == backends.Running {
			up = append(up, r)
		}
	}
	if len(up) == 0 {
		return nil
	}
	leases, err := b.leases(ctx, up)
	if err != nil {
		return err
	}
	each(up, 4*readers, func(r *reading) {
		if guests {
			r.vm.Guest = b.askGuest(ctx, r.facts.dom)
		}
		silent := false
		for key, status := range r.vm.Networks {
			if r.vm.Guest != nil {
				status.Addresses, status.Device = r.vm.Guest.AddressesOf(status.MAC)
			}
			if len(status.Addresses) == 0 {
				status.Addresses = leases[status.MAC]
			}
			silent = silent || len(status.Addresses) == 0
			r.vm.Networks[key] = status
		}
		if guests && silent {
			b.addHeard(ctx, r)
		}
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// addHeard fills in what the host's ARP table knows of a VM.
func (b *Backend) addHeard(ctx context.Context, r *reading) {
	ifaces, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.DomainInterface, error) {
		return l.DomainInterfaceAddresses(r.facts.dom, uint32(rpc.DomainInterfaceAddressesSrcArp), 0)
	})
	if err != nil {
		return // an address less, no reason to fail
	}
	for key, status := range r.vm.Networks {
		if len(status.Addresses) == 0 {
			status.Addresses = heardAddresses(ifaces, status.MAC)
			r.vm.Networks[key] = status
		}
	}
}

// heardAddresses picks the addresses of a MAC out of the host's ARP table. The names in it are those
// of the host's devices, such as vnet0, and say nothing.
func heardAddresses(ifaces []rpc.DomainInterface, mac string) []string {
	var addresses []string
	for _, i := range interfacesOf(ifaces) {
		if !strings.EqualFold(i.MAC, mac) {
			continue
		}
		for _, a := range i.Addresses {
			if backends.Reachable(a) && !slices.Contains(addresses, a) {
				addresses = append(addresses, a)
			}
		}
	}
	backends.SortAddresses(addresses)
	return addresses
}

// leases reads the DHCP leases of the networks that the VMs are on, by MAC. A network
// that hands out none, or is gone, has none.
func (b *Backend) leases(ctx context.Context, up []*reading) (map[string][]string, error) {
	names := map[string]bool{}
	for _, r := range up {
		for i := range r.domain.xml.Devices.Interfaces {
			if kind, name := splitNetwork(networkOf(&r.domain.xml.Devices.Interfaces[i])); kind == "network" {
				names[name] = true
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	networks, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.Network, error) {
		list, _, err := l.ConnectListAllNetworks(1, rpc.ConnectListNetworksActive)
		return list, err
	})
	if err != nil {
		return nil, err
	}
	var all []rpc.NetworkDhcpLease
	for _, n := range networks {
		if !names[n.Name] {
			continue
		}
		found, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.NetworkDhcpLease, error) {
			list, _, err := l.NetworkGetDhcpLeases(n, nil, 1, 0)
			return list, err
		})
		if err != nil {
			if code := backends.CodeOf(err); code == backends.Transient || ctx.Err() != nil {
				return nil, err
			}
			continue
		}
		all = append(all, found...)
	}
	// The newest first: a guest that got another address has two for a while.
	slices.SortStableFunc(all, func(a, b rpc.NetworkDhcpLease) int { return cmp.Compare(b.Expirytime, a.Expirytime) })
	leases := map[string][]string{}
	for _, lease := range all {
		if len(lease.Mac) == 0 || !backends.Reachable(lease.Ipaddr) {
			continue
		}
		mac := strings.ToLower(lease.Mac[0])
		leases[mac] = append(leases[mac], lease.Ipaddr)
	}
	for mac := range leases {
		backends.SortAddresses(leases[mac])
	}
	return leases, nil
}

func interfacesOf(ifaces []rpc.DomainInterface) []backends.GuestInterface {
	var all []backends.GuestInterface
	for _, i := range ifaces {
		g := backends.GuestInterface{Name: i.Name, Addresses: []string{}}
		if len(i.Hwaddr) > 0 {
			g.MAC = strings.ToLower(i.Hwaddr[0])
		}
		for _, a := range i.Addrs {
			g.Addresses = append(g.Addresses, a.Addr)
		}
		all = append(all, g)
	}
	return all
}
