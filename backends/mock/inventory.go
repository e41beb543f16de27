package mock

import (
	"net/netip"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const (
	mib = int64(1) << 20
	gib = int64(1) << 30
	tib = int64(1) << 40

	cluster     = "mock-cluster"
	mhzPerCPU   = 2600
	defaultPool = "Resources"
	defaultDir  = "vm"
)

var hosts = []backends.Host{
	{Name: "mock-01", Cluster: cluster, Online: true, CPUs: 64, MemoryMiB: 512 * 1024},
	{Name: "mock-02", Cluster: cluster, Online: true, CPUs: 64, MemoryMiB: 512 * 1024},
	{Name: "mock-03", Cluster: cluster, Online: true, CPUs: 64, MemoryMiB: 512 * 1024},
	{Name: "mock-04", Cluster: cluster, Online: false, CPUs: 64, MemoryMiB: 512 * 1024},
}

// storages; the first is where disks go that name none.
var storages = []backends.Storage{
	{Name: "default", Kind: "dir", CapacityBytes: 100 * tib, Active: true},
	{Name: "local-lvm", Kind: "lvmthin", CapacityBytes: 10 * tib, Active: true},
	{Name: "datastore1", Kind: "vmfs", CapacityBytes: 20 * tib, Active: true, Shared: true},
	{Name: "fast", Kind: "nfs", CapacityBytes: 2 * tib, Active: true, Shared: true},
	{Name: "small", Kind: "dir", CapacityBytes: 16 * gib, Active: true},
}

// network is one that NICs can be connected to, with the range of its DHCP server.
type network struct {
	backends.Network
	leases netip.Prefix
}

// networks; the first is where NICs go that name none.
var networks = []network{
	{backends.Network{Name: "default", Kind: "network", Active: true}, netip.MustParsePrefix("10.10.0.0/16")},
	{backends.Network{Name: "lan", Kind: "network", Active: true}, netip.MustParsePrefix("10.20.0.0/16")},
	{backends.Network{Name: "dmz", Kind: "network", Active: true}, netip.MustParsePrefix("10.30.0.0/16")},
	{backends.Network{Name: "VM Network", Kind: "network", Active: true}, netip.MustParsePrefix("10.40.0.0/16")},
	{backends.Network{Name: "vmbr0", Kind: "bridge", Active: true}, netip.MustParsePrefix("10.50.0.0/16")},
	{backends.Network{Name: "vmbr1", Kind: "bridge", Active: true}, netip.MustParsePrefix("10.60.0.0/16")},
	{backends.Network{Name: "dvs-prod", Kind: kindDistributed, VLAN: 100, Active: true}, netip.MustParsePrefix("10.70.0.0/16")},
	{backends.Network{Name: "dvs-test", Kind: kindDistributed, VLAN: 200, Active: true}, netip.MustParsePrefix("10.80.0.0/16")},
}

const kindDistributed = "distributed"

var (
	resourcePools = []string{defaultPool, "production", "test"}
	folders       = []string{defaultDir, "vm/web", "vm/db"}
)
