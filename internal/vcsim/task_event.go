package vcsim

import (
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// post records events.
func post(ctx *simulator.Context, events ...types.BaseEvent) {
	m := ctx.Map.EventManager()
	ctx.WithLock(m, func() {
		for _, e := range events {
			m.PostEvent(ctx, &types.PostEvent{EventToPost: e})
		}
	})
}

// vmEvent returns what all events of a machine have.
func vmEvent(ctx *simulator.Context, vm *simulator.VirtualMachine) types.VmEvent {
	e := types.VmEvent{}
	e.Vm = &types.VmEventArgument{EntityEventArgument: types.EntityEventArgument{Name: vm.Name}, Vm: vm.Self}
	if vm.Runtime.Host != nil {
		if host, ok := ctx.Map.Get(*vm.Runtime.Host).(*simulator.HostSystem); ok {
			e.Host = &types.HostEventArgument{EntityEventArgument: types.EntityEventArgument{Name: host.Name}, Host: host.Self}
			if host.Parent != nil {
				if parent, ok := ctx.Map.Get(*host.Parent).(mo.Entity); ok {
					e.ComputeResource = &types.ComputeResourceEventArgument{
						EntityEventArgument: types.EntityEventArgument{Name: parent.Entity().Name}, ComputeResource: *host.Parent,
					}
				}
			}
		}
	}
	e.Ds = homeEvent(ctx, vm)
	for p := vm.Parent; p != nil; {
		entity, ok := ctx.Map.Get(*p).(mo.Entity)
		if !ok {
			break
		}
		if p.Type == "Datacenter" {
			e.Datacenter = &types.DatacenterEventArgument{EntityEventArgument: types.EntityEventArgument{Name: entity.Entity().Name}, Datacenter: *p}
			break
		}
		p = entity.Entity().Parent
	}
	if ctx.Session != nil {
		e.UserName = ctx.Session.UserName
	}
	return e
}

// homeEvent returns the datastore that holds the machine's own files.
func homeEvent(ctx *simulator.Context, vm *simulator.VirtualMachine) *types.DatastoreEventArgument {
	var home object.DatastorePath
	if vm.Config == nil || !home.FromString(vm.Config.Files.VmPathName) {
		return nil
	}
	for _, ref := range vm.Datastore {
		if ds, ok := ctx.Map.Get(ref).(*simulator.Datastore); ok && ds.Name == home.Datastore {
			return &types.DatastoreEventArgument{EntityEventArgument: types.EntityEventArgument{Name: ds.Name}, Datastore: ref}
		}
	}
	return nil
}

// datacenterOf returns the datacenter that an object is in.
func datacenterOf(ctx *simulator.Context, ref types.ManagedObjectReference) *simulator.Datacenter {
	for {
		obj := ctx.Map.Get(ref)
		if dc, ok := obj.(*simulator.Datacenter); ok {
			return dc
		}
		e, ok := obj.(mo.Entity)
		if !ok || e.Entity().Parent == nil {
			return nil
		}
		ref = *e.Entity().Parent
	}
}
