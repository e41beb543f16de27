package vcsim

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// The simulator asserts its own concrete types all over, so that an object of
// its inventory must not be replaced by one that embeds it. Instead each call
// is answered by a value that wraps the object for the time of the call; the
// inventory stays the simulator's, and whatever way a virtual machine came
// about, the calls to it are ours.

// handle is asked by the simulator before each call who is to answer it.
func (s *Server) handle(ctx *simulator.Context, m *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	if ctx.Session == nil {
		return nil, unauthenticated(m)
	}

	if m.This.Type == "PropertyCollector" {
		c := s.collector(ctx, m)
		if c != nil {
			m.This.Value += "@"
			m.Name = "Dispatch"
		}

		return c, nil
	}

	target := s.wrap(ctx.Map.Get(m.This))
	if target == nil {
		return nil, s.privileged(ctx, m.This, m.Name, m.Body)
	}

	c := &call{Self: m.This, server: s, target: target, method: m.Name}

	// The session would otherwise look the object up again and answer with
	// the simulator's own.
	m.This.Value += "@"
	m.Name = "Dispatch"

	return c, nil
}

// unauthenticated refuses what the simulator answers to those who have not
// logged in, and vCenter does not.
func unauthenticated(m *simulator.Method) types.BaseMethodFault {
	switch m.Name {
	case "RetrieveProperties", "RetrievePropertiesEx":
		this := m.This

		return &types.NotAuthenticated{NoPermission: types.NoPermission{Object: &this, PrivilegeId: "System.View"}}
	default:
		return nil
	}
}

// call is one call to an object that is wrapped.
type call struct {
	Self types.ManagedObjectReference

	server *Server
	target mo.Reference
	method string
}

// Reference returns the object that is called.
func (c *call) Reference() types.ManagedObjectReference { return c.Self }

// Dispatch answers the call, with the object's lock held: first who may not
// call it is refused, then what vSphere refuses, then the method is called.
func (c *call) Dispatch(ctx *simulator.Context, body any) soap.HasFault {
	if f := c.server.privileged(ctx, c.Self, c.method, body); f != nil {
		return refusal(f)
	}

	name := methodName(c.method)

	m := reflect.ValueOf(c.target).MethodByName(name)
	if !m.IsValid() {
		return refusal(&types.MethodNotFound{Receiver: c.Self, Method: c.method})
	}

	if e, ok := c.target.(mo.Entity); ok && slices.Contains(e.Entity().DisabledMethod, name) {
		return refusal(&types.MethodDisabled{})
	}

	if f := c.server.refuse(ctx, c.target, c.method, body); f != nil {
		if answer := taskAnswers[c.method]; answer != nil {
			return answer(c.server.failedTask(ctx, c.Self, c.method, f))
		}

		return refusal(f)
	}

	args := []reflect.Value{reflect.ValueOf(body)}
	if m.Type().NumIn() == 2 {
		args = []reflect.Value{reflect.ValueOf(ctx), args[0]}
	}

	return m.Call(args)[0].Interface().(soap.HasFault)
}

// methodName returns the name of the Go method that answers the method.
func methodName(method string) string {
	name := strings.ToUpper(method[:1]) + method[1:]
	if base, ok := strings.CutSuffix(name, "_Task"); ok {
		return base + "Task"
	}

	return name
}

// failedTask starts a task of the method that ends with the fault.
func (s *Server) failedTask(ctx *simulator.Context, this types.ManagedObjectReference, method string, f types.BaseMethodFault) types.ManagedObjectReference {
	if s.jobs == nil { // lax
		return simulator.CreateTask(this, lowerFirst(strings.Replace(method, "_Task", "Task", 1)), func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
			return nil, f
		}).Run(ctx)
	}

	ref, _ := s.begin(ctx, this, method, shared, func(*job) (types.AnyType, types.BaseMethodFault) { return nil, f })

	return ref
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// refused is an answer that is a fault.
type refused struct{ fault *soap.Fault }

// Fault returns the fault.
func (r *refused) Fault() *soap.Fault { return r.fault }

func refusal(f types.BaseMethodFault) soap.HasFault {
	return &refused{simulator.Fault(message(f), f)}
}

// message returns a sentence for a fault, as localised messages have.
func message(f types.BaseMethodFault) string {
	if c := f.GetMethodFault().FaultCause; c != nil && c.LocalizedMessage != "" {
		return c.LocalizedMessage
	}

	return fmt.Sprintf("The operation failed: %s", reflect.TypeOf(f).Elem().Name())
}
