package cloudinit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// renderNetwork makes network-config, version 2.
//
// An interface is found by its MAC address and named after its key: a name that the kernel
// derives from the bus changes with the machine type or the hypervisor, and some renderers
// write the name into what they keep. The entry's id equals that name because older renderers
// look one up by the other. The default route is spelled 0.0.0.0/0, because "default" is an invalid
// network to cloud-init 22.4 and gateway4 is deprecated in netplan; the one of IPv6 is gateway6
// all the same, because 22.4 makes ::/64 of ::/0 wherever it does not write netplan files.
func renderNetwork(spec *backends.VMSpec, ci *backends.CloudInit, nics []NIC, clone bool) (string, error) {
	if ci.NetworkConfig != nil && *ci.NetworkConfig != "" {
		return *ci.NetworkConfig, nil
	}
	if len(nics) == 0 {
		return "", nil
	}
	w := &netWriter{}
	w.line(0, "version: 2")
	w.line(0, "ethernets:")
	names := interfaceNames(nics)
	resolver := resolverNIC(spec, nics)
	for i, nic := range nics {
		if nic.MAC == "" {
			return "", fmt.Errorf("network %q has no MAC address, by which the guest would know it", nic.Key)
		}
		cfg := spec.Networks[nic.Key]
		w.line(2, "%s:", quote(names[i]))
		w.line(4, "match:")
		w.line(6, "macaddress: %s", quote(strings.ToLower(nic.MAC)))
		w.line(4, "set-name: %s", quote(names[i]))
		w.addresses(cfg)
		if cfg.MTU != nil {
			w.line(4, "mtu: %d", *cfg.MTU)
		}
		dhcp := cfg.IPv4 == nil
		if clone && dhcp {
			w.line(4, "dhcp-identifier: mac") // netplan's; others ignore it
		}
		// Boot does not wait for a link that is down, nor for DHCP on a second network,
		// which may have no server.
		if (cfg.Connected != nil && !*cfg.Connected) || (dhcp && i > 0) {
			w.line(4, "optional: true")
		}
		if dns := spec.DNS; dns != nil {
			if dhcp && len(dns.Servers) > 0 {
				w.line(4, "dhcp4-overrides:")
				w.line(6, "use-dns: false")
			}
			if i == resolver && len(dns.Servers)+len(dns.Search) > 0 {
				w.line(4, "nameservers:")
				w.list(6, "addresses", dns.Servers)
				w.list(6, "search", dns.Search)
			}
		}
	}
	return w.b.String(), nil
}

// resolverNIC is the interface that the DNS servers belong to: the one with the default
// route. On each interface they would also be asked through networks that do not reach them.
func resolverNIC(spec *backends.VMSpec, nics []NIC) int {
	dhcp := -1
	for i, nic := range nics {
		cfg := spec.Networks[nic.Key]
		if cfg.Connected != nil && !*cfg.Connected {
			continue
		}
		if hasDefaultRoute(cfg.IPv4) || hasDefaultRoute(cfg.IPv6) {
			return i
		}
		if cfg.IPv4 == nil && dhcp < 0 {
			dhcp = i
		}
	}
	return max(dhcp, 0)
}

func hasDefaultRoute(c *backends.IPConfig) bool {
	if c == nil {
		return false
	}
	if c.Gateway != "" {
		return true
	}
	for _, r := range c.Routes {
		if isDefault(r.To) {
			return true
		}
	}
	return false
}

func isDefault(to string) bool { return to == "default" || strings.HasSuffix(to, "/0") }

type netWriter struct{ b strings.Builder }

func (w *netWriter) line(indent int, format string, args ...any) {
	w.b.WriteString(strings.Repeat(" ", indent))
	fmt.Fprintf(&w.b, format, args...)
	w.b.WriteByte('\n')
}

