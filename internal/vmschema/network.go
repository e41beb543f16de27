package vmschema

import (
	"cmp"
	"maps"
	"net"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-nettypes/cidrtypes"
	"github.com/hashicorp/terraform-plugin-framework-nettypes/hwtypes"
	"github.com/hashicorp/terraform-plugin-framework-nettypes/iptypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// NIC is one network interface of a VM.
type NIC struct {
	Network     *string           `tfsdk:"network"`
	VLAN        *int64            `tfsdk:"vlan"`
	Model       *string           `tfsdk:"model"`
	MAC         *string           `tfsdk:"mac"`
	MTU         *int64            `tfsdk:"mtu"`
	Connected   *bool             `tfsdk:"connected"`
	Order       *int64            `tfsdk:"order"`
	Bandwidth   *int64            `tfsdk:"bandwidth_mbps"`
	Options     map[string]string `tfsdk:"options"`
	IPv4        *IPConfig         `tfsdk:"ipv4"`
	IPv6        *IPConfig         `tfsdk:"ipv6"`
	IPAddresses []string          `tfsdk:"ip_addresses"`
}

// IPConfig is a static address.
type IPConfig struct {
	Address        *string  `tfsdk:"address"`
	Gateway        *string  `tfsdk:"gateway"`
	ExtraAddresses []string `tfsdk:"extra_addresses"`
	Routes         []Route  `tfsdk:"routes"`
}

// Route is one static route.
type Route struct {
	To  *string `tfsdk:"to"`
	Via *string `tfsdk:"via"`
}

func networksAttribute() schema.Attribute {
	return schema.MapNestedAttribute{
		MarkdownDescription: "Network interfaces, by a name of your choice that stays the same for the life of the interface. " +
			"They are plugged while the VM runs. Unset leaves the VM's interfaces alone.",
		Optional: true, Computed: true,
		Validators: []validator.Map{stableKey, mapvalidator.NoNullValues(), mapvalidator.SizeAtMost(32)},
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"network": text("Network, port group or bridge to connect to. libvirt also takes `bridge:NAME`, `direct:DEVICE` (macvtap) and `ovs:BRIDGE`; vSphere takes a port group's name or inventory path, Proxmox VE the name of a bridge or of a virtual network of its SDN. Default: the provider's. Changed in place.",
				stringvalidator.LengthAtLeast(1)),
			"vlan":  integer("VLAN tag, 1 to 4094; 0 is no tag, and takes away one that is there. Default: untagged at creation, later as it is. libvirt needs an Open vSwitch bridge for it, and a restart to change it; on vSphere the tag is the port group's, and one that `network` does not carry is refused; Proxmox VE sets it on a bridge that is VLAN aware, while the VM runs.", int64validator.Between(0, 4094)),
			"model": text("Device that the guest sees: `virtio`, `e1000`, `e1000e`, `rtl8139` or `vmxnet3`. vSphere has `vmxnet3`, `e1000e` and `e1000`, libvirt all but `vmxnet3`, Proxmox VE all. Default: the hypervisor's. Changing it restarts a running VM.", oneOf("virtio", "e1000", "e1000e", "rtl8139", "vmxnet3")),
			"mac": schema.StringAttribute{
				MarkdownDescription: "MAC address, such as `52:54:00:12:34:56`; letter case means nothing. Default: one that the hypervisor chooses and that is then kept. Changing it restarts a running VM.",
				Optional:            true, Computed: true, CustomType: hwtypes.MACAddressType{},
				Validators: []validator.String{matches(`^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$`, "must be six pairs of hexadecimal digits, such as 52:54:00:12:34:56")},
			},
			"mtu":       integer("MTU, in bytes, 68 to 65535. vSphere has it on the switch only and refuses it. Default: the network's. Changing it restarts a running VM.", int64validator.Between(68, 65535)),
			"connected": flag("Whether the cable is plugged. Changed in place. Default: true."),
			"order": integer("Position among the interfaces, from 0. Default: in the order of their names. Changing it restarts a running VM.",
				int64validator.Between(0, 31)),
			"bandwidth_mbps": integer("Most that the interface sends and receives, each way, in Mbit/s (10^6 bits a second); 0 is no limit, and takes away one that is there. vSphere has it on port groups only and refuses it. "+
				"Default: no limit at creation, later as it is. Changed in place.", int64validator.Between(0, 1_000_000)),
			"options": optionsAttribute("Further settings of the interface by Proxmox VE's own names and in its own form, such as `{ firewall = \"1\", queues = \"4\", trunks = \"10;20-25\" }`; elsewhere the plan refuses them. "+
				"`firewall` and `trunks` are changed in place, others restart a running VM.",
				`^(firewall|queues|trunks)$`, "must be firewall, queues or trunks"),
			"ipv4": ipAttribute("Static IPv4 configuration, which cloud-init, or `customization` on vSphere, sets in the guest at its first boot. Unset: DHCP.", "10.0.0.5/24", "10.0.0.1",
				cidrtypes.IPv4PrefixType{}, iptypes.IPv4AddressType{}),
			"ipv6": ipAttribute("Static IPv6 configuration, which cloud-init, or `customization` on vSphere, sets in the guest at its first boot. Unset: router advertisements.", "2001:db8::5/64", "2001:db8::1",
				cidrtypes.IPv6PrefixType{}, iptypes.IPv6AddressType{}),
			"ip_addresses": schema.ListAttribute{
				MarkdownDescription: "Addresses that the guest agent or the hypervisor reports for this interface, IPv4 first, without link-local ones. Empty while the VM does not run.",
				Computed:            true, ElementType: types.StringType,
			},
		}},
	}
}

