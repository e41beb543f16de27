package cloudinit

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func (v *validator) networks(spec *backends.VMSpec) {
	owners := map[netip.Addr]backends.Path{}
	macs := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(spec.Networks)) {
		nic := spec.Networks[key]
		p := backends.Path("networks").Key(key)
		if nic.MAC != nil {
			v.mac(p.Attr("mac"), key, *nic.MAC, macs)
		}
		if nic.IPv4 != nil {
			v.ipConfig(p.Attr("ipv4"), nic.IPv4, 4, owners)
		}
		if nic.IPv6 != nil {
			v.ipConfig(p.Attr("ipv6"), nic.IPv6, 6, owners)
		}
	}
}

func (v *validator) mac(p backends.Path, key, text string, owners map[string]string) {
	hw, err := net.ParseMAC(text)
	switch {
	case err != nil || len(hw) != 6:
		v.errorf(p, "%q is not a MAC address: write six pairs of hexadecimal digits such as \"52:54:00:12:34:56\".", text)
		return
	case hw[0]&1 == 1:
		v.errorf(p, "%q is a multicast address: the first pair of a network interface's MAC address is even.", text)
	case bytes.Equal(hw, make([]byte, 6)):
		v.errorf(p, "A network interface cannot have the MAC address of zeros.")
	}
	if other, ok := owners[hw.String()]; ok {
		v.errorf(p, "Network %q has this MAC address too.", other)
		return
	}
	owners[hw.String()] = key
}

func (v *validator) ipConfig(p backends.Path, c *backends.IPConfig, version int, owners map[netip.Addr]backends.Path) {
	var subnets []netip.Prefix
	if c.Address == "" {
		v.errorf(p.Attr("address"), "A static configuration needs an address with its prefix, such as %q. Leave %s out for %s.",
			example(version), p, automatic(version))
	} else if prefix, ok := v.address(p.Attr("address"), c.Address, version, owners); ok {
		subnets = append(subnets, prefix)
	}
	for _, extra := range c.Extra {
		if prefix, ok := v.address(p.Attr("extra"), extra, version, owners); ok {
			subnets = append(subnets, prefix)
		}
	}
	if c.Gateway != "" {
		v.gateway(p.Attr("gateway"), c.Gateway, version, subnets)
	}
	for _, r := range c.Routes {
		v.route(p.Attr("routes"), r, version, subnets)
	}
}

// address checks a host address with its prefix.
func (v *validator) address(p backends.Path, text string, version int, owners map[netip.Addr]backends.Path) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
			v.errorf(p, "The address %q lacks its prefix: write %q, with the length that the network has.", text, fmt.Sprintf("%s/%d", text, usualBits(ip)))
		} else {
			v.errorf(p, "%q is not an address with its prefix, such as %q.", text, example(version))
		}
		return prefix, false
	}
	ip := prefix.Addr()
	if !v.family(p, ip, text, version) {
		return prefix, false
	}
	switch {
	case ip.IsUnspecified() || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		v.errorf(p, "%q is not an address that a host can have.", text)
		return prefix, false
	case prefix.Bits() == 0:
		v.errorf(p, "The prefix /0 of %q puts the whole internet on this network: write the length that the network has.", text)
		return prefix, false
	case ip.IsLoopback():
		v.errorf(p, "%q is a loopback address.", text)
	case version == 4 && prefix.Bits() < 31 && ip == prefix.Masked().Addr():
		v.errorf(p, "%q is the address of the network itself: choose a host in it, such as %s.", text, ip.Next())
	case version == 4 && prefix.Bits() < 31 && ip == broadcast(prefix):
		v.errorf(p, "%q is the broadcast address of its network: choose a host in it, such as %s.", text, ip.Prev())
	case version == 6 && prefix.Bits() < 127 && ip == prefix.Masked().Addr():
		v.warnf(p, "%q is the address by which any router of that network is reached (subnet-router anycast).", text)
	}
	if other, taken := owners[ip]; taken {
		v.errorf(p, "%s has the address %s too.", other, ip)
	} else {
		owners[ip] = p
	}
	return prefix, true
}

