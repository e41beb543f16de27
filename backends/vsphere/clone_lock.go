package vsphere

import (
	"context"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// links is what this process knows of linked clones in the making. Its zero value is ready.
type links struct {
	mu   sync.Mutex
	held map[backends.ID]chan struct{} // closed when the lock is given back
	// pins counts the clones of a VM that are on their way: vSphere does not show yet what they share.
	pins map[backends.ID]int
	// made is when a base was taken.
	made map[types.ManagedObjectReference]time.Time

	sharers sharers
	thaws   thaws
}

// lock keeps others from making and removing what linked clones of a VM share.
func (l *links) lock(ctx context.Context, id backends.ID) (unlock func(), err error) {
	for {
		l.mu.Lock()
		wait, taken := l.held[id]
		if !taken {
			done := make(chan struct{})
			if l.held == nil {
				l.held = map[backends.ID]chan struct{}{}
			}
			l.held[id] = done
			l.mu.Unlock()
			return sync.OnceFunc(func() {
				l.mu.Lock()
				delete(l.held, id)
				l.mu.Unlock()
				close(done)
			}), nil
		}
		l.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, backends.Wrap(ctx.Err(), "wait for another linked clone", "")
		}
	}
}

// pin says that a linked clone of a VM is being made, until unpin.
func (l *links) pin(id backends.ID) (unpin func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pins == nil {
		l.pins = map[backends.ID]int{}
	}
	l.pins[id]++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.pins[id]--; l.pins[id] == 0 {
			delete(l.pins, id)
		}
	})
}

func (l *links) pinned(id backends.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pins[id] > 0
}

func (l *links) took(ref types.ManagedObjectReference) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil {
		l.made = map[types.ManagedObjectReference]time.Time{}
	}
	l.made[ref] = time.Now()
}

// takenSince reports whether this process took a base after the moment.
func (l *links) takenSince(ref types.ManagedObjectReference, began time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.made[ref]
	return ok && !at.Before(began)
}
