package tfx

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// inventoryTime bounds one list: a plan does not wait long for what it can do without.
const inventoryTime = 30 * time.Second

// Inventory is what a plan knows of the hypervisor beside the VMs in state. Each
// list is read when it is first wanted and then shared by all VMs of the process.
//
// Whatever cannot be read counts as not known, and so does everything from the
// first change that this process makes: lists that are older than the change
// would accuse what it has made or freed.
type Inventory struct {
	data     *ProviderData
	networks listing[[]backends.Network]
	storages listing[[]backends.Storage]
	hosts    listing[[]backends.Host]
	vms      listing[[]backends.VMSummary]

	images    keyed[*backends.Image]
	named     keyed[*backends.VM]
	snapshots keyed[[]backends.Snapshot]
	places    keyed[error]
	volumes   keyed[*backends.Volume]

	mu      sync.Mutex
	managed map[backends.ID]bool
	kept    map[string]bool                     // snapshots in state, as VM/SNAPSHOT
	power   map[backends.ID]backends.PowerState // that a plan asks for
	noticed chan struct{}                       // closed and replaced when one of these grows
	patient time.Time                           // until when something is waited for that may be in state
	changed bool
}

// Inventory returns the inventory of the hypervisor, the same one each time.
func (d *ProviderData) Inventory() *Inventory { return d.inventory }

// Changing says that this process is about to change the hypervisor. It may be
// called on nil.
func (d *ProviderData) Changing() {
	if d == nil {
		return
	}
	d.inventory.mu.Lock()
	defer d.inventory.mu.Unlock()
	d.inventory.changed = true
}

// Managed says that Terraform has a VM in state. It may be called on nil.
func (d *ProviderData) Managed(id backends.ID) {
	if d == nil {
		return
	}
	d.inventory.mu.Lock()
	defer d.inventory.mu.Unlock()
	d.inventory.managed[id] = true
	d.inventory.notice()
}

// ManagedSnapshot says that Terraform has a snapshot in state, by the id of its
// resource: VM/SNAPSHOT. It may be called on nil.
func (d *ProviderData) ManagedSnapshot(id string) {
	if d == nil {
		return
	}
	d.inventory.mu.Lock()
	defer d.inventory.mu.Unlock()
	d.inventory.kept[id] = true
	d.inventory.notice()
}

// Powering says in which state a plan leaves a VM; "" is the one that it is in. It
// may be called on nil.
func (d *ProviderData) Powering(id backends.ID, state backends.PowerState) {
	if d == nil {
		return
	}
	d.inventory.mu.Lock()
	defer d.inventory.mu.Unlock()
	d.inventory.power[id] = state
}

// Powered returns what Powering was told of a VM, "" where that was nothing.
func (v *Inventory) Powered(id backends.ID) backends.PowerState {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.power[id]
}

// notice tells those who wait that something turned up in state.
func (v *Inventory) notice() {
	close(v.noticed)
	v.noticed = make(chan struct{})
}

// Networks lists what interfaces can be connected to; ok is false where nobody knows.
func (v *Inventory) Networks(ctx context.Context) (all []backends.Network, ok bool) {
	return ask(ctx, v, &v.networks, backends.Backend.Networks)
}

// Storages lists what disks can be placed on.
func (v *Inventory) Storages(ctx context.Context) (all []backends.Storage, ok bool) {
	return ask(ctx, v, &v.storages, backends.Backend.Storages)
}

// Hosts lists the machines that run VMs.
func (v *Inventory) Hosts(ctx context.Context) (all []backends.Host, ok bool) {
	return ask(ctx, v, &v.hosts, backends.Backend.Hosts)
}

// Stranger returns the VM that has a name and that Terraform does not have in
// state. What is in state may be about to go, or to be named otherwise.
func (v *Inventory) Stranger(ctx context.Context, name string) (vm backends.VMSummary, ok bool) {
	all, known := v.list(ctx)
	if !known {
		return backends.VMSummary{}, false
	}
	for _, vm := range all {
		if vm.Name == name && !v.inState(ctx, vm.ID) {
			return vm, true
		}
	}
	return backends.VMSummary{}, false
}

func (v *Inventory) list(ctx context.Context) ([]backends.VMSummary, bool) {
	return ask(ctx, v, &v.vms, func(b backends.Backend, ctx context.Context) ([]backends.VMSummary, error) {
		return b.ListVMs(ctx, backends.VMFilter{Light: true})
	})
}

// Image reads an image. missing says that the hypervisor has none of this id;
// where nobody knows, im is nil and missing false.
func (v *Inventory) Image(ctx context.Context, id string) (im *backends.Image, missing bool) {
	im, ok := ask(ctx, v, v.images.of(id), func(b backends.Backend, ctx context.Context) (*backends.Image, error) {
		found, err := b.GetImage(ctx, id)
		switch {
		case backends.CodeOf(err) == backends.NotFound:
			return nil, nil //nolint:nilnil // what is missing is an answer
		case err != nil:
			return nil, err
		}
		return &found, nil
	})
	return im, ok && im == nil
}

// NoImage reports whether the hypervisor says that there is no image of an id.
func (v *Inventory) NoImage(ctx context.Context, id string) bool {
	_, missing := v.Image(ctx, id)
	return missing
}

// Misplaced says what a VM that asks for a placement would meet now, nil where nothing is known against it.
func (v *Inventory) Misplaced(ctx context.Context, at backends.PlacementSpec) error {
	key, err := json.Marshal(at)
	if err != nil {
		return err
	}
	found, _ := ask(ctx, v, v.places.of(string(key)), func(b backends.Backend, ctx context.Context) (error, error) {
		err := b.CheckPlacement(ctx, at)
		switch backends.CodeOf(err) {
		case backends.NotFound, backends.Conflict, backends.Invalid:
			return err, nil
		default:
			return nil, err
		}
	})
	return found
}

// keyed are listings by what was asked for.
type keyed[T any] struct {
	mu  sync.Mutex
	all map[string]*listing[T]
}

// of returns the listing of a key, the same one each time.
func (k *keyed[T]) of(key string) *listing[T] {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[string]*listing[T]{}
	}
	if k.all[key] == nil {
		k.all[key] = &listing[T]{}
	}
	return k.all[key]
}

// listing is one answer of the hypervisor, asked for once.
type listing[T any] struct {
	gate   sync.Mutex
	asked  bool
	known  bool
	answer T
}

func ask[T any](ctx context.Context, v *Inventory, l *listing[T], read func(backends.Backend, context.Context) (T, error)) (answer T, ok bool) {
	if v.stale() {
		return answer, false
	}
	l.gate.Lock()
	defer l.gate.Unlock()
	if !l.asked {
		b, _, err := v.data.Connect(ctx)
		if err != nil {
			return answer, false
		}
		bounded, cancel := context.WithTimeout(ctx, inventoryTime)
		defer cancel()
		answer, err := read(b, bounded)
		if err != nil && ctx.Err() != nil { // interrupted, which says nothing
			return answer, false
		}
		l.asked, l.known, l.answer = true, err == nil, answer
	}
	if v.stale() { // since
		return answer, false
	}
	return l.answer, l.known
}

func (v *Inventory) stale() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changed
}
