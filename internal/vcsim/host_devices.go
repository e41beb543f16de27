package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// EnvironmentBrowser tells what the hosts have for machines.
type EnvironmentBrowser struct {
	*simulator.EnvironmentBrowser

	server *Server
}

// QueryConfigTarget adds the devices that every host has for machines: a card that is handed through whole, and one that is
// shared by profiles.
func (b *EnvironmentBrowser) QueryConfigTarget(ctx *simulator.Context, req *types.QueryConfigTarget) soap.HasFault {
	fault := b.EnvironmentBrowser.QueryConfigTarget(ctx, req)

	body, ok := fault.(*methods.QueryConfigTargetBody)
	if !ok || body.Res == nil || body.Res.Returnval == nil || b.server.Seed.PCIDevice == "" {
		return fault
	}

	target := body.Res.Returnval
	target.PciPassthrough = []types.BaseVirtualMachinePciPassthroughInfo{&types.VirtualMachinePciPassthroughInfo{
		VirtualMachineTargetInfo: types.VirtualMachineTargetInfo{Name: b.server.Seed.PCIDevice},
		SystemId:                 "5f0c9a1e-host",
		PciDevice: types.HostPciDevice{
			Id: b.server.Seed.PCIDevice, VendorId: 0x10de, VendorName: "NVIDIA Corporation", DeviceId: 0x1eb8, DeviceName: "Tesla T4",
		},
	}}
	target.SharedGpuPassthroughTypes = []types.VirtualMachinePciSharedGpuPassthroughInfo{{Vgpu: b.server.Seed.VGPU}}

	return body
}