func (w *netWriter) list(indent int, key string, values []string) {
	if len(values) == 0 {
		return
	}
	w.line(indent, "%s:", key)
	for _, v := range values {
		w.line(indent, "- %s", quote(v))
	}
}

func (w *netWriter) addresses(cfg backends.NIC) {
	if cfg.IPv4 == nil {
		w.line(4, "dhcp4: true")
	}
	// Without IPv6 nothing is said: router advertisements are accepted by default, and
	// "dhcp6: true" would make some guests wait for a server that is not there.
	var list []string
	for _, c := range []*backends.IPConfig{cfg.IPv4, cfg.IPv6} {
		if c == nil {
			continue
		}
		if c.Address != "" {
			list = append(list, c.Address)
		}
		list = append(list, c.Extra...)
	}
	w.list(4, "addresses", list)

	routes := routesOf(cfg.IPv4, "0.0.0.0/0")
	for i, r := range routesOf(cfg.IPv6, "::/0") {
		if i == 0 && cfg.IPv6.Gateway != "" && !r.onLink {
			w.line(4, "gateway6: %s", quote(r.Via))
			continue
		}
		routes = append(routes, r)
	}
	if len(routes) == 0 {
		return
	}
	w.line(4, "routes:")
	for _, r := range routes {
		w.line(4, "- to: %s", quote(r.To))
		w.line(6, "via: %s", quote(r.Via))
		if r.onLink {
			w.line(6, "on-link: true")
		}
	}
}

type route struct {
	backends.Route
	onLink bool // the gateway is reachable though no address says so
}

func routesOf(c *backends.IPConfig, all string) []route {
	if c == nil {
		return nil
	}
	var list []backends.Route
	if c.Gateway != "" {
		list = append(list, backends.Route{To: all, Via: c.Gateway})
	}
	list = append(list, c.Routes...)
	out := make([]route, 0, len(list))
	for _, r := range list {
		if r.To == "default" {
			r.To = all
		}
		out = append(out, route{r, offLink(c, r.Via)})
	}
	return out
}

// offLink reports that via is a valid address which none of c's subnets holds.
func offLink(c *backends.IPConfig, via string) bool {
	ip, err := netip.ParseAddr(via)
	if err != nil || ip.IsLinkLocalUnicast() {
		return false
	}
	for _, a := range append([]string{c.Address}, c.Extra...) {
		if p, err := netip.ParsePrefix(a); err == nil && p.Contains(ip) {
			return false
		}
	}
	return true
}

// interfaceNames gives each NIC the name it has in the guest: its key in lower case, with "-" for
// what is not a-z, 0-9, "_" or "-", at most 15 characters. A key that would be empty, begin
// with a digit or be "lo", "all" or "default" gets "net" in front. Where characters were lost to
// the limit or two keys become one, part of the key's hash replaces the end.
func interfaceNames(nics []NIC) []string {
	names := make([]string, len(nics))
	taken := map[string]bool{}
	for i, nic := range nics {
		name := interfaceName(nic.Key)
		if len(name) > 15 || taken[name] {
			name = hashedName(name, nic.Key)
		}
		for n := 0; taken[name]; n++ { // the same key twice
			name = hashedName(name, fmt.Sprint(nic.Key, "#", n))
		}
		taken[name] = true
		names[i] = name
	}
	return names
}

func interfaceName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, strings.ToLower(key))
	name = strings.Trim(name, "-_")
	switch {
	case name == "", name == "lo", name == "all", name == "default", name[0] >= '0' && name[0] <= '9':
		return "net" + name
	}
	return name
}

func hashedName(name, key string) string {
	sum := sha256.Sum256([]byte(key))
	if len(name) > 10 {
		name = name[:10]
	}
	return name + "-" + hex.EncodeToString(sum[:2])
}

// quote makes a double-quoted YAML scalar. Always quoted: a MAC address may read as a
// number of base 60, "on" as a truth value.
func quote(s string) string { return fmt.Sprintf("%q", s) }
