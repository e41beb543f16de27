package vcsim

import (
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// Hardware of every host.
const (
	hostMemory  = 256 * gib
	hostMHz     = 2600
	hostSockets = 2
	hostCores   = 32
	hostThreads = 64
)

// equip gives a host the hardware of a server.
func (e *estate) equip(h *object.HostSystem) {
	host, ok := e.server.Registry().Get(h.Reference()).(*simulator.HostSystem)
	if !ok {
		return
	}

	summary := *host.Summary.Hardware
	summary.MemorySize, summary.CpuMhz = hostMemory, hostMHz
	summary.NumCpuPkgs, summary.NumCpuCores, summary.NumCpuThreads = hostSockets, hostCores, hostThreads
	host.Summary.Hardware = &summary

	hardware := *host.Hardware
	hardware.MemorySize = hostMemory
	hardware.CpuInfo = types.HostCpuInfo{
		NumCpuPackages: hostSockets, NumCpuCores: hostCores, NumCpuThreads: hostThreads, Hz: hostMHz * 1_000_000,
	}
	host.Hardware = &hardware

	if compute := e.compute(host); compute != nil {
		total := compute.Summary.GetComputeResourceSummary()
		n := int32(len(compute.Host)) //nolint:gosec // A few.
		total.TotalCpu, total.EffectiveCpu = n*hostMHz*hostCores, n*hostMHz*hostCores
		total.TotalMemory, total.EffectiveMemory = int64(n)*hostMemory, int64(n)*hostMemory>>20
		total.NumCpuCores, total.NumCpuThreads = int16(n*hostCores), int16(n*hostThreads) //nolint:gosec // A few.
	}
}

// compute returns the cluster of a host, or what a host that stands alone has
// in its place.
func (e *estate) compute(host *simulator.HostSystem) *mo.ComputeResource {
	switch parent := e.server.Registry().Get(*host.Parent).(type) {
	case *simulator.ClusterComputeResource:
		return &parent.ComputeResource
	case *mo.ComputeResource:
		return parent
	default:
		return nil
	}
}

// portGroup makes a standard port group with a VLAN, or none, on the first
// virtual switch of each host. Hosts that have one of the same name share the
// network.
func (e *estate) portGroup(name string, vlan int, hosts ...*object.HostSystem) error {
	system, err := hosts[0].ConfigManager().NetworkSystem(e.ctx)
	if err != nil {
		return err
	}

	spec := types.HostPortGroupSpec{Name: name, VswitchName: "vSwitch0", VlanId: int32(vlan)} //nolint:gosec // Below 4096.
	if err := system.AddPortGroup(e.ctx, spec); err != nil {
		return err
	}

	for _, ref := range e.server.named(name) {
		if network, ok := e.server.Registry().Get(ref).(*mo.Network); ok {
			e.attachNetwork(network, hosts...)
		}
	}

	return nil
}

// attachNetwork gives the network to the hosts.
func (e *estate) attachNetwork(network *mo.Network, hosts ...*object.HostSystem) {
	for _, h := range hosts {
		host, ok := e.server.Registry().Get(h.Reference()).(*simulator.HostSystem)
		if !ok {
			continue
		}

		network.Host = append(network.Host, host.Self)
		host.Network = with(host.Network, network.Self)

		if compute := e.compute(host); compute != nil {
			compute.Network = with(compute.Network, network.Self)
		}
	}
}

// with returns refs with ref, in a slice of its own: the simulator shares
// slices between objects.
func with(refs []types.ManagedObjectReference, ref types.ManagedObjectReference) []types.ManagedObjectReference {
	if slices.Contains(refs, ref) {
		return refs
	}

	return append(slices.Clip(refs), ref)
}