func (v *validator) family(p backends.Path, ip netip.Addr, text string, version int) bool {
	switch {
	case version == 4 && !ip.Is4():
		v.errorf(p, "%q is not an IPv4 address: it belongs in `ipv6`.", text)
	case version == 6 && !ip.Is6():
		v.errorf(p, "%q is not an IPv6 address: it belongs in `ipv4`.", text)
	case ip.Is4In6():
		v.errorf(p, "%q is an IPv4 address written as IPv6: write it in `ipv4`.", text)
	default:
		return true
	}
	return false
}

func (v *validator) gateway(p backends.Path, text string, version int, subnets []netip.Prefix) {
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		v.errorf(p, "%q is not an IP address. A gateway has no prefix.", text)
		return
	}
	if !v.family(p, ip, text, version) || len(subnets) == 0 {
		return
	}
	for _, s := range subnets {
		if s.Addr() == ip {
			v.errorf(p, "The gateway %s is the VM's own address.", text)
			return
		}
	}
	if onLink(ip, subnets) {
		return
	}
	// A host prefix (/32, /128) says that each other host is behind the gateway, which is
	// then on the link by decree.
	if slices.ContainsFunc(subnets, netip.Prefix.IsSingleIP) {
		v.warnf(p, "The gateway %s is outside of the VM's address, which is one host only: that works in guests whose cloud-init writes netplan files, which can say that a gateway is on the link.", text)
		return
	}
	v.errorf(p, "The gateway %s is not in the network %s of the VM's address, so the VM could not reach it: correct the gateway or the prefix.", text, subnets[0].Masked())
}

func (v *validator) route(p backends.Path, r backends.Route, version int, subnets []netip.Prefix) {
	if r.To != "default" {
		if to, err := netip.ParsePrefix(r.To); err != nil {
			v.errorf(p, "%q is not a network such as %q.", r.To, exampleNetwork(version))
		} else if v.family(p, to.Addr(), r.To, version) && to != to.Masked() {
			v.warnf(p, "%q has bits set behind its prefix: the network is %s.", r.To, to.Masked())
		}
	}
	via, err := netip.ParseAddr(r.Via)
	if err != nil || via.Zone() != "" {
		v.errorf(p, "The route to %s goes via %q, which is not an IP address.", r.To, r.Via)
		return
	}
	if v.family(p, via, r.Via, version) && len(subnets) > 0 && !onLink(via, subnets) {
		v.warnf(p, "The route to %s goes via %s, which is in none of the networks of this interface: the VM reaches it only if it answers on the link.", r.To, r.Via)
	}
}

func onLink(ip netip.Addr, subnets []netip.Prefix) bool {
	return ip.IsLinkLocalUnicast() || slices.ContainsFunc(subnets, func(s netip.Prefix) bool { return s.Contains(ip) })
}

func (v *validator) dns(dns *backends.DNS) {
	for _, s := range dns.Servers {
		if _, err := netip.ParseAddr(s); err != nil {
			v.errorf("dns.servers", "%q is not an IP address: a name server cannot be given by name.", s)
		}
	}
	for _, s := range dns.Search {
		if why := badHostname(s); why != "" && s != "." {
			v.errorf("dns.search", "%q is not a domain name: %s.", s, why)
		}
	}
}

func broadcast(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(b)
}

func usualBits(ip netip.Addr) int {
	if ip.Is4() {
		return 24
	}
	return 64
}

func example(version int) string {
	if version == 4 {
		return "10.0.0.5/24"
	}
	return "2001:db8::5/64"
}

func exampleNetwork(version int) string {
	if version == 4 {
		return "10.8.0.0/16"
	}
	return "2001:db8:1::/48"
}

func automatic(version int) string {
	if version == 4 {
		return "DHCP"
	}
	return "router advertisements"
}
