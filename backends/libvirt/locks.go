package libvirt

import (
	"context"
	"strings"
	"sync"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// locks serialises work per object, and lets those who wait leave when their
// context ends. The zero value is ready.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
	// turns counts locks: what was read while all was quiet, and is used while
	// all is quiet at the same count, has no write of ours in between.
	turns int64
}

type lock struct {
	free  chan struct{} // holds one token while nobody has the lock
	users int
}

// quiet tells the count of turns while nobody holds or waits for a lock; ok is
// false while somebody does.
func (l *locks) quiet() (turns int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turns, len(l.held) == 0
}

// lockName is the name of a VM's lock, whichever way its id is spelled.
func lockName(id backends.ID) string { return "vm " + strings.ToLower(string(id)) }

// lock waits for the lock of an object. The function returned gives it back.
func (l *locks) lock(ctx context.Context, name string) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*lock{}
	}
	k := l.held[name]
	if k == nil {
		k = &lock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		l.held[name] = k
	}
	k.users++
	l.turns++
	l.mu.Unlock()

	done := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, name)
		}
	}
	select {
	case <-k.free:
		return func() { k.free <- struct{}{}; done() }, nil
	case <-ctx.Done():
		done()
		return nil, context.Cause(ctx)
	}
}
