package pvesim

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// nic is the value of a netN key.
type nic struct {
	model, mac string
	options    map[string]string // "bridge", "tag", "firewall", ...
}

var nicModels = []string{
	"e1000", "e1000-82540em", "e1000-82544gc", "e1000-82545em", "e1000e", "i82551", "i82557b", "i82559er",
	"ne2k_isa", "ne2k_pci", "pcnet", "rtl8139", "virtio", "vmxnet3",
}

// parseNIC reads a netN value. One without a MAC address has mac "".
func parseNIC(text string) nic {
	n := nic{options: map[string]string{}}
	for _, part := range strings.Split(text, ",") {
		key, value, pair := strings.Cut(part, "=")
		switch {
		case key == "model":
			n.model = value
		case key == "macaddr":
			n.mac = strings.ToUpper(value)
		case slices.Contains(nicModels, key):
			n.model, n.mac = key, strings.ToUpper(value)
		case pair:
			n.options[key] = normalOption(key, value)
		}
	}
	return n
}

// String is the interface as Proxmox VE writes it: model and address, then the options by name.
func (n nic) String() string {
	var b strings.Builder
	b.WriteString(n.model + "=" + n.mac)
	for _, key := range slices.Sorted(maps.Keys(n.options)) {
		b.WriteString("," + key + "=" + n.options[key])
	}
	return b.String()
}

// randomMAC is a fresh address with the prefix that Proxmox VE gives interfaces without one.
func randomMAC() string {
	var b [3]byte
	rand.Read(b[:])
	return fmt.Sprintf("BC:24:11:%02X:%02X:%02X", b[0], b[1], b[2])
}

// withMAC is a netN value that has an address, a fresh one if need be.
func withMAC(text string) string {
	n := parseNIC(text)
	if n.mac == "" {
		n.mac = randomMAC()
	}
	return n.String()
}

func isNIC(key string) bool { return hasNumber(key, "net") }
