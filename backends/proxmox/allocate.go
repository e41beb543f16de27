package proxmox

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// reservations are the VMIDs and names that creations under way in this process have taken.
type reservations struct {
	mu    sync.Mutex
	ids   map[int64]bool // whether one is under way; false: there is or was a VM
	names map[string]bool
	// doubts are the VMIDs of creations of which it is not known what became, by their tokens.
	doubts map[string]int64
	// promised is the memory, in bytes, of VMs that were put on a node in this process: what a node has free tells of it once they run.
	promised map[string]int64
}

// roomiest is the node with most free memory, of which so many bytes are promised then.
func (r *reservations) roomiest(nodes []nodeRow, bytes int64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	free := func(n nodeRow) int64 { return int64(n.MaxMem-n.Mem) - r.promised[string(n.Node)] }
	best := slices.MaxFunc(nodes, func(x, y nodeRow) int {
		return cmp.Or(cmp.Compare(free(x), free(y)), strings.Compare(string(y.Node), string(x.Node)))
	})
	if r.promised == nil {
		r.promised = map[string]int64{}
	}
	r.promised[string(best.Node)] += bytes
	return string(best.Node)
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

// id takes one of the lowest VMIDs from first to last, of so many, that are neither known nor taken; 0 is none. A VMID that had a
// VM in this process is given out again only where there is no other: who remembers the old VM should not meet the new one.
func (r *reservations) id(first, last int64, among int, known func(int64) bool) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids = map[int64]bool{}
	}
	for _, again := range []bool{false, true} {
		var free []int64
		for id := first; id <= last && len(free) < among; id++ {
			if inUse, had := r.ids[id]; !inUse && had == again && !known(id) {
				free = append(free, id)
			}
		}
		if len(free) > 0 {
			id := free[rand.IntN(len(free))] //nolint:gosec // any will do
			r.ids[id] = true
			return id
		}
	}
	return 0
}

// release says that the creation with a VMID has ended, and whether the VMID has a VM or had one.
func (r *reservations) release(id int64, made bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if made {
		r.ids[id] = false
	} else {
		delete(r.ids, id)
	}
}

// spread is among how many VMIDs one is chosen when all that were tried belonged to somebody: others who are quicker try the lowest too.
const spread = 16

// allocate finds a VMID by making a VM with it, which is the only reservation that Proxmox VE knows: where somebody else was quicker, another one
// is tried. A VMID that spec asks for is the only one that is tried. The token is that of the creation.
func (b *Backend) allocate(ctx context.Context, token string, asked *int64, make func(ctx context.Context, vmid int64) error) (int64, error) {
	if asked != nil {
		err := b.met(token, *asked, make(ctx, *asked))
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
	if vmid := b.making.doubt(token); vmid != 0 {
		err := b.met(token, vmid, make(ctx, vmid))
		if !errors.Is(err, fault.ErrLeftover) {
			return vmid, err
		}
	}
	taken := map[int64]bool{} // also by what the account does not see
	for among := 1; ; among = spread {
		vmid := b.making.id(b.cfg.FirstID, b.cfg.LastID, among, func(id int64) bool { _, ok := known[id]; return ok || taken[id] })
		if vmid == 0 {
			return 0, backends.Errorf(backends.Exhausted, "", "", "no VMID from %d to %d is free", b.cfg.FirstID, b.cfg.LastID).
				Advise("Widen vm_id_range in the provider block, or remove VMs.")
		}
		err := make(ctx, vmid)
		wasTaken := errors.Is(err, fault.ErrTaken) || errors.Is(err, fault.ErrLeftover)
		b.making.release(vmid, err == nil || !wasTaken && b.isThere(ctx, vmid))
		if !wasTaken || ctx.Err() != nil {
			return vmid, err
		}
		taken[vmid] = true
	}
}

// isThere reports whether a creation that failed has to be taken as one that left a VM.
func (b *Backend) isThere(ctx context.Context, vmid int64) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	b.estate.changed()
	_, err := b.estate.search(ctx, vmid)
	return backends.CodeOf(err) != backends.NotFound
}
