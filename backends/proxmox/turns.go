package proxmox

import (
	"context"
	"sync"
)

// turns are the VMs of which one of several operations in this process has its turn. Proxmox VE refuses the others
// instead of having them wait.
type turns struct {
	mu   sync.Mutex
	busy map[int64]chan struct{}
}

// take waits for the turn with a VM; done gives it up.
func (t *turns) take(ctx context.Context, vmid int64) (done func(), err error) {
	for {
		t.mu.Lock()
		other := t.busy[vmid]
		if other == nil {
			mine := make(chan struct{})
			if t.busy == nil {
				t.busy = map[int64]chan struct{}{}
			}
			t.busy[vmid] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.busy, vmid)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
