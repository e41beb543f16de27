package storage

import (
	"context"
	"sync"
	"time"
)

// rounds lets callers who want the same work done after their call began share it: many VMs are
// destroyed side by side, and each wants to know what is in the pools now.
type rounds struct {
	mu   sync.Mutex
	each map[string]*round
}

// round is the work on one object.
type round struct {
	gate  chan struct{} // holds one token while nobody works
	began time.Time     // of the last work that succeeded
}

// do returns when work on the object has been done that began after the call did.
func (r *rounds) do(ctx context.Context, object string, work func() error) error {
	called := time.Now()
	r.mu.Lock()
	if r.each == nil {
		r.each = map[string]*round{}
	}
	one := r.each[object]
	if one == nil {
		one = &round{gate: make(chan struct{}, 1)}
		one.gate <- struct{}{}
		r.each[object] = one
	}
	r.mu.Unlock()
	select {
	case <-one.gate:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { one.gate <- struct{}{} }()
	if one.began.After(called) {
		return nil
	}
	began := time.Now()
	if err := work(); err != nil {
		return err
	}
	one.began = began
	return nil
}
