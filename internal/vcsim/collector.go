package vcsim

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// The simulator lets each change of any object wake all who wait for updates,
// who then collect everything that they have asked for. With fifty who wait
// for fifty tasks that takes minutes. Here those who have named the objects
// that they wait for are woken by these only.

// collectors are the property collectors that are waited on.
type collectors struct {
	mu     sync.Mutex
	narrow map[*simulator.PropertyCollector]*narrowed
	number int
}

// narrowed hands on to a collector what concerns it.
type narrowed struct {
	self types.ManagedObjectReference
	pc   *simulator.PropertyCollector
	refs atomic.Pointer[map[types.ManagedObjectReference]bool] // nil for all
}

// Reference identifies what is narrowed among the registry's handlers.
func (n *narrowed) Reference() types.ManagedObjectReference { return n.self }

func (n *narrowed) concerned(ref types.ManagedObjectReference) bool {
	refs := n.refs.Load()

	return refs == nil || (*refs)[ref]
}

// PutObject is told of a new object.
func (n *narrowed) PutObject(ctx *simulator.Context, o mo.Reference) {
	if n.concerned(o.Reference()) {
		n.pc.PutObject(ctx, o)
	}
}

// UpdateObject is told of changed properties.
func (n *narrowed) UpdateObject(ctx *simulator.Context, o mo.Reference, changes []types.PropertyChange) {
	if n.concerned(o.Reference()) {
		n.pc.UpdateObject(ctx, o, changes)
	}
}

// RemoveObject is told of an object that is gone.
func (n *narrowed) RemoveObject(ctx *simulator.Context, ref types.ManagedObjectReference) {
	if n.concerned(ref) {
		n.pc.RemoveObject(ctx, ref)
	}
}

// PropertyCollector answers those calls to a property collector that concern
// waiting, or read machines. It needs no lock, as the simulator's does not.
type PropertyCollector struct {
	*simulator.PropertyCollector

	server *Server
	method string
}

// Dispatch answers the call.
func (p *PropertyCollector) Dispatch(ctx *simulator.Context, body any) soap.HasFault {
	switch q := body.(type) {
	case *types.RetrievePropertiesEx:
		defer p.server.walk(q.SpecSet)()

		return p.RetrievePropertiesEx(ctx, q)
	case *types.RetrieveProperties:
		defer p.server.walk(q.SpecSet)()

		return p.RetrieveProperties(ctx, q)
	case *types.WaitForUpdatesEx:
		if q.Version != "" {
			p.server.narrow(ctx, p.PropertyCollector)
		}

		res := p.WaitForUpdatesEx(ctx, q)
		if q.Version == "" {
			p.server.narrow(ctx, p.PropertyCollector)
		}

		return res
	case *types.CreateFilter:
		res := p.CreateFilter(ctx, q)
		p.server.widen(ctx, p.PropertyCollector, q.Spec)

		return res
	case *types.DestroyPropertyCollector:
		p.server.unwatch(ctx, p.PropertyCollector)

		return p.DestroyPropertyCollector(ctx, q)
	default:
		return refusal(&types.MethodNotFound{Receiver: p.Self, Method: p.method})
	}
}

// collector returns what answers the method of a property collector, or nil
// where the simulator's does.
func (s *Server) collector(ctx *simulator.Context, m *simulator.Method) mo.Reference {
	switch m.Name {
	case "WaitForUpdatesEx", "CreateFilter", "DestroyPropertyCollector", "RetrievePropertiesEx", "RetrieveProperties":
	default:
		return nil
	}

	pc, ok := ctx.Session.Get(m.This).(*simulator.PropertyCollector)
	if !ok {
		return nil
	}

	return &PropertyCollector{PropertyCollector: pc, server: s, method: m.Name}
}

// walk keeps tasks from their work while machines are read, or a read leads from
// object to object: the simulator lists and finds a machine before it has made
// it, without its lock, and walks without locks. A read of other objects that it
// names needs no more than their locks. The function that walk returns ends it.
func (s *Server) walk(sets []types.PropertyFilterSpec) func() {
	for _, set := range sets {
		for _, o := range set.ObjectSet {
			if len(o.SelectSet) > 0 || o.Obj.Type == "VirtualMachine" {
				s.jobs.work.RLock()

				return s.jobs.work.RUnlock
			}
		}
	}

	return func() {}
}

// narrow lets only changes of objects that the collector has filters for reach
// it.
func (s *Server) narrow(ctx *simulator.Context, pc *simulator.PropertyCollector) {
	s.collectors.mu.Lock()
	defer s.collectors.mu.Unlock()

	n, ok := s.collectors.narrow[pc]
	if !ok {
		if s.collectors.narrow == nil {
			s.collectors.narrow = make(map[*simulator.PropertyCollector]*narrowed)
		}

		// The first collectors of all sessions have one reference.
		s.collectors.number++
		n = &narrowed{pc: pc, self: types.ManagedObjectReference{
			Type: "NarrowedPropertyCollector", Value: strconv.Itoa(s.collectors.number),
		}}
		s.collectors.narrow[pc] = n
	}

	n.refs.Store(filtered(ctx, pc))

	if !ok {
		ctx.Map.AddHandler(n)
	}

	ctx.Map.RemoveHandler(pc)
}

// widen lets changes of what a new filter is for reach a collector that is
// waited on already, and wakes who waits.
func (s *Server) widen(ctx *simulator.Context, pc *simulator.PropertyCollector, spec types.PropertyFilterSpec) {
	s.collectors.mu.Lock()
	defer s.collectors.mu.Unlock()

	n, ok := s.collectors.narrow[pc]
	if !ok || len(spec.ObjectSet) == 0 {
		return
	}

	n.refs.Store(filtered(ctx, pc))
	pc.UpdateObject(ctx, spec.ObjectSet[0].Obj, nil)
}

// unwatch forgets a collector.
func (s *Server) unwatch(ctx *simulator.Context, pc *simulator.PropertyCollector) {
	s.collectors.mu.Lock()
	defer s.collectors.mu.Unlock()

	if n, ok := s.collectors.narrow[pc]; ok {
		ctx.Map.RemoveHandler(n)
		delete(s.collectors.narrow, pc)
	}
}

// cancelWait ends a wait whose client has gone, which the simulator does not
// notice. The first collectors of all sessions have one reference, and are left.
func (s *Server) cancelWait(ref types.ManagedObjectReference) {
	if !strings.HasPrefix(ref.Value, "session[") {
		return
	}

	s.collectors.mu.Lock()
	defer s.collectors.mu.Unlock()

	for pc := range s.collectors.narrow {
		if pc.Self == ref {
			pc.CancelWaitForUpdates(&types.CancelWaitForUpdates{This: ref})
		}
	}
}

// filtered returns the objects that a collector has filters for, or nil where
// a filter leads from object to object.
func filtered(ctx *simulator.Context, pc *simulator.PropertyCollector) *map[types.ManagedObjectReference]bool {
	refs := make(map[types.ManagedObjectReference]bool)

	for _, ref := range pc.Filter {
		filter, ok := ctx.Session.Get(ref).(*simulator.PropertyFilter)
		if !ok {
			continue
		}

		for _, set := range filter.Spec.ObjectSet {
			if len(set.SelectSet) > 0 {
				return nil
			}

			refs[set.Obj] = true
		}
	}

	return &refs
}

// Lock does nothing: a collector is not locked while it is waited on.
func (*PropertyCollector) Lock() {}

// Unlock does nothing.
func (*PropertyCollector) Unlock() {}
