// Package inventory finds what VMs are placed on, by name or inventory path, and tells the names of what
// managed object references point to.
//
// All of it is read in one traversal and remembered for a short while. A name that is
// not found is looked up anew once, so that what the same apply made is found.
package inventory

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
)

// Defaults are the names of what is used where a VM names nothing; "" is the only one there is.
type Defaults struct {
	Datacenter, Cluster, ResourcePool, Host, Datastore, Folder, Network string
}

// Kind says what an object of the inventory is.
type Kind string

// The kinds.
const (
	Datacenter       Kind = "datacenter"
	Cluster          Kind = "cluster"
	Host             Kind = "host"
	Pool             Kind = "resource pool"
	Folder           Kind = "folder" // of VMs
	Datastore        Kind = "datastore"
	DatastoreCluster Kind = "datastore cluster"
	Network          Kind = "network"
)

// Object is one object of the inventory.
type Object struct {
	Ref        types.ManagedObjectReference
	Kind       Kind   // "" for what VMs are not placed on by name: other folders, switches, stand-alone compute resources
	Name       string // as people see it: "a/b" where vSphere stores "a%2fb"
	Path       string // inventory path, "/DC0/vm/team/web", with vSphere's escapes in its names
	Datacenter types.ManagedObjectReference
}

// lifetime is how long what was read is taken for true.
const lifetime = 30 * time.Second

// Inventory is what one connection sees. It is safe for parallel use.
type Inventory struct {
	conn     *conn.Conn
	defaults Defaults

	loading chan struct{} // held by who reads the inventory

	mu     sync.Mutex
	index  *Index
	failed error     // of the last try, nil where it succeeded
	tried  time.Time // when the last try began
	hidden map[types.ManagedObjectReference]bool
}

// New returns the inventory of a connection. It calls nothing.
func New(c *conn.Conn, d Defaults) *Inventory {
	return &Inventory{conn: c, defaults: d, loading: make(chan struct{}, 1), hidden: map[types.ManagedObjectReference]bool{}}
}

// Index returns the inventory, at most half a minute old.
func (i *Inventory) Index(ctx context.Context) (*Index, error) {
	return i.since(ctx, time.Now().Add(-lifetime))
}

// Knowing returns the inventory with refs in it, read anew where what is remembered lacks one. What the account
// may not see is looked for once.
func (i *Inventory) Knowing(ctx context.Context, refs []types.ManagedObjectReference) (*Index, error) {
	x, err := i.Index(ctx)
	if err != nil || len(i.unseen(x, refs)) == 0 {
		return x, err
	}
	if x, err = i.newer(ctx, x); err != nil {
		return nil, err
	}
	lost := i.unseen(x, refs)
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range lost {
		i.hidden[r] = true
	}
	return x, nil
}

// unseen returns those of refs that are not in the index and not known to be hidden.
func (i *Inventory) unseen(x *Index, refs []types.ManagedObjectReference) []types.ManagedObjectReference {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(refs), func(r types.ManagedObjectReference) bool { return x.nodes[r] != nil || i.hidden[r] })
}

// Forget drops what is remembered, so that the next question reads the inventory anew.
func (i *Inventory) Forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.index = nil
}

// newer returns an inventory that was read after old, which lacks something.
func (i *Inventory) newer(ctx context.Context, old *Index) (*Index, error) {
	return i.since(ctx, old.read.Add(1))
}

// since returns an inventory that was read at that time or later. Those who
// ask at the same time share one read.
func (i *Inventory) since(ctx context.Context, at time.Time) (*Index, error) {
	asked := time.Now()
	if x := i.remembered(at); x != nil {
		return x, nil
	}
	select {
	case i.loading <- struct{}{}:
		defer func() { <-i.loading }()
	case <-ctx.Done():
		return nil, backends.Wrap(ctx.Err(), "read the inventory", "")
	}
	if x := i.remembered(at); x != nil {
		return x, nil
	}
	if err := i.failure(asked); err != nil {
		return nil, err
	}
	start := time.Now()
	x, err := i.load(ctx)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.failed, i.tried = err, start
	if err != nil {
		if ctx.Err() != nil { // it failed one caller, not the others
			i.failed = nil
		}
		return nil, err
	}
	x.read = start
	i.index = x
	return x, nil
}

func (i *Inventory) remembered(since time.Time) *Index {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.index != nil && !i.index.read.Before(since) {
		return i.index
	}
	return nil
}

// failure is that of a try which began since then.
func (i *Inventory) failure(since time.Time) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.tried.Before(since) {
		return nil
	}
	return i.failed
}

// again calls ask with the inventory, and once more with a newer one where something was not
// found, or was refused by what may have changed.
func again[T any](ctx context.Context, i *Inventory, ask func(*Index) (T, error)) (T, error) {
	asked := time.Now()
	x, err := i.Index(ctx)
	if err != nil {
		var none T
		return none, err
	}
	got, err := ask(x)
	old := asked.Sub(x.read)
	switch backends.CodeOf(err) {
	case backends.NotFound:
		old += freshness
	case backends.Invalid, backends.Exhausted, backends.Precondition:
	default:
		return got, err
	}
	if old < freshness {
		return got, err
	}
	x, reread := i.newer(ctx, x)
	if reread != nil {
		return got, err
	}
	return ask(x)
}

// freshness is for how long a refusal that a host's or datastore's state gave is believed without another look.
const freshness = 2 * time.Second