func ipAttribute(doc, address, gateway string, prefix, addr basetypes.StringTypable) schema.Attribute {
	return schema.SingleNestedAttribute{
		MarkdownDescription: doc, Optional: true,
		Attributes: map[string]schema.Attribute{
			"address":         schema.StringAttribute{MarkdownDescription: "Address with its prefix length, such as `" + address + "`.", Required: true, CustomType: prefix},
			"gateway":         schema.StringAttribute{MarkdownDescription: "Default gateway, such as `" + gateway + "`. Default: none.", Optional: true, CustomType: addr},
			"extra_addresses": schema.ListAttribute{MarkdownDescription: "Further addresses with their prefix lengths.", Optional: true, ElementType: prefix, Validators: noNulls},
			"routes": schema.ListNestedAttribute{
				MarkdownDescription: "Static routes beside the gateway.", Optional: true, Validators: noNulls,
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"to":  schema.StringAttribute{MarkdownDescription: "Destination, with its prefix length.", Required: true, CustomType: prefix},
					"via": schema.StringAttribute{MarkdownDescription: "Next hop.", Required: true, CustomType: addr},
				}},
			},
		},
	}
}

func expandNetworks(m map[string]*NIC) map[string]backends.NIC {
	if m == nil {
		return nil
	}
	out := make(map[string]backends.NIC, len(m))
	for key, n := range m {
		if n == nil { // not known yet
			n = &NIC{}
		}
		out[key] = backends.NIC{
			Network: n.Network, VLAN: n.VLAN, Model: n.Model, MAC: canonicalMAC(n.MAC), MTU: n.MTU, Connected: n.Connected,
			Order: n.Order, BandwidthMbps: n.Bandwidth, Options: maps.Clone(n.Options), IPv4: n.IPv4.expand(), IPv6: n.IPv6.expand(),
		}
	}
	return out
}

// canonicalMAC is the form that the seam speaks: lower case, with colons.
func canonicalMAC(s *string) *string {
	if s == nil {
		return nil
	}
	if hw, err := net.ParseMAC(*s); err == nil {
		return some(hw.String())
	}
	return s
}

func (m *IPConfig) expand() *backends.IPConfig {
	if m == nil {
		return nil
	}
	c := &backends.IPConfig{Address: value(m.Address), Gateway: value(m.Gateway), Extra: slices.Clone(m.ExtraAddresses)}
	for _, r := range m.Routes {
		c.Routes = append(c.Routes, backends.Route{To: value(r.To), Via: value(r.Via)})
	}
	return c
}

func flattenIP(c *backends.IPConfig) *IPConfig {
	if c == nil {
		return nil
	}
	m := &IPConfig{Address: some(c.Address), Gateway: some(c.Gateway), ExtraAddresses: slices.Clone(c.Extra)}
	for _, r := range c.Routes {
		m.Routes = append(m.Routes, Route{To: some(r.To), Via: some(r.Via)})
	}
	return m
}

// flattenNetworks shows the interfaces. Static addresses are only in the seed,
// so they are taken from the VM when it is seen for the first time and kept then.
func flattenNetworks(vm *backends.VM, prior map[string]*NIC, adopting bool) map[string]*NIC {
	if vm.Config.Networks == nil {
		return prior
	}
	out := make(map[string]*NIC, len(vm.Config.Networks))
	for key, n := range vm.Config.Networks {
		p, status := value(prior[key]), vm.Networks[key]
		nic := &NIC{
			Network: or(n.Network, p.Network), VLAN: tag(n.VLAN, p.VLAN), Model: or(n.Model, p.Model),
			MAC: or(or(some(status.MAC), n.MAC), p.MAC), MTU: or(n.MTU, p.MTU), Connected: or(n.Connected, p.Connected),
			Order: or(n.Order, p.Order), Bandwidth: orNone(n.BandwidthMbps), Options: orMap(n.Options, p.Options), IPv4: p.IPv4, IPv6: p.IPv6,
			IPAddresses: addresses(vm, status, p),
		}
		if adopting {
			nic.IPv4, nic.IPv6 = flattenIP(n.IPv4), flattenIP(n.IPv6)
		}
		out[key] = nic
	}
	return out
}

// tag is the observed VLAN. An interface without one is shown as 0 where there
// was a tag before or 0 was asked for, and as null where nobody ever spoke of it.
func tag(observed, prior *int64) *int64 {
	if observed == nil && prior != nil {
		return new(int64)
	}
	return observed
}

// addresses are those that the VM has. A running VM whose agent is silent keeps
// those it had: an agent that restarts must not take addresses from state.
func addresses(vm *backends.VM, status backends.NICStatus, prior NIC) []string {
	if vm.Power != backends.Running {
		return []string{}
	}
	silent := vm.Guest == nil || !vm.Guest.AgentRunning
	if len(status.Addresses) == 0 && silent && len(prior.IPAddresses) > 0 {
		return prior.IPAddresses
	}
	return append([]string{}, status.Addresses...)
}

// inOrder returns the keys of networks in the order of the interfaces.
func inOrder(networks map[string]*NIC) []string {
	keys := slices.Sorted(maps.Keys(networks))
	place := func(key string) int64 {
		if n := networks[key]; n != nil && n.Order != nil {
			return *n.Order
		}
		return int64(slices.Index(keys, key))
	}
	ordered := slices.Clone(keys)
	slices.SortStableFunc(ordered, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return ordered
}
