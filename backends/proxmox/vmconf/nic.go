package vmconf

import (
	"regexp"
	"slices"
	"strings"
)

// NIC is a network interface: "virtio=BC:24:11:AA:BB:CC,bridge=vmbr0,tag=30".
type NIC struct{ Props }

// nicModels are the models of cards (qemu-server, Network.pm). A key with the name of one stands for the model, its value
// for the MAC.
var nicModels = []string{
	"virtio", "e1000", "e1000e", "rtl8139", "vmxnet3", "e1000-82540em", "e1000-82544gc", "e1000-82545em",
	"i82551", "i82557b", "i82559er", "ne2k_isa", "ne2k_pci", "pcnet",
}

// NICModels are the models that Proxmox VE has.
func NICModels() []string { return slices.Clone(nicModels) }

// ParseNIC reads an interface; it takes any text.
func ParseNIC(text string) NIC { return NIC{ParseProps(text)} }

// NIC reads the interface at a key.
func (c Config) NIC(key string) NIC { return ParseNIC(c[key]) }

// NICs are the keys of the interfaces, by number.
func (c Config) NICs() []string { return c.Numbered("net") }

// Model is the card's model.
func (n NIC) Model() string {
	for _, part := range n.Props {
		if slices.Contains(nicModels, part.Key) {
			return part.Key
		}
	}
	return n.Get("", "model")
}

var macForm = regexp.MustCompile(`^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$`)

// MAC is the card's address in lower case, "" where it has none yet.
func (n NIC) MAC() string {
	for _, part := range n.Props {
		if slices.Contains(nicModels, part.Key) {
			if macForm.MatchString(part.Value) {
				return strings.ToLower(part.Value)
			}
			return ""
		}
	}
	if mac := n.Get("macaddr"); macForm.MatchString(mac) {
		return strings.ToLower(mac)
	}
	return ""
}

// WithCard returns a copy with another model and MAC; "" lets Proxmox VE make an address.
func (n NIC) WithCard(model, mac string) NIC {
	p := slices.DeleteFunc(slices.Clone(n.Props), func(part Pair) bool {
		return part.Key == "" || part.Key == "model" || part.Key == "macaddr" || slices.Contains(nicModels, part.Key)
	})
	card := Pair{"", model}
	if mac != "" {
		card = Pair{model, strings.ToUpper(mac)}
	}
	return NIC{slices.Insert(p, 0, card)}
}

// Put is Props.Put.
func (n NIC) Put(key, value string) NIC { return NIC{n.Props.Put(key, value)} }

// IPConfig is what the cloud-init drive says of one interface: "ip=10.0.0.5/24,gw=10.0.0.1". IP and IP6
// are "dhcp", "auto", a CIDR or "".
type IPConfig struct {
	IP, Gateway, IP6, Gateway6 string
	Other                      Props
}

// ParseIPConfig reads an ipconfigN; it takes any text.
func ParseIPConfig(text string) IPConfig {
	p := ParseProps(text)
	return IPConfig{p.Get("ip"), p.Get("gw"), p.Get("ip6"), p.Get("gw6"), p.Without("ip", "gw", "ip6", "gw6")}
}

// String prints it in Proxmox VE's order.
func (c IPConfig) String() string {
	p := slices.Clone(c.Other)
	for _, part := range []Pair{{"gw", c.Gateway}, {"gw6", c.Gateway6}, {"ip", c.IP}, {"ip6", c.IP6}} {
		p = p.Put(part.Key, part.Value)
	}
	return p.String()
}
