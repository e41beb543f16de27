package vcsim

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// eventLimit is how many events one query answers.
const eventLimit = 1000

// EventManager answers queries for events; the simulator's answers the last ten.
type EventManager struct {
	*simulator.EventManager

	server *Server
}

// QueryEvents answers the events that the filter lets through, oldest first.
func (m *EventManager) QueryEvents(ctx *simulator.Context, req *types.QueryEvents) soap.HasFault {
	if ctx.Map.IsESX() {
		return refusal(&types.NotImplemented{})
	}
	res := m.CreateCollectorForEvents(ctx, &types.CreateCollectorForEvents{This: req.This, Filter: req.Filter})
	body, ok := res.(*methods.CreateCollectorForEventsBody)
	if !ok || body.Fault_ != nil {
		return res
	}
	c, ok := ctx.Session.Get(body.Res.Returnval).(*simulator.EventHistoryCollector)
	if !ok {
		return refusal(&types.ManagedObjectNotFound{Obj: body.Res.Returnval})
	}
	answer := &methods.QueryEventsBody{Res: new(types.QueryEventsResponse)}
	c.RewindCollector(ctx, &types.RewindCollector{This: c.Self})
	if next, ok := c.ReadNextEvents(ctx, &types.ReadNextEvents{This: c.Self, MaxCount: eventLimit}).(*methods.ReadNextEventsBody); ok && next.Res != nil {
		answer.Res.Returnval = next.Res.Returnval
	}
	c.DestroyCollector(ctx, &types.DestroyCollector{This: c.Self})
	return answer
}

// UpgradeVMTask raises the version of the machine's virtual hardware.
func (vm *VirtualMachine) UpgradeVMTask(ctx *simulator.Context, req *types.UpgradeVM_Task) soap.HasFault {
	return vm.server.start(ctx, vm.Self, "UpgradeVM_Task", exclusive, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if vm.Runtime.PowerState != off {
			return nil, wrongState(vm.VirtualMachine, off)
		}
		is, _ := types.ParseHardwareVersion(vm.Config.Version)
		if want, err := types.ParseHardwareVersion(req.Version); req.Version != "" && err == nil && is.IsValid() && want <= is {
			return nil, &types.AlreadyUpgraded{}
		}
		_, fault := j.step(vm.Self, func() soap.HasFault { return vm.VirtualMachine.UpgradeVMTask(j.Context, req) })
		if state, ok := fault.(*types.InvalidState); ok && req.Version == "" {
			already := &types.AlreadyUpgraded{}
			already.FaultCause = state.FaultCause
			return nil, already
		}
		return nil, fault
	})
}
