package inventory

import (
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// hardware is the version of virtual hardware that a new VM gets at least at p, 19 for vmx-19: of the oldest host that it may come to
// run on, or less where cluster or datacenter say so.
func (x *Index) hardware(p Place) int64 {
	hosts := x.members(p.Compute.Ref)
	if p.Host != nil {
		hosts = filter(hosts, func(n *node) bool { return n.Ref == p.Host.Ref })
	}
	version := x.newest
	for _, host := range hosts {
		if host.hardware > 0 {
			version = min(version, host.hardware)
		}
	}
	for _, ref := range []reference{p.Compute.Ref, p.Datacenter.Ref} { // a cluster's own goes before its datacenter's
		if n := x.nodes[ref]; n != nil && n.hardware > 0 {
			return min(version, n.hardware)
		}
	}
	return version
}

// newestHardware is what an API's version brings (Broadcom KB 315655, "Virtual machine hardware versions").
func newestHardware(api string) int64 {
	major, rest, _ := strings.Cut(api, ".")
	minor, _, _ := strings.Cut(rest, ".")
	switch {
	case major == "9":
		return 22
	case major == "8":
		return 20
	case major == "7":
		return 17
	case major == "6" && minor >= "7":
		return 14
	default:
		return 13
	}
}

// hostHardware is what a host gives, 0 where it is not known.
func hostHardware(product types.AboutInfo) int64 {
	if product.ApiVersion == "" {
		return 0
	}
	return newestHardware(product.ApiVersion)
}

// defaultHardware is 19 of "vmx-19", 0 of what is none.
func defaultHardware(key string) int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(key, "vmx-"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
