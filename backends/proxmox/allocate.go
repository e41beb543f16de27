package proxmox

import (
	"context"
	"errors"
	"sync"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// reservations are the VMIDs and names that creations under way in this process have taken.
type reservations struct {
	mu    sync.Mutex
	ids   map[int64]bool
	names map[string]bool
}

// name takes a name until release is called; ok is false where a creation under way has it.
func (r *reservations) name(name string) (release func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names[name] {
		return nil, false
	}
	if r.names == nil {
		r.names = map[string]bool{}
	}
	r.names[name] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.names, name)
	}, true
}

// id takes, for good, the lowest VMID from first to last that is neither known nor taken; 0 is none.
func (r *reservations) id(first, last int64, known func(int64) bool) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids = map[int64]bool{}
	}
	for id := first; id <= last; id++ {
		if !r.ids[id] && !known(id) {
			r.ids[id] = true
			return id
		}
	}
	return 0
}

// allocate finds a VMID by making a VM with it, which is the only reservation that Proxmox VE knows: where somebody else was quicker, another one
// is tried. Take makes the VM. A VMID that spec asks for is the only one that is tried.
func (b *Backend) allocate(ctx context.Context, asked *int64, make func(ctx context.Context, vmid int64) error) (int64, error) {
	if asked != nil {
		err := make(ctx, *asked)
		if errors.Is(err, fault.ErrTaken) {
			return *asked, backends.Errorf(backends.Conflict, "", "", "the VMID %d belongs to a VM or container already", *asked).At("proxmox.vm_id").
				Advise("Choose another one, or leave vm_id out.")
		}
		return *asked, err
	}
	known, err := b.estate.all(ctx)
	if err != nil {
		return 0, err
	}
	for {
		vmid := b.making.id(b.cfg.FirstID, b.cfg.LastID, func(id int64) bool { _, ok := known[id]; return ok })
		if vmid == 0 {
			return 0, backends.Errorf(backends.Exhausted, "", "", "no VMID from %d to %d is free", b.cfg.FirstID, b.cfg.LastID).
				Advise("Widen vm_id_range in the provider block, or remove VMs.")
		}
		// The VMID stays reserved in this process also after its VM is gone: who remembers the old VM must not meet the new one.
		err := make(ctx, vmid)
		if !errors.Is(err, fault.ErrTaken) || ctx.Err() != nil {
			return vmid, err
		}
	}
}
