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
	places, nics := map[string]backends.NIC{}, map[string]backends.NIC{}
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
		case p == "networks" && c.Action == backends.Add:
			places[c.Key], nics[c.Key] = desired.Networks[c.Key], desired.Networks[c.Key]
		case p == "networks.mac":
			nics[c.Key] = desired.Networks[c.Key]
		case p == "networks.network", p == "networks.options":
			nic := desired.Networks[c.Key]
			if nic.Network == nil {
				nic.Network = from.Networks[c.Key].Network
			}
			places[c.Key] = nic
		}
	}
	if err := b.checkNetworks(ctx, m.node, places); err != nil {
		return err
	}
	return b.checkMACs(ctx, m.hardware.VMID, nics)
}

// bridge is what interfaces of VMs can be connected to at a node.
type bridge struct {
	Iface pve.Text `json:"iface"`
	Type  pve.Text `json:"type"`
	Aware pve.Bool `json:"bridge_vlan_aware"`
}

// trunks reports whether an interface can have several VLANs of it.
func (b bridge) trunks() bool { return b.Type != "bridge" || bool(b.Aware) }

// bridges are what interfaces at a node can be connected to, nil where the account may not see them.
func (b *Backend) bridges(ctx context.Context, node string) ([]bridge, error) {
	return shared(ctx, b.estate, "bridges "+node+" ", func(ctx context.Context) ([]bridge, error) {
		rows := []bridge{}
		err := b.conn.Get(ctx, pve.Path("nodes", node, "network"), url.Values{"type": {"any_bridge"}}, &rows)
		if backends.CodeOf(err) == backends.Auth {
			return nil, nil
		}
		slices.SortFunc(rows, func(a, b bridge) int { return strings.Compare(string(a.Iface), string(b.Iface)) })
		return rows, err
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

// checkNetworks refuses networks that the node does not have, and what a network cannot give.
func (b *Backend) checkNetworks(ctx context.Context, node string, nics map[string]backends.NIC) error {
	if len(nics) == 0 {
		return nil
	}
	all, err := b.bridges(ctx, node)
	if err != nil || all == nil {
		return err
	}
	for _, key := range sortedKeys(nics) {
		want := b.cfg.Bridge
		if n := nics[key].Network; n != nil {
			want = strings.TrimPrefix(*n, "bridge:")
		}
		path := backends.Path("networks").Key(key)
		i := slices.IndexFunc(all, func(one bridge) bool { return string(one.Iface) == want })
		if i >= 0 {
			if nics[key].Options["trunks"] != "" && !all[i].trunks() {
				return backends.Errorf(backends.Precondition, "", "", "the bridge %q of the node %q is not aware of VLANs, and so has no trunks", want, node).
					At(path.Attr("options")).Advise("Make the bridge aware of VLANs, name another, or give the interface one VLAN with vlan.")
			}
			continue
		}
		names := make([]string, len(all))
		for i := range all {
			names[i] = string(all[i].Iface)
		}
		return backends.Errorf(backends.NotFound, "", "", "the node %q has no bridge or virtual network %q that the account sees; it sees %s", node, want, orNone(quoted(names))).
			At(path.Attr("network")).
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
