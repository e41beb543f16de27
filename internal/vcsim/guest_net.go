package vcsim

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
	"go.yaml.in/yaml/v3"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// settings are what a guest was told of its name and its network.
type settings struct {
	hostname string
	network  map[string]nicSettings // by MAC in lower case; nil: nothing was said
	names    []nicSettings          // those without a MAC, by name
}

type nicSettings struct {
	addresses []string // with prefix length
	dhcp      bool
	dns       []string
}

// tell lets the guest say who it is and what addresses it has.
func (s *Server) tell(ctx *simulator.Context, vm *simulator.VirtualMachine, g *types.GuestInfo) {
	set := s.settingsOf(ctx, vm)
	g.HostName = set.hostname
	if g.HostName == "" {
		g.HostName = "localhost"
	}
	g.Net, g.IpAddress = nil, ""
	unnamed := set.names
	for _, d := range vm.Config.Hardware.Device {
		card, ok := d.(types.BaseVirtualEthernetCard)
		if !ok {
			continue
		}
		c := card.GetVirtualEthernetCard()
		nic := types.GuestNicInfo{
			Network: networkName(ctx, c.Backing), MacAddress: strings.ToLower(c.MacAddress), DeviceConfigId: c.Key,
			Connected: c.Connectable == nil || c.Connectable.Connected,
		}
		cfg, said := set.network[nic.MacAddress]
		switch {
		case said:
		case set.network == nil && set.names == nil:
			cfg = nicSettings{dhcp: true}
		case len(unnamed) > 0:
			cfg, unnamed = unnamed[0], unnamed[1:]
		}
		if nic.Connected {
			addresses(&nic, cfg)
		}
		for _, a := range nic.IpAddress {
			if ip, err := netip.ParseAddr(a); err == nil && ip.Is4() && g.IpAddress == "" {
				g.IpAddress = a
			}
		}
		nic.DnsConfig = &types.NetDnsConfigInfo{Dhcp: cfg.dhcp, HostName: g.HostName, IpAddress: cfg.dns}
		g.Net = append(g.Net, nic)
	}
}

// addresses gives a card what it was told, and what DHCP and the link itself give.
func addresses(nic *types.GuestNicInfo, cfg nicSettings) {
	list := slices.Clone(cfg.addresses)
	if cfg.dhcp {
		list = append(list, leaseOf(nic.MacAddress)+"/24")
	}
	list = append(list, linkLocal(nic.MacAddress)+"/64")
	nic.IpConfig = &types.NetIpConfigInfo{}
	for _, a := range list {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			continue
		}
		nic.IpAddress = append(nic.IpAddress, p.Addr().String())
		nic.IpConfig.IpAddress = append(nic.IpConfig.IpAddress, types.NetIpConfigInfoIpAddress{
			IpAddress: p.Addr().String(), PrefixLength: int32(p.Bits()), State: string(types.NetIpConfigInfoIpAddressStatusPreferred),
		})
	}
}

// leaseOf is the address that DHCP leases to a MAC.
func leaseOf(mac string) string {
	h := sha256.Sum256([]byte(mac))
	return fmt.Sprintf("10.%d.%d.%d", h[0], h[1], 2+int(h[2])%250)
}

func linkLocal(mac string) string {
	hw, err := net.ParseMAC(mac)
	if err != nil || len(hw) != 6 {
		return "fe80::1"
	}
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: hw[0] ^ 2, hw[1], hw[2], 0xff, 0xfe, hw[3], hw[4], hw[5]}).String()
}

// networkName returns the name of the network that a card is connected to.
func networkName(ctx *simulator.Context, backing types.BaseVirtualDeviceBackingInfo) string {
	switch b := backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		return b.DeviceName
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		obj := ctx.Map.Get(types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: b.Port.PortgroupKey})
		if pg, ok := obj.(*simulator.DistributedVirtualPortgroup); ok {
			return pg.Name
		}
	case *types.VirtualEthernetCardOpaqueNetworkBackingInfo:
		return b.OpaqueNetworkId
	}
	return ""
}

// settingsOf collects what the guest was told: by the properties that
// cloud-init reads, else by a NoCloud volume, and by customization.
func (s *Server) settingsOf(ctx *simulator.Context, vm *simulator.VirtualMachine) settings {
	m := s.machine(vm.Self)
	m.mu.Lock()
	applied := m.guest.applied
	m.mu.Unlock()
	set := settings{}
	if applied != nil {
		set = customSettings(vm, applied)
	}
	meta, user, network := guestProperties(vm)
	if meta == "" && user == "" {
		meta, user, network = s.noCloud(ctx, vm)
	}
	set.read(meta, user, network)
	return set
}

