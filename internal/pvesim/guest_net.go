package pvesim

import (
	"crypto/sha256"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// guestNIC is one interface as a guest sees it.
type guestNIC struct {
	index     int // that of netN
	name, mac string
	addresses []netip.Prefix
	idle      bool // nothing has configured it: there are not even figures
}

// leases are what the DHCP server of a bridge gave out.
type leases struct {
	network netip.Prefix
	byMAC   map[string]netip.Addr
	taken   map[netip.Addr]string
}

// newLeases are those of the pretended DHCP servers: on vmbr0 there is one, on no other bridge.
func newLeases() map[string]*leases {
	return map[string]*leases{"vmbr0": {
		network: netip.MustParsePrefix("10.10.0.0/24"), byMAC: map[string]netip.Addr{}, taken: map[netip.Addr]string{},
	}}
}

// lease is the address of a MAC: the same each time, as long as nobody else has it.
func (l *leases) lease(mac string) netip.Addr {
	if a, ok := l.byMAC[mac]; ok {
		return a
	}
	const first, count = 10, 240
	sum := sha256.Sum256([]byte(mac))
	base := l.network.Masked().Addr().As4()
	for i := range count {
		a := base
		a[3] = byte(first + (int(sum[0])+i)%count)
		addr := netip.AddrFrom4(a)
		if l.taken[addr] == "" {
			l.byMAC[mac], l.taken[addr] = addr, mac
			return addr
		}
	}
	return netip.Addr{}
}

// releaseLeases gives back what no VM's interface has any more, where a network has run out of addresses.
func (c *cluster) releaseLeases(l *leases) {
	used := map[string]bool{}
	for _, m := range c.machines {
		for _, n := range linksOf(m) {
			used[n.mac] = true
		}
	}
	for mac, a := range l.byMAC {
		if !used[mac] {
			delete(l.byMAC, mac)
			delete(l.taken, a)
		}
	}
}

// link is one netN of a VM's configuration.
type link struct {
	index       int
	mac, bridge string // the MAC in lower case
	down        bool
}

// linksOf are the interfaces of a VM in the order of their numbers.
func linksOf(m *machine) []link {
	var nets []link
	for key, value := range m.config {
		number, ok := strings.CutPrefix(key, "net")
		index, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		n := link{index: index}
		for part := range strings.SplitSeq(value, ",") {
			k, v, _ := strings.Cut(part, "=")
			switch k {
			case "bridge":
				n.bridge = v
			case "link_down":
				n.down = saysYes(v)
			case "macaddr", "hwaddr":
				n.mac = strings.ToLower(v)
			default:
				if _, err := net.ParseMAC(v); err == nil && n.mac == "" {
					n.mac = strings.ToLower(v)
				}
			}
		}
		nets = append(nets, n)
	}
	slices.SortFunc(nets, func(a, b link) int { return a.index - b.index })
	return nets
}

// guestNICs are the interfaces in the guest of a VM, with their addresses: none before its network is up. One that is
// plugged in later has none where cloud-init configures the network, else it asks for a lease.
func (c *cluster) guestNICs(m *machine) []guestNIC {
	told := m.inGuest.told
	unnamed := slices.Clone(told.unnamed)
	up := !time.Now().Before(m.inGuest.answers.Add(m.control.network))
	var nics []guestNIC
	for _, n := range linksOf(m) {
		g := guestNIC{index: n.index, name: "eth" + strconv.Itoa(n.index), mac: n.mac}
		if !up || told.network && !told.known[n.mac] {
			// cloud-init names and configures what was there when the guest booted, not what came later.
			nics = append(nics, guestNIC{index: n.index, name: "ens" + strconv.Itoa(18+n.index), mac: n.mac, idle: true})
			continue
		}
		cfg := nicSettings{dhcp: !told.network}
		if by, ok := told.byMAC[n.mac]; ok {
			cfg = by
		} else if told.known[n.mac] && len(unnamed) > 0 {
			cfg, unnamed = unnamed[0], unnamed[1:]
		}
		if cfg.name != "" {
			g.name = cfg.name
		}
		if !n.down {
			g.addresses = c.guestAddresses(n, cfg)
		}
		nics = append(nics, g)
	}
	return nics
}

// guestAddresses are what an interface was told, what DHCP leases to it and what the link itself gives.
func (c *cluster) guestAddresses(n link, cfg nicSettings) []netip.Prefix {
	var list []netip.Prefix
	for _, a := range cfg.addresses {
		if p, err := netip.ParsePrefix(a); err == nil {
			list = append(list, p)
		}
	}
	if l := c.misc.leases[n.bridge]; l != nil && cfg.dhcp {
		a := l.lease(n.mac)
		if !a.IsValid() {
			c.releaseLeases(l)
			a = l.lease(n.mac)
		}
		if a.IsValid() {
			list = append([]netip.Prefix{netip.PrefixFrom(a, l.network.Bits())}, list...)
		}
	}
	if a := linkLocal(n.mac); a.IsValid() {
		list = append(list, netip.PrefixFrom(a, 64))
	}
	return list
}

func linkLocal(mac string) netip.Addr {
	hw, err := net.ParseMAC(mac)
	if err != nil || len(hw) != 6 {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: hw[0] ^ 2, hw[1], hw[2], 0xff, 0xfe, hw[3], hw[4], hw[5]})
}
