package vcsim

import (
	"fmt"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// checks are what is looked at before a call is executed, by the way of
// vSphere: most of what is refused here is refused by the task of the call.
type checks struct {
	*simulator.Context

	server *Server
}

// refuse returns the fault with which vSphere refuses the call, or nil. It is
// called with the target's lock held.
func (s *Server) refuse(ctx *simulator.Context, target mo.Reference, method string, body any) types.BaseMethodFault {
	c := &checks{Context: ctx, server: s}

	if s.options.ESXi && vCenterOnly[method] {
		return &types.NotSupported{}
	}

	switch o := target.(type) {
	case *VirtualMachine:
		return c.machine(o, method, body)
	case *Folder:
		return c.folder(o, body)
	case *ResourcePool:
		return c.pool(body)
	default:
		return nil
	}
}

// vCenterOnly are methods that a stand-alone host does not support.
var vCenterOnly = map[string]bool{
	"CloneVM_Task":           true,
	"CustomizeVM_Task":       true,
	"MarkAsTemplate":         true,
	"MarkAsVirtualMachine":   true,
	"RelocateVM_Task":        true,
	"MigrateVM_Task":         true,
	"CreateFolder":           true,
	"MoveIntoFolder_Task":    true,
	"CreateSecondaryVM_Task": true,
}

// machine returns why a call to a machine is refused.
func (c *checks) machine(vm *VirtualMachine, method string, body any) types.BaseMethodFault {
	if f := c.template(vm, method); f != nil {
		return f
	}

	switch q := body.(type) {
	case *types.ReconfigVM_Task:
		return c.reconfigure(vm, &q.Spec)
	case *types.CloneVM_Task:
		return c.clone(vm, q)
	case *types.RelocateVM_Task:
		return c.relocate(vm, &q.Spec)
	case *types.Rename_Task:
		return c.name(vm.server.roster.parent(vm.Self), q.NewName, vm.Self)
	case *types.PowerOnVM_Task:
		return c.powerOn(vm, q)
	case *types.PowerOffVM_Task:
		return c.powerOff(vm)
	case *types.SuspendVM_Task:
		return c.needsPower(vm, stateOn)
	case *types.ResetVM_Task:
		return c.needsPower(vm, stateOn)
	case *types.ShutdownGuest, *types.RebootGuest, *types.StandbyGuest:
		return c.guestPower(vm)
	case *types.Destroy_Task, *types.UnregisterVM, *types.MarkAsTemplate:
		return c.needsNoPower(vm)
	case *types.CustomizeVM_Task:
		return c.customize(vm, &q.Spec)
	default:
		return nil
	}
}

// folder returns why a call to a folder is refused.
func (c *checks) folder(f *Folder, body any) types.BaseMethodFault {
	switch q := body.(type) {
	case *types.CreateVM_Task:
		return c.create(f.Self, q)
	case *types.RegisterVM_Task:
		if q.Name == "" {
			return nil
		}

		return c.name(f.Self, q.Name, f.Self)
	case *types.Rename_Task:
		return c.name(c.server.roster.parent(f.Self), q.NewName, f.Self)
	case *types.CreateFolder:
		return c.validName(q.Name)
	default:
		return nil
	}
}

// pool returns why a call to a resource pool is refused.
func (c *checks) pool(body any) types.BaseMethodFault {
	q, ok := body.(*types.ImportVApp)
	if !ok {
		return nil
	}

	spec, ok := q.Spec.(*types.VirtualMachineImportSpec)
	if !ok || q.Folder == nil {
		return nil
	}

	pool := q.This

	return c.create(*q.Folder, &types.CreateVM_Task{This: *q.Folder, Config: spec.ConfigSpec, Pool: pool, Host: q.Host})
}

// maxName is how long a name may be.
const maxName = 80

// name refuses a name that is not one, or that another object in the folder
// has.
func (c *checks) name(folder types.ManagedObjectReference, name string, self types.ManagedObjectReference) types.BaseMethodFault {
	if f := c.validName(name); f != nil {
		return f
	}

	if other, taken := c.server.roster.child(folder, name, self); taken {
		f := &types.DuplicateName{Name: name, Object: other}
		f.FaultCause = because("The name '%s' already exists.", name)

		return f
	}

	return nil
}

func (c *checks) validName(name string) types.BaseMethodFault {
	if name == "" || len(name) > maxName {
		return &types.InvalidName{Name: name}
	}

	return nil
}

// because returns the cause of a fault, which carries its message.
func because(format string, args ...any) *types.LocalizedMethodFault {
	text := fmt.Sprintf(format, args...)

	return &types.LocalizedMethodFault{Fault: &types.SystemErrorFault{Reason: text}, LocalizedMessage: text}
}

// argument refuses a value of a specification.
func argument(property, format string, args ...any) types.BaseMethodFault {
	f := &types.InvalidArgument{InvalidProperty: property}
	f.FaultCause = because(format, args...)

	return f
}