// read takes over what cloud-init's documents say.
func (set *settings) read(metaData, userData, networkConfig string) {
	var meta struct {
		Hostname      string    `yaml:"hostname"`
		LocalHostname string    `yaml:"local-hostname"`
		Network       yaml.Node `yaml:"network"`
	}
	if yaml.Unmarshal([]byte(metaData), &meta) == nil {
		set.hostname = first(meta.LocalHostname, meta.Hostname, set.hostname)
		if networkConfig == "" && !meta.Network.IsZero() {
			networkConfig = networkText(meta.Network, metaData)
		}
	}
	var user struct {
		Hostname string `yaml:"hostname"`
		FQDN     string `yaml:"fqdn"`
	}
	if strings.HasPrefix(userData, "#cloud-config") && yaml.Unmarshal([]byte(userData), &user) == nil {
		set.hostname = first(user.FQDN, user.Hostname, set.hostname)
	}
	if networkConfig != "" {
		set.readNetwork(networkConfig)
	}
}

// networkText returns the network configuration within meta-data, which may be encoded.
func networkText(n yaml.Node, metaData string) string {
	if n.Kind == yaml.ScalarNode {
		var e struct {
			Encoding string `yaml:"network.encoding"`
		}
		_ = yaml.Unmarshal([]byte(metaData), &e)
		return decode(n.Value, e.Encoding)
	}
	text, _ := yaml.Marshal(&n)
	return string(text)
}

func (set *settings) readNetwork(text string) {
	type config struct {
		Ethernets map[string]struct {
			Match struct {
				MAC string `yaml:"macaddress"`
			} `yaml:"match"`
			DHCP4       bool     `yaml:"dhcp4"`
			Addresses   []string `yaml:"addresses"`
			Nameservers struct {
				Addresses []string `yaml:"addresses"`
			} `yaml:"nameservers"`
		} `yaml:"ethernets"`
	}
	var doc struct {
		config  `yaml:",inline"`
		Network config `yaml:"network"`
	}
	if yaml.Unmarshal([]byte(text), &doc) != nil {
		return
	}
	c := doc.config
	if c.Ethernets == nil {
		c = doc.Network
	}
	set.network, set.names = map[string]nicSettings{}, nil
	for _, name := range sortedKeys(c.Ethernets) {
		e := c.Ethernets[name]
		n := nicSettings{addresses: e.Addresses, dhcp: e.DHCP4, dns: e.Nameservers.Addresses}
		if e.Match.MAC != "" {
			set.network[strings.ToLower(e.Match.MAC)] = n
		} else {
			set.names = append(set.names, n)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// guestProperties returns what the machine's guestinfo properties hold.
func guestProperties(vm *simulator.VirtualMachine) (metaData, userData, network string) {
	value := func(key string) string {
		for _, o := range vm.Config.ExtraConfig {
			if v := o.GetOptionValue(); v.Key == key {
				text, _ := v.Value.(string)
				return text
			}
		}
		return ""
	}
	get := func(key string) string { return decode(value(key), value(key+".encoding")) }
	return get("guestinfo.metadata"), get("guestinfo.userdata"), ""
}

// decode undoes an encoding of cloud-init's VMware datasource.
func decode(value, encoding string) string {
	if encoding == "" {
		return value
	}
	data, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	if !strings.HasPrefix(encoding, "gz") {
		return string(data)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(z, 8<<20))
	if err != nil {
		return ""
	}
	return string(text)
}

// noCloud returns what a NoCloud volume in a drive of the machine holds.
func (s *Server) noCloud(ctx *simulator.Context, vm *simulator.VirtualMachine) (metaData, userData, network string) {
	for _, d := range vm.Config.Hardware.Device {
		cd, ok := d.(*types.VirtualCdrom)
		if !ok || cd.Connectable != nil && !cd.Connectable.Connected {
			continue
		}
		b, ok := cd.Backing.(*types.VirtualCdromIsoBackingInfo)
		if !ok {
			continue
		}
		image, err := os.ReadFile(string(s.diskFile(ctx, vm, b.FileName)))
		if err != nil || len(image) > 64<<20 {
			continue
		}
		if seed, err := cloudinit.ReadISO(image); err == nil {
			return seed.MetaData, seed.UserData, seed.NetworkConfig
		}
	}
	return "", "", ""
}
