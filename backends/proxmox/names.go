package proxmox

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// checkNames refuses what changes newly name: a VM's name that another has, networks that there are not, addresses that are taken. Proxmox VE
// itself would take the first and the last, and notice the second when the VM starts.
func (b *Backend) checkNames(ctx context.Context, m *machine, from, desired *backends.VMSpec, changes []backends.Change) error {
	nics := map[string]backends.NIC{}
	for _, c := range changes {
		switch p := c.Path.Generic(); {
		case p == "name":
			all, err := b.census(ctx)
			if err != nil {
				return err
			}
			for vmid, r := range all {
				if vmid != m.hardware.VMID && r.name() == desired.Name {
					return backends.Errorf(backends.Conflict, "", "", "the cluster has a VM %q already, with the id %d at the node %q", desired.Name, vmid, r.node).At("name").Advise("Choose another name.")
				}
			}
		case p == "networks" && c.Action == backends.Add, p == "networks.network", p == "networks.mac":
			nic, had := desired.Networks[c.Key], from.Networks[c.Key]
			if had.Network != nil && nic.Network != nil && *had.Network == *nic.Network {
				nic.Network = nil
			}
			nics[c.Key] = nic
		}
	}
	if err := b.checkNetworks(ctx, m.node, nics); err != nil {
		return err
	}
	return b.checkMACs(ctx, m.hardware.VMID, nics)
}

// bridges are the names of what interfaces at a node can be connected to, nil where the account may not see them.
func (b *Backend) bridges(ctx context.Context, node string) ([]string, error) {
	return shared(ctx, b.estate, "bridges "+node+" ", func(ctx context.Context) ([]string, error) {
		var rows []struct {
			Iface pve.Text `json:"iface"`
		}
		err := b.conn.Get(ctx, pve.Path("nodes", node, "network"), url.Values{"type": {"any_bridge"}}, &rows)
		if backends.CodeOf(err) == backends.Auth {
			return nil, nil
		}
		names := make([]string, 0, len(rows))
		for _, r := range rows {
			names = append(names, string(r.Iface))
		}
		slices.Sort(names)
		return names, err
	})
}

// orNone is a list of names for people, which may be empty.
func orNone(list string) string { return cmp.Or(list, "none") }

// quoted lists names for people.
func quoted(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = strconv.Quote(n)
	}
	return strings.Join(all, ", ")
}

func (b *Backend) checkNetworks(ctx context.Context, node string, nics map[string]backends.NIC) error {
	if len(nics) == 0 {
		return nil
	}
	names, err := b.bridges(ctx, node)
	if err != nil || names == nil {
		return err
	}
	for _, key := range sortedKeys(nics) {
		want := b.cfg.Bridge
		if n := nics[key].Network; n != nil {
			want = strings.TrimPrefix(*n, "bridge:")
		}
		if slices.Contains(names, want) {
			continue
		}
		return backends.Errorf(backends.NotFound, "", "", "the node %q has no bridge or virtual network %q that the account sees; it sees %s", node, want, orNone(quoted(names))).
			At(backends.Path("networks").Key(key).Attr("network")).
			Advise("Correct the name, make the bridge at the node first, or grant the account SDN.Use on /sdn/zones/localnetwork/%s.", want)
	}
	return nil
}

// checkMACs refuses addresses that another VM has. Proxmox VE does not look; only who asks for an address pays for the reading of all configurations.
func (b *Backend) checkMACs(ctx context.Context, self int64, nics map[string]backends.NIC) error {
	asked := map[string]string{} // keys by address
	for _, key := range sortedKeys(nics) {
		mac := nics[key].MAC
		if mac == nil {
			continue
		}
		path := backends.Path("networks").Key(key).Attr("mac")
		if other, twice := asked[*mac]; twice {
			return backends.Errorf(backends.Conflict, "", "", "the address %s is that of %q too", *mac, other).At(path)
		}
		asked[*mac] = key
	}
	if len(asked) == 0 {
		return nil
	}
	owners, err := b.macs(ctx)
	if err != nil {
		return err
	}
	for _, mac := range sortedKeys(asked) {
		for _, o := range owners[mac] {
			if o.vmid != self {
				return backends.Errorf(backends.Conflict, "", "", "the address %s belongs to VM %q (id %d)", mac, o.name, o.vmid).
					At(backends.Path("networks").Key(asked[mac]).Attr("mac")).Advise("Choose another address, or leave mac out.")
			}
		}
	}
	return nil
}

// owner is a VM that has an address.
type owner struct {
	vmid int64
	name string
}

// macs are the VMs by the addresses that they have. What the account may not see has none.
func (b *Backend) macs(ctx context.Context) (map[string][]owner, error) {
	list, err := b.configs(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string][]owner{}
	for _, hw := range list {
		for _, slot := range hw.Config.NICs() {
			mac := strings.ToLower(hw.Config.NIC(slot).MAC())
			all[mac] = append(all[mac], owner{hw.VMID, nameOf(hw.Config["name"], hw.VMID)})
		}
	}
	return all, nil
}
