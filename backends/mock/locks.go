package mock

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// locks serialises what is done to one object. Different objects never wait
// for each other.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	free    chan struct{} // holds one token while nobody has the lock
	waiting int           // holders and waiters
	op      string        // what the holder does
}

// acquire waits for the lock of key. A context whose time is over makes that
// Locked, which names the operation that holds the object; an interrupted one
// Canceled.
func (l *locks) acquire(ctx context.Context, key, op, object string) (release func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*lock{}
	}
	k := l.held[key]
	if k == nil {
		k = &lock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		l.held[key] = k
	}
	k.waiting++
	l.mu.Unlock()

	select {
	case <-k.free:
		l.mu.Lock()
		k.op = op
		l.mu.Unlock()
		return func() { l.leave(key, k, true) }, nil
	case <-ctx.Done():
		l.mu.Lock()
		holder := k.op
		l.mu.Unlock()
		l.leave(key, k, false)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, backends.Wrap(ctx.Err(), op, object)
		}
		return nil, &backends.Error{
			Code: backends.Locked, Op: op, Object: object,
			Err:    fmt.Errorf("another operation (%s) holds it: %w", holder, ctx.Err()),
			Remedy: "Try again when that operation has ended.",
		}
	}
}

func (l *locks) leave(key string, k *lock, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k.waiting--
	if k.waiting == 0 {
		delete(l.held, key)
	}
	if held {
		k.free <- struct{}{}
	}
}
