package pvesim

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// seed is what a cloud-init drive holds, by the names that the API has for its parts.
func (m *machine) seed() map[string]string {
	user := m.seedUser()
	if m.seedFormat() == "nocloud" {
		network := m.seedNetwork()
		return map[string]string{"user": user, "network": network, "meta": "instance-id: " + instanceID(user, network) + "\n"}
	}
	network := m.seedInterfaces()
	return map[string]string{"user": user, "network": network, "meta": fmt.Sprintf(
		"{\n     \"uuid\": %q,\n     \"network_config\": { \"content_path\": \"/content/0000\" }\n}\n", instanceID(user, network))}
}

func instanceID(user, network string) string {
	return checksum(user + network)
}

// seedFormat is how the drive is laid out, by the guest's system where nothing is said.
func (m *machine) seedFormat() string {
	switch {
	case m.config["citype"] != "":
		return m.config["citype"]
	case windows(m.config["ostype"]):
		return "configdrive2"
	}
	return "nocloud"
}

func (m *machine) seedUser() string {
	conf := m.config
	host := conf["name"]
	if host == "" {
		host = "VM" + strconv.Itoa(m.id)
	}
	full := host
	if short, _, dotted := strings.Cut(host, "."); dotted {
		host = short
	} else if conf["searchdomain"] != "" {
		full = host + "." + conf["searchdomain"]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#cloud-config\nhostname: %s\nmanage_etc_hosts: true\nfqdn: %s\n", host, full)
	user, named := conf["ciuser"]
	if named {
		fmt.Fprintf(&b, "user: %s\n", user)
	}
	if user == "root" {
		b.WriteString("disable_root: False\n")
	}
	if password, ok := conf["cipassword"]; ok {
		fmt.Fprintf(&b, "password: %s\n", password)
	}
	if keys, ok := conf["sshkeys"]; ok {
		b.WriteString("ssh_authorized_keys:\n")
		plain, _ := url.PathUnescape(keys)
		for line := range strings.Lines(plain) {
			if line = strings.TrimRight(line, "\n"); strings.TrimSpace(line) != "" {
				fmt.Fprintf(&b, "  - %s\n", line)
			}
		}
	}
	b.WriteString("chpasswd:\n  expire: False\n")
	if user != "root" {
		b.WriteString("users:\n  - default\n")
	}
	if upgrade, ok := conf["ciupgrade"]; !ok || upgrade != "0" {
		b.WriteString("package_upgrade: true\n")
	}
	return b.String()
}

// configured calls f for every interface with an ipconfig, in the order of the keys as text.
func (m *machine) configured(f func(index string, n nic, ip map[string]string)) {
	for _, key := range slices.Sorted(maps.Keys(m.config)) {
		index, ok := strings.CutPrefix(key, "net")
		if !ok || !isNIC(key) || m.config["ipconfig"+index] == "" {
			continue
		}
		ip := map[string]string{}
		for part := range strings.SplitSeq(m.config["ipconfig"+index], ",") {
			name, value, _ := strings.Cut(part, "=")
			ip[name] = value
		}
		f(index, parseNIC(m.config[key]), ip)
	}
}

// seedNetwork is version 1 of cloud-init's network configuration.
func (m *machine) seedNetwork() string {
	var b strings.Builder
	b.WriteString("version: 1\nconfig:\n")
	m.configured(func(index string, n nic, ip map[string]string) {
		fmt.Fprintf(&b, "    - type: physical\n      name: eth%s\n      mac_address: '%s'\n      subnets:\n", index, strings.ToLower(n.mac))
		switch address := ip["ip"]; address {
		case "":
		case "dhcp":
			b.WriteString("      - type: dhcp4\n")
		default:
			address, mask := splitAddress(address)
			fmt.Fprintf(&b, "      - type: static\n        address: '%s'\n        netmask: '%s'\n", address, mask)
			if ip["gw"] != "" {
				fmt.Fprintf(&b, "        gateway: '%s'\n", ip["gw"])
			}
		}
		switch address := ip["ip6"]; address {
		case "":
		case "dhcp":
			b.WriteString("      - type: dhcp6\n")
		case "auto":
			b.WriteString("      - type: ipv6_slaac\n")
		default:
			fmt.Fprintf(&b, "      - type: static6\n        address: '%s'\n", address)
			if ip["gw6"] != "" {
				fmt.Fprintf(&b, "        gateway: '%s'\n", ip["gw6"])
			}
		}
	})
	b.WriteString("    - type: nameserver\n")
	for _, part := range []struct {
		name   string
		values []string
	}{{"address", m.nameServers()}, {"search", strings.Fields(m.config["searchdomain"])}} {
		if len(part.values) == 0 {
			continue
		}
		fmt.Fprintf(&b, "      %s:\n", part.name)
		for _, value := range part.values {
			fmt.Fprintf(&b, "      - '%s'\n", value)
		}
	}
	return b.String()
}

// hostResolver is the name server of the nodes, which guests get that are told no other.
const hostResolver = "10.10.0.1"

func (m *machine) nameServers() []string {
	if value, ok := m.config["nameserver"]; ok {
		return strings.Fields(value)
	}
	return []string{hostResolver}
}

// seedInterfaces is the network configuration of a config drive, in the form of /etc/network/interfaces.
func (m *machine) seedInterfaces() string {
	var b strings.Builder
	b.WriteString("auto lo\niface lo inet loopback\n\n")
	fmt.Fprintf(&b, "        dns_nameservers %s\n", strings.Join(m.nameServers(), " "))
	if search := strings.Fields(m.config["searchdomain"]); len(search) > 0 {
		fmt.Fprintf(&b, "        dns_search %s\n", strings.Join(search, " "))
	}
	m.configured(func(index string, _ nic, ip map[string]string) {
		fmt.Fprintf(&b, "auto eth%s\n", index)
		for _, family := range []struct{ key, gateway, name string }{{"ip", "gw", "inet"}, {"ip6", "gw6", "inet6"}} {
			switch address := ip[family.key]; address {
			case "":
			case "dhcp", "auto":
				fmt.Fprintf(&b, "iface eth%s %s %s\n", index, family.name, address)
			default:
				host, mask := splitAddress(address)
				fmt.Fprintf(&b, "iface eth%s %s static\n        address %s\n        netmask %s\n", index, family.name, host, mask)
				if ip[family.gateway] != "" {
					fmt.Fprintf(&b, "        gateway %s\n", ip[family.gateway])
				}
			}
		}
	})
	return b.String()
}

// splitAddress parts an address from its mask: that of IPv4 dotted, that of IPv6 a number.
func splitAddress(cidr string) (address, mask string) {
	ip, network, err := net.ParseCIDR(cidr)
	if err != nil {
		return cidr, ""
	}
	if ip.To4() != nil {
		return ip.String(), net.IP(network.Mask).String()
	}
	ones, _ := network.Mask.Size()
	return ip.String(), strconv.Itoa(ones)
}
