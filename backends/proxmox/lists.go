package proxmox

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// Hosts lists the nodes. The cluster's name is left out where the account may not see it, or where there is no cluster.
func (b *Backend) Hosts(ctx context.Context) ([]backends.Host, error) {
	const op = "list hosts"
	rows, err := b.nodeRows(ctx)
	if err != nil {
		return nil, fault.Wrap(err, op, "")
	}
	name, err := b.clusterName(ctx)
	if err != nil {
		return nil, fault.Wrap(err, op, "")
	}
	hosts := make([]backends.Host, 0, len(rows))
	for _, n := range rows {
		hosts = append(hosts, backends.Host{Name: string(n.Node), Cluster: name, Online: n.online(), CPUs: int64(n.MaxCPU), MemoryMiB: int64(n.MaxMem) >> 20})
	}
	slices.SortFunc(hosts, func(x, y backends.Host) int { return strings.Compare(x.Name, y.Name) })
	return hosts, nil
}

func (b *Backend) clusterName(ctx context.Context) (string, error) {
	var rows []struct {
		Type pve.Text `json:"type"`
		Name pve.Text `json:"name"`
	}
	err := b.conn.Get(ctx, "/cluster/status", nil, &rows)
	if err != nil && backends.CodeOf(err) != backends.Auth {
		return "", err
	}
	for _, r := range rows {
		if r.Type == "cluster" {
			return string(r.Name), nil
		}
	}
	return "", nil
}

// interfaceRow is one interface as a node lists it.
type interfaceRow struct {
	Name   pve.Text `json:"iface"`
	Type   pve.Text `json:"type"` // "bridge", "OVSBridge"
	Active pve.Bool `json:"active"`
}

// Networks lists the bridges of all nodes and the virtual networks of SDN, by name: one of several nodes' is active where it
// is on any of them.
func (b *Backend) Networks(ctx context.Context) ([]backends.Network, error) {
	all, err := b.networks(ctx)
	return all, fault.Wrap(err, "list networks", "")
}

func (b *Backend) networks(ctx context.Context) ([]backends.Network, error) {
	nodes, err := b.nodeRows(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	found := map[string]backends.Network{}
	add := func(n backends.Network) {
		mu.Lock()
		defer mu.Unlock()
		had := found[n.Name]
		n.Active = n.Active || had.Active
		if had.Kind == vnetKind { // known better than as some bridge
			n.Kind = had.Kind
		}
		n.VLAN = max(n.VLAN, had.VLAN) // which nodes do not know
		found[n.Name] = n
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	g.Go(func() error { return b.vnets(ctx, add) })
	for _, n := range nodes {
		if !n.online() {
			continue
		}
		g.Go(func() error {
			rows, err := b.interfaces(ctx, string(n.Node))
			for _, r := range rows {
				add(backends.Network{Name: string(r.Name), Kind: kindOfBridge(string(r.Type)), Active: bool(r.Active)})
			}
			if backends.CodeOf(err) == backends.Transient {
				return nil // it went meanwhile
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	list := make([]backends.Network, 0, len(found))
	for _, n := range found {
		list = append(list, n)
	}
	slices.SortFunc(list, func(x, y backends.Network) int { return strings.Compare(x.Name, y.Name) })
	return list, nil
}

// interfaces are the bridges of a node that the account may use, and perhaps virtual networks.
func (b *Backend) interfaces(ctx context.Context, node string) ([]interfaceRow, error) {
	return shared(ctx, b.estate, "interfaces "+node+" ", func(ctx context.Context) (rows []interfaceRow, err error) {
		err = b.conn.Get(ctx, pve.Path("nodes", node, "network"), url.Values{"type": {"any_bridge"}}, &rows)
		return rows, err
	})
}

const vnetKind = "vnet"

func kindOfBridge(kind string) string {
	switch kind {
	case "OVSBridge":
		return "ovs"
	case "":
		return "bridge"
	}
	return kind
}

// vnets adds the virtual networks of SDN that are applied. Where there is no SDN, or the account may not see it, there are none.
func (b *Backend) vnets(ctx context.Context, add func(backends.Network)) error {
	var rows []struct {
		Name pve.Text `json:"vnet"`
		Tag  pve.Int  `json:"tag"`
	}
	switch err := b.conn.Get(ctx, "/cluster/sdn/vnets", url.Values{"running": {"1"}}, &rows); backends.CodeOf(err) {
	case "", backends.Auth, backends.NotFound, backends.Unsupported:
	default:
		return err
	}
	for _, r := range rows {
		add(backends.Network{Name: string(r.Name), Kind: vnetKind, VLAN: int64(r.Tag), Active: true})
	}
	return nil
}
