package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// MoveIntoResourcePool moves machines into the pool, which has to be one of their cluster or host.
func (p *ResourcePool) MoveIntoResourcePool(ctx *simulator.Context, req *types.MoveIntoResourcePool) soap.HasFault {
	body := &methods.MoveIntoResourcePoolBody{}
	var vms []*simulator.VirtualMachine
	for _, ref := range req.List {
		vm, ok := ctx.Map.Get(ref).(*simulator.VirtualMachine)
		switch {
		case ctx.Map.Get(ref) == nil:
			body.Fault_ = simulator.Fault("", &types.ManagedObjectNotFound{Obj: ref})
			return body
		case !ok || vm.ResourcePool == nil || ownerOf(ctx, *vm.ResourcePool) != p.Owner:
			body.Fault_ = simulator.Fault("", argument("list", "%s is not of the pool's cluster or host.", ref))
			return body
		}
		vms = append(vms, vm)
	}
	for _, vm := range vms {
		if old, ok := ctx.Map.Get(*vm.ResourcePool).(*simulator.ResourcePool); ok {
			ctx.Map.RemoveReference(ctx, old, &old.Vm, vm.Self)
		}
		ctx.Map.AddReference(ctx, p.ResourcePool, &p.Vm, vm.Self)
		ctx.WithLock(vm, func() {
			ctx.Update(vm, []types.PropertyChange{{Name: "resourcePool", Val: &p.Self}})
		})
	}
	body.Res = &types.MoveIntoResourcePoolResponse{}
	return body
}
