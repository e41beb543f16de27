package pvesim

import (
	"cmp"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// guestSettings are what a guest was told of its name and its network when it booted.
type guestSettings struct {
	hostname string
	network  bool                   // something was said of the network
	known    map[string]bool        // the MACs that were there then
	byMAC    map[string]nicSettings // by MAC in lower case
	unnamed  []nicSettings          // those without a MAC, in order
}

type nicSettings struct {
	name      string
	addresses []string // with prefix length
	dhcp      bool
}

// seedSize is the most that is read of a medium with a seed.
const seedSize = 64 << 20

// guestSettings reads what the guest of a VM is told at its start: by the cloud-init drive, else by a NoCloud
// volume in another drive, else nothing, which means DHCP.
func (c *cluster) guestSettings(m *machine) guestSettings {
	set := guestSettings{known: map[string]bool{}, byMAC: map[string]nicSettings{}}
	for _, n := range linksOf(m) {
		set.known[n.mac] = true
	}
	drives := guestDrives(m)
	if slices.ContainsFunc(drives, func(d guestDrive) bool { return d.cdrom && isCloudInit(d.volid) }) {
		c.readCloudInitDrive(m, &set)
		return set
	}
	for _, d := range drives {
		if !d.cdrom {
			continue
		}
		if seed, err := cloudinit.ReadISO(c.volumeBytes(m.node.name, d.volid, seedSize)); err == nil {
			set.read(seed.MetaData, seed.UserData, seed.NetworkConfig)
			return set
		}
	}
	return set
}

// isCloudInit reports whether a volume is that of a cloud-init drive.
func isCloudInit(volid string) bool {
	_, name, _ := strings.Cut(volid, ":")
	name = name[strings.LastIndex(name, "/")+1:]
	name, _, _ = strings.Cut(name, ".")
	return name == "cloudinit" || strings.HasSuffix(name, "-cloudinit")
}

// readCloudInitDrive takes over what the generated drive says: the VM's name, what ipconfigN has for netN, and
// the snippets of cicustom in place of both. An interface without ipconfigN is not configured.
func (c *cluster) readCloudInitDrive(m *machine, set *guestSettings) {
	custom := map[string]string{}
	for part := range strings.SplitSeq(m.config["cicustom"], ",") {
		if kind, volid, ok := strings.Cut(part, "="); ok {
			custom[kind] = string(c.volumeBytes(m.node.name, volid, seedSize))
		}
	}
	set.hostname = m.config["name"]
	if set.hostname == "" {
		set.hostname = "VM" + strconv.Itoa(m.id)
	}
	set.network = true
	for _, n := range linksOf(m) {
		set.byMAC[n.mac] = ipConfig(m.config["ipconfig"+strconv.Itoa(n.index)])
	}
	set.read(custom["meta"], custom["user"], custom["network"])
}

// ipConfig reads one ipconfigN. One that says nothing of addresses means DHCP.
func ipConfig(value string) nicSettings {
	if value == "" {
		return nicSettings{}
	}
	var n nicSettings
	said := false
	for part := range strings.SplitSeq(value, ",") {
		k, v, _ := strings.Cut(part, "=")
		if k != "ip" && k != "ip6" {
			continue
		}
		said = true
		switch {
		case v == "dhcp" && k == "ip":
			n.dhcp = true
		case v != "dhcp" && v != "auto":
			n.addresses = append(n.addresses, v)
		}
	}
	n.dhcp = n.dhcp || !said
	return n
}

// read takes over what cloud-init's documents say.
func (set *guestSettings) read(metaData, userData, networkConfig string) {
	var meta struct {
		Hostname      string `yaml:"hostname"`
		LocalHostname string `yaml:"local-hostname"`
	}
	if yaml.Unmarshal([]byte(metaData), &meta) == nil {
		set.hostname = cmp.Or(meta.LocalHostname, meta.Hostname, set.hostname)
	}
	var user struct {
		Hostname string `yaml:"hostname"`
		FQDN     string `yaml:"fqdn"`
	}
	if strings.HasPrefix(userData, "#cloud-config") && yaml.Unmarshal([]byte(userData), &user) == nil {
		set.hostname = cmp.Or(user.FQDN, user.Hostname, set.hostname)
	}
	if networkConfig != "" {
		set.readNetwork(networkConfig)
	}
}

// readNetwork takes over a network configuration of version 1 or 2.
func (set *guestSettings) readNetwork(text string) {
	type config struct {
		Ethernets map[string]struct {
			Match struct {
				MAC string `yaml:"macaddress"`
			} `yaml:"match"`
			SetName   string   `yaml:"set-name"`
			DHCP4     bool     `yaml:"dhcp4"`
			Addresses []string `yaml:"addresses"`
		} `yaml:"ethernets"`
		Config []struct {
			Type    string `yaml:"type"`
			Name    string `yaml:"name"`
			MAC     string `yaml:"mac_address"`
			Subnets []struct {
				Type    string `yaml:"type"`
				Address string `yaml:"address"`
				Netmask string `yaml:"netmask"`
			} `yaml:"subnets"`
		} `yaml:"config"`
	}
	var doc struct {
		config  `yaml:",inline"`
		Network config `yaml:"network"`
	}
	if yaml.Unmarshal([]byte(text), &doc) != nil {
		return
	}
	c := doc.config
	if c.Ethernets == nil && c.Config == nil {
		c = doc.Network
	}
	set.network, set.byMAC, set.unnamed = true, map[string]nicSettings{}, nil
	add := func(mac string, n nicSettings) {
		if mac != "" {
			set.byMAC[strings.ToLower(mac)] = n
		} else {
			set.unnamed = append(set.unnamed, n)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Ethernets)) {
		e := c.Ethernets[name]
		add(e.Match.MAC, nicSettings{name: e.SetName, addresses: e.Addresses, dhcp: e.DHCP4})
	}
	for _, e := range c.Config {
		if e.Type != "physical" {
			continue
		}
		n := nicSettings{name: e.Name}
		for _, s := range e.Subnets {
			switch {
			case strings.HasPrefix(s.Type, "dhcp"):
				n.dhcp = n.dhcp || s.Type != "dhcp6"
			case s.Address != "":
				n.addresses = append(n.addresses, withPrefix(s.Address, s.Netmask))
			}
		}
		add(e.MAC, n)
	}
}

// withPrefix joins an address and a netmask, where the address has no prefix length of its own.
func withPrefix(address, mask string) string {
	ip, err := netip.ParseAddr(mask)
	if strings.Contains(address, "/") || err != nil || !ip.Is4() {
		return address
	}
	four := ip.As4()
	ones, _ := net.IPMask(four[:]).Size()
	return address + "/" + strconv.Itoa(ones)
}
