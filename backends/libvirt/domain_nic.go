package libvirt

import (
	"net"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// nicDevice is a network interface as it is put into a domain.
type nicDevice struct {
	key     string
	mac     string
	network string // in NIC.Network form, never ""
	spec    backends.NIC
}

func (n nicDevice) device() libvirtxml.DomainInterface {
	d := libvirtxml.DomainInterface{
		MAC:   &libvirtxml.DomainInterfaceMAC{Address: n.mac},
		Model: &libvirtxml.DomainInterfaceModel{Type: "virtio"},
	}
	setNICNetwork(&d, n.network)
	setNICOptions(&d, n.spec)
	return d
}

// splitNetwork takes NIC.Network apart: kind is "network", "bridge", "direct" or "ovs".
func splitNetwork(network string) (kind, name string) {
	if k, rest, ok := strings.Cut(network, ":"); ok && (k == "bridge" || k == "direct" || k == "ovs") {
		return k, rest
	}
	return "network", network
}

func setNICNetwork(d *libvirtxml.DomainInterface, network string) {
	kind, name := splitNetwork(network)
	d.VirtualPort = nil
	switch kind {
	case "bridge":
		d.Source = &libvirtxml.DomainInterfaceSource{Bridge: &libvirtxml.DomainInterfaceSourceBridge{Bridge: name}}
	case "ovs":
		d.Source = &libvirtxml.DomainInterfaceSource{Bridge: &libvirtxml.DomainInterfaceSourceBridge{Bridge: name}}
		d.VirtualPort = &libvirtxml.DomainInterfaceVirtualPort{Params: &libvirtxml.DomainInterfaceVirtualPortParams{
			OpenVSwitch: &libvirtxml.DomainInterfaceVirtualPortParamsOpenVSwitch{},
		}}
	case "direct":
		d.Source = &libvirtxml.DomainInterfaceSource{Direct: &libvirtxml.DomainInterfaceSourceDirect{Dev: name, Mode: "bridge"}}
	default:
		d.Source = &libvirtxml.DomainInterfaceSource{Network: &libvirtxml.DomainInterfaceSourceNetwork{Network: name}}
	}
}

// setNICOptions writes what is set in spec, apart from network and MAC, and leaves the rest.
func setNICOptions(d *libvirtxml.DomainInterface, spec backends.NIC) {
	if spec.Model != nil {
		d.Model = &libvirtxml.DomainInterfaceModel{Type: *spec.Model}
	}
	switch {
	case spec.VLAN == nil:
	case *spec.VLAN == 0:
		d.VLan = nil
	default:
		d.VLan = &libvirtxml.DomainInterfaceVLan{Tags: []libvirtxml.DomainInterfaceVLanTag{{ID: uint(*spec.VLAN)}}}
	}
	if spec.MTU != nil {
		d.MTU = &libvirtxml.DomainInterfaceMTU{Size: uint(*spec.MTU)}
	}
	if spec.Connected != nil {
		d.Link = &libvirtxml.DomainInterfaceLink{State: choose(*spec.Connected, "up", "down")}
	}
	setBandwidth(d, spec.BandwidthMbps)
}

// observeNIC reads an interface back.
func observeNIC(d *libvirtxml.DomainInterface) backends.NIC {
	n := backends.NIC{
		Network:   ptr(networkOf(d)),
		Connected: ptr(d.Link == nil || d.Link.State != "down"),

		BandwidthMbps: observeBandwidth(d),
	}
	if d.Model != nil && d.Model.Type != "" {
		n.Model = ptr(d.Model.Type)
	}
	if mac := macOf(d); mac != "" {
		n.MAC = ptr(mac)
	}
	if d.MTU != nil {
		n.MTU = ptr(int64(d.MTU.Size))
	}
	if d.VLan != nil && d.VLan.Trunk != "yes" && len(d.VLan.Tags) == 1 {
		n.VLAN = ptr(int64(d.VLan.Tags[0].ID))
	}
	return n
}

func networkOf(d *libvirtxml.DomainInterface) string {
	s := d.Source
	switch {
	case s == nil:
		return ""
	case s.Network != nil:
		return s.Network.Network
	case s.Bridge != nil && d.VirtualPort != nil && d.VirtualPort.Params != nil && d.VirtualPort.Params.OpenVSwitch != nil:
		return "ovs:" + s.Bridge.Bridge
	case s.Bridge != nil:
		return "bridge:" + s.Bridge.Bridge
	case s.Direct != nil:
		return "direct:" + s.Direct.Dev
	case s.User != nil:
		return "user"
	case s.Ethernet != nil:
		return "ethernet"
	case s.Hostdev != nil:
		return "hostdev"
	case s.VHostUser != nil:
		return "vhostuser"
	}
	return "other"
}

func macOf(d *libvirtxml.DomainInterface) string {
	if d.MAC == nil {
		return ""
	}
	return strings.ToLower(d.MAC.Address)
}

// nicKeys gives the key of each interface in the domain's order: the mark's by MAC,
// "net0", "net1" by place for those that it does not know.
func nicKeys(d *libvirtxml.Domain, m *mark) []string {
	keys := make([]string, len(d.Devices.Interfaces))
	used := map[string]bool{}
	if m != nil {
		for _, entry := range m.NICs {
			for i := range keys {
				if keys[i] == "" && macOf(&d.Devices.Interfaces[i]) == entry.MAC {
					keys[i], used[entry.Key] = entry.Key, true
					break
				}
			}
		}
	}
	for i := range keys {
		if keys[i] == "" {
			keys[i] = unusedKey("net"+itoa(i), used)
		}
	}
	return keys
}

func findNIC(d *libvirtxml.Domain, m *mark, key string) int {
	for i, k := range nicKeys(d, m) {
		if k == key {
			return i
		}
	}
	return -1
}

// normalMAC writes an address as libvirt does: lower case, with colons. It has been
// checked to be one.
func normalMAC(mac string) string {
	parsed, err := net.ParseMAC(mac)
	if err != nil {
		return strings.ToLower(mac)
	}
	return parsed.String()
}
