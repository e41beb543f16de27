package vcsim

import (
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// roster knows the names and parents of all objects of the inventory, as the
// registry reports changes. Names can so be looked up without locking objects,
// which would wait for whatever works on them.
type roster struct {
	mu      sync.Mutex
	entries map[types.ManagedObjectReference]entry
}

// entry is what is known of one object. The parent's reference is the
// parent's own field, which the simulator fills in after it has told of the
// object.
type entry struct {
	name  string
	above *types.ManagedObjectReference
}

func (e entry) parent() types.ManagedObjectReference {
	if e.above == nil {
		return types.ManagedObjectReference{}
	}

	return *e.above
}

// newRoster returns a roster of what is in the registry and will be.
func newRoster(r *simulator.Registry) *roster {
	l := &roster{entries: make(map[types.ManagedObjectReference]entry)}
	for _, e := range r.All("") {
		l.PutObject(nil, e)
	}

	r.AddHandler(l)

	return l
}

// Reference identifies the roster among the registry's handlers.
func (*roster) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "Roster", Value: "roster"}
}

// PutObject is told of an object that is new or has moved.
func (l *roster) PutObject(_ *simulator.Context, obj mo.Reference) {
	if snap, ok := obj.(*simulator.VirtualMachineSnapshot); ok {
		l.mu.Lock()
		defer l.mu.Unlock()

		l.entries[snap.Self] = entry{above: &snap.Vm}

		return
	}

	e, ok := obj.(mo.Entity)
	if !ok {
		return
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	l.entries[obj.Reference()] = entry{name: entityName(e), above: e.Entity().Parent}
}

// UpdateObject is told of changed properties.
func (l *roster) UpdateObject(_ *simulator.Context, obj mo.Reference, changes []types.PropertyChange) {
	for _, c := range changes {
		l.update(obj.Reference(), c)
	}
}

func (l *roster) update(ref types.ManagedObjectReference, c types.PropertyChange) {
	l.mu.Lock()
	defer l.mu.Unlock()

	e, ok := l.entries[ref]
	if !ok {
		return
	}

	switch v := c.Val.(type) {
	case string:
		if c.Name == "name" {
			e.name = v
		}
	case types.ManagedObjectReference:
		if c.Name == "parent" {
			e.above = &v
		}
	}

	l.entries[ref] = e
}

// RemoveObject is told of an object that is gone.
func (l *roster) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) {
	l.mu.Lock()
	defer l.mu.Unlock()

	delete(l.entries, ref)
}

// child returns the object of that name among the children of parent, other
// than self.
func (l *roster) child(parent types.ManagedObjectReference, name string, self types.ManagedObjectReference) (types.ManagedObjectReference, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	for ref, e := range l.entries {
		if e.parent() == parent && e.name == name && ref != self {
			return ref, true
		}
	}

	return types.ManagedObjectReference{}, false
}

// children returns the objects of the kind that parent holds.
func (l *roster) children(parent types.ManagedObjectReference, kind string) []types.ManagedObjectReference {
	l.mu.Lock()
	defer l.mu.Unlock()

	var refs []types.ManagedObjectReference

	for ref, e := range l.entries {
		if e.parent() == parent && ref.Type == kind {
			refs = append(refs, ref)
		}
	}

	return refs
}

// named returns the objects of that name.
func (l *roster) named(name string) []types.ManagedObjectReference {
	l.mu.Lock()
	defer l.mu.Unlock()

	var refs []types.ManagedObjectReference

	for ref, e := range l.entries {
		if e.name == name {
			refs = append(refs, ref)
		}
	}

	return refs
}

// name returns the object's name.
func (l *roster) name(ref types.ManagedObjectReference) string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.entries[ref].name
}

// parent returns the object that holds the object.
func (l *roster) parent(ref types.ManagedObjectReference) types.ManagedObjectReference {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.entries[ref].parent()
}

// above returns the closest object of the kind that holds the object.
func (l *roster) above(ref types.ManagedObjectReference, kinds ...string) (types.ManagedObjectReference, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	for range 64 {
		ref = l.entries[ref].parent()
		for _, kind := range kinds {
			if ref.Type == kind {
				return ref, true
			}
		}

		if ref.Value == "" {
			break
		}
	}

	return types.ManagedObjectReference{}, false
}

// within returns the object of the kind and name in the datacenter.
func (l *roster) within(datacenter types.ManagedObjectReference, kind, name string) (types.ManagedObjectReference, bool) {
	for _, ref := range l.named(name) {
		if dc, ok := l.above(ref, "Datacenter"); ok && dc == datacenter && ref.Type == kind {
			return ref, true
		}
	}

	return types.ManagedObjectReference{}, false
}

// entityName returns the name of an object of the inventory. Networks and
// switches have it in a field of their own.
func entityName(e mo.Entity) string {
	switch o := e.(type) {
	case *mo.Network:
		return o.Name
	case *mo.OpaqueNetwork:
		return o.Name
	case *simulator.DistributedVirtualSwitch:
		return o.Name
	case *simulator.DistributedVirtualPortgroup:
		return o.Name
	default:
		return e.Entity().Name
	}
}
