package vcsim

import "github.com/vmware/govmomi/vim25/types"

// clone returns why a machine is not cloned.
func (c *checks) clone(vm *VirtualMachine, q *types.CloneVM_Task) types.BaseMethodFault {
	if c.Map.Get(q.Folder) == nil {
		return &types.ManagedObjectNotFound{Obj: q.Folder}
	}

	if f := c.name(q.Folder, q.Name, q.Folder); f != nil {
		return f
	}

	location := q.Spec.Location

	if location.Pool == nil && vm.Config.Template && !q.Spec.Template {
		return argument("spec.location.pool", "A machine that is made from a template needs a resource pool.")
	}

	if f := c.relocate(vm, &location); f != nil {
		return f
	}

	changes := location.DeviceChange

	if spec := q.Spec.Config; spec != nil {
		if f := c.values(vm.Config, spec); f != nil {
			return f
		}

		changes = append(append([]types.BaseVirtualDeviceConfigSpec(nil), changes...), spec.DeviceChange...)
	}

	if q.Spec.Customization != nil {
		return customizable(vm, q.Spec.Customization, changes)
	}

	return nil
}
