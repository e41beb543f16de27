package vcsim

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

func contains(refs []types.ManagedObjectReference, ref types.ManagedObjectReference) bool {
	return slices.Contains(refs, ref)
}

// host returns the host, or nil where there is none.
func (c *checks) host(ref types.ManagedObjectReference) *simulator.HostSystem {
	host, _ := c.Map.Get(ref).(*simulator.HostSystem)

	return host
}

// relocate returns why a machine does not move.
func (c *checks) relocate(vm *VirtualMachine, spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	host, f := c.destination(vm, spec)
	if f != nil {
		return f
	}

	if f := c.reach(vm, spec, host); f != nil {
		return f
	}

	if f := c.accessible(vm, spec.DeviceChange, host); f != nil {
		return f
	}

	return c.room(vm, spec)
}

// destination returns the host that a machine is to move to.
func (c *checks) destination(vm *VirtualMachine, spec *types.VirtualMachineRelocateSpec) (types.ManagedObjectReference, types.BaseMethodFault) {
	var host types.ManagedObjectReference
	if vm.Runtime.Host != nil {
		host = *vm.Runtime.Host
	}

	pool := vm.ResourcePool
	if spec.Pool != nil {
		pool = spec.Pool
	}

	if spec.Host != nil {
		host = *spec.Host
	}

	for _, ref := range []*types.ManagedObjectReference{spec.Pool, spec.Host, spec.Datastore, spec.Folder} {
		if ref != nil && c.Map.Get(*ref) == nil {
			return host, &types.ManagedObjectNotFound{Obj: *ref}
		}
	}

	if pool == nil {
		return host, nil
	}

	compute, _ := c.server.roster.above(*pool, "ClusterComputeResource", "ComputeResource")
	if c.server.roster.parent(host) == compute {
		return host, nil
	}

	if spec.Host != nil {
		return host, argument("spec.pool", "The resource pool '%s' does not belong to host '%s'.",
			c.server.roster.name(*pool), c.server.roster.name(host))
	}

	// A pool alone lets vSphere choose among its hosts.
	hosts := c.server.roster.children(compute, "HostSystem")
	for _, h := range hosts {
		if c.reach(vm, spec, h) == nil {
			return h, nil
		}
	}

	if len(hosts) == 0 {
		return host, argument("spec.pool", "The resource pool has no host.")
	}

	return hosts[0], nil
}

// reach refuses a host that does not reach the datastores of the machine.
func (c *checks) reach(vm *VirtualMachine, spec *types.VirtualMachineRelocateSpec, host types.ManagedObjectReference) types.BaseMethodFault {
	stores := vm.Datastore
	if spec.Datastore != nil {
		stores = []types.ManagedObjectReference{*spec.Datastore}
	}

	for _, d := range spec.Disk {
		if c.Map.Get(d.Datastore) == nil {
			return &types.ManagedObjectNotFound{Obj: d.Datastore}
		}

		stores = append(slices.Clip(stores), d.Datastore)
	}

	for _, ds := range stores {
		if f := c.mounted(host, ds); f != nil {
			return f
		}
	}

	return nil
}

// accessible refuses a host that has not got the networks of the machine, as
// they are after the changes.
func (c *checks) accessible(vm *VirtualMachine, changes []types.BaseVirtualDeviceConfigSpec, host types.ManagedObjectReference) types.BaseMethodFault {
	changed := make(map[int32]types.BaseVirtualDevice)
	for _, b := range changes {
		s := b.GetVirtualDeviceConfigSpec()
		changed[s.Device.GetVirtualDevice().Key] = s.Device
	}

	for _, d := range vm.Config.Hardware.Device {
		if other, ok := changed[d.GetVirtualDevice().Key]; ok {
			d = other
		}

		card, ok := d.(types.BaseVirtualEthernetCard)
		if !ok {
			continue
		}

		if network, reached := c.reached(card.GetVirtualEthernetCard().Backing, host); !reached {
			f := &types.CannotAccessNetwork{Network: network}
			f.Device, f.Backing, f.Connected = labelOf(d), backingName(card.GetVirtualEthernetCard().Backing), true
			f.FaultCause = because("Network '%s' is not accessible from host '%s'.", f.Backing, c.server.roster.name(host))

			return f
		}
	}

	return nil
}

func labelOf(d types.BaseVirtualDevice) string {
	if i := d.GetVirtualDevice().DeviceInfo; i != nil {
		return i.GetDescription().Label
	}

	return ""
}

// room refuses datastores that have no space for what moves there.
func (c *checks) room(vm *VirtualMachine, spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	to := make(map[int32]types.ManagedObjectReference)
	for _, d := range spec.Disk {
		to[d.DiskId] = d.Datastore
	}

	need := make(map[types.ManagedObjectReference]int64)

	for _, d := range vm.Config.Hardware.Device {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}

		target, ok := to[disk.Key]
		if !ok && spec.Datastore != nil {
			target, ok = *spec.Datastore, true
		}

		if b, flat := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && flat && !truth(b.ThinProvisioned) &&
			(b.Datastore == nil || *b.Datastore != target) {
			need[target] += capacityOf(disk)
		}
	}

	return c.space(need)
}

// space refuses datastores that have not got the bytes.
func (c *checks) space(need map[types.ManagedObjectReference]int64) types.BaseMethodFault {
	for ref, bytes := range need {
		ds, ok := c.Map.Get(ref).(*simulator.Datastore)
		if !ok {
			continue
		}

		var free int64

		c.WithLock(ds, func() { free = ds.Summary.FreeSpace })

		if bytes > free {
			name := c.server.roster.name(ref)
			f := &types.NoDiskSpace{Datastore: name}
			f.File = "[" + name + "]"
			f.FaultCause = because("Insufficient disk space on datastore '%s'.", name)

			return f
		}
	}

	return nil
}

func capacityOf(d *types.VirtualDisk) int64 {
	if d.CapacityInBytes != 0 {
		return d.CapacityInBytes
	}

	return d.CapacityInKB << 10
}
