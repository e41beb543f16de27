package vsphere

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// hostDevices gives devices of the host to the VM and takes them back.
func (e *edit) hostDevices(ctx context.Context) error {
	had, present := map[string]backends.HostDevice{}, map[string]*types.VirtualPCIPassthrough{}
	if e.m != nil {
		had, present = e.m.hostDevices()
	}
	if e.to.HostDevices == nil && !e.creating {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(present)) {
		if want, stays := e.to.HostDevices[key]; !stays || want != had[key] || e.creating {
			e.remove(present[key], backends.Path("host_devices").Key(key))
			delete(present, key)
		}
	}
	e.mark.HostDevices = nil
	if len(e.to.HostDevices) > 0 {
		e.mark.HostDevices = maps.Clone(e.to.HostDevices)
	}
	var target *types.ConfigTarget
	for _, key := range slices.Sorted(maps.Keys(e.to.HostDevices)) {
		if present[key] != nil {
			continue
		}
		want, path := e.to.HostDevices[key], backends.Path("host_devices").Key(key)
		if target == nil {
			var err error
			if target, err = e.configTarget(ctx); err != nil {
				return err
			}
		}
		backing, err := hostBacking(target, want)
		if err != nil {
			return blame(err, path)
		}
		e.add(&types.VirtualPCIPassthrough{VirtualDevice: types.VirtualDevice{Key: e.layout.newKey(), Backing: backing}}, path)
	}
	return nil
}

// configTarget is what the hosts that the VM can be on have for VMs.
func (e *edit) configTarget(ctx context.Context) (*types.ConfigTarget, error) {
	browser, err := object.NewComputeResource(e.conn.VIM(), e.place.Compute.Ref).EnvironmentBrowser(ctx)
	if err != nil {
		return nil, fault.Wrap(err, "read the devices of the hosts", "")
	}
	var host *object.HostSystem
	if e.place.Host != nil {
		host = object.NewHostSystem(e.conn.VIM(), e.place.Host.Ref)
	}
	target, err := browser.QueryConfigTarget(ctx, host)
	if err != nil {
		return nil, fault.Wrap(err, "read the devices of the hosts", "")
	}
	if target == nil {
		target = &types.ConfigTarget{}
	}
	return target, nil
}

// hostBacking finds a device; its errors blame no attribute.
func hostBacking(target *types.ConfigTarget, want backends.HostDevice) (types.BaseVirtualDeviceBackingInfo, error) {
	switch {
	case want.PCI != "":
		for _, info := range target.PciPassthrough {
			p := info.GetVirtualMachinePciPassthroughInfo()
			if strings.EqualFold(p.PciDevice.Id, want.PCI) {
				return &types.VirtualPCIPassthroughDeviceBackingInfo{
					VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: p.PciDevice.DeviceName},
					Id:                             p.PciDevice.Id, SystemId: p.SystemId, VendorId: p.PciDevice.VendorId,
					DeviceId: fmt.Sprintf("%x", uint16(p.PciDevice.DeviceId)), //nolint:gosec // The same bits, as the API wants them.
				}, nil
			}
		}
		return nil, backends.Errorf(backends.NotFound, "", "", "no host that the VM can be on has a PCI device %q for VMs", want.PCI).
			Advise("Turn passthrough on for the device in the host's hardware settings, and name the host in placement.host.")
	case want.VGPU != "":
		var profiles []string
		for _, g := range target.SharedGpuPassthroughTypes {
			if g.Vgpu == want.VGPU {
				return &types.VirtualPCIPassthroughVmiopBackingInfo{Vgpu: want.VGPU}, nil
			}
			profiles = append(profiles, g.Vgpu)
		}
		err := backends.Errorf(backends.NotFound, "", "", "no host that the VM can be on has a vGPU profile %q", want.VGPU)
		if len(profiles) > 0 {
			err = err.Advise("There are %s.", strings.Join(profiles, ", "))
		}
		return nil, err
	}
	return nil, backends.Errorf(backends.Unsupported, "", "", "on vSphere a device of the host is given by its PCI address (pci) or a vGPU profile (vgpu)")
}

// hostDevices are the VM's, by key: that of the mark, else "pciPassthruN".
func (m *machine) hostDevices() (map[string]backends.HostDevice, map[string]*types.VirtualPCIPassthrough) {
	specs, devices := map[string]backends.HostDevice{}, map[string]*types.VirtualPCIPassthrough{}
	for i, d := range m.devices().SelectByType((*types.VirtualPCIPassthrough)(nil)) {
		device := d.(*types.VirtualPCIPassthrough)
		is := backends.HostDevice{}
		switch b := device.Backing.(type) {
		case *types.VirtualPCIPassthroughDeviceBackingInfo:
			is.PCI = b.Id
		case *types.VirtualPCIPassthroughVmiopBackingInfo:
			is.VGPU = b.Vgpu
		}
		key := fmt.Sprintf("pciPassthru%d", i)
		if m.mark != nil {
			for _, k := range slices.Sorted(maps.Keys(m.mark.HostDevices)) {
				asked := m.mark.HostDevices[k]
				if _, taken := specs[k]; !taken && asked.VGPU == is.VGPU && strings.EqualFold(asked.PCI, is.PCI) {
					key, is = k, asked
					break
				}
			}
		}
		specs[key], devices[key] = is, device
	}
	return specs, devices
}
