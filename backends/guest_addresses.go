package backends

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// containerInterface matches what container runtimes and hypervisors inside the guest make.
var containerInterface = regexp.MustCompile(`^(lo|docker|cni|veth|br-[0-9a-f]{12}$|virbr|vnet|kube|flannel|cali|cilium|lxc|lxd|podman|tunl|nodelocaldns)`)

// AddressesOf picks the addresses of the NIC with a MAC out of what the guest says, as NICStatus
// wants them, and the guest's name for it.
func (g *Guest) AddressesOf(mac string) (addresses []string, device string) {
	for _, i := range g.Interfaces {
		if !strings.EqualFold(i.MAC, mac) || containerInterface.MatchString(i.Name) {
			continue
		}
		if device == "" {
			device = i.Name
		}
		for _, a := range i.Addresses {
			if Reachable(a) && !slices.Contains(addresses, a) {
				addresses = append(addresses, a)
			}
		}
	}
	SortAddresses(addresses)
	return addresses, device
}

// Reachable reports whether others can reach a guest at an address: it is one, and
// neither link-local, loopback nor the like.
func Reachable(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified()
}

// SortAddresses puts IPv4 first and keeps the order otherwise.
func SortAddresses(all []string) {
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(family(a), family(b)) })
}

func family(address string) int {
	if strings.Contains(address, ":") {
		return 6
	}
	return 4
}
