package middleware

import (
	"context"
	"sync"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// DefaultWindow is how long a read waits for others to join it.
const DefaultWindow = 2 * time.Millisecond

// Batch joins reads of VMs that are issued side by side into one bulk call.
// Terraform reads its resources one by one, some at a time; a hypervisor is
// asked best for many at once.
//
// A read joins only a call that has not been sent yet, so a read after a write
// never sees the past, and nothing is remembered.
func Batch(b backends.Backend, window time.Duration) backends.Backend {
	return &batch{Backend: b, window: window, open: map[backends.Aspects]*group{}}
}

type batch struct {
	backends.Backend
	window time.Duration

	mu      sync.Mutex
	open    map[backends.Aspects]*group // not sent yet
	running sync.WaitGroup
}

// group is one bulk call and those who wait for it.
type group struct {
	ids     map[backends.ID]struct{}
	waiting int
	cancel  context.CancelFunc
	done    chan struct{} // closed when result and err are set
	result  map[backends.ID]backends.Result
	err     error
}

func (b *batch) GetVMs(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (map[backends.ID]backends.Result, error) {
	g := b.join(ctx, ids, aspects)
	select {
	case <-g.done:
	case <-ctx.Done():
		b.leave(g, aspects)
		return nil, backends.Wrap(ctx.Err(), "read VMs", "")
	}
	if g.err != nil {
		return nil, g.err
	}
	mine := make(map[backends.ID]backends.Result, len(ids))
	for _, id := range ids {
		if r, ok := g.result[id]; ok {
			mine[id] = r
		}
	}
	return mine, nil
}

// join adds ids to the call that is about to be sent, or opens one.
func (b *batch) join(ctx context.Context, ids []backends.ID, aspects backends.Aspects) *group {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.open[aspects]
	if g == nil {
		// The call belongs to all who join: it ends when the last one has left,
		// not when the first one does.
		callCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		g = &group{ids: map[backends.ID]struct{}{}, done: make(chan struct{}), cancel: cancel}
		b.open[aspects] = g
		b.running.Add(1)
		go b.send(callCtx, g, aspects)
	}
	g.waiting++
	for _, id := range ids {
		g.ids[id] = struct{}{}
	}
	return g
}

// leave takes one waiter off; a call that nobody waits for is cancelled, and
// nobody can join it any more.
func (b *batch) leave(g *group, aspects backends.Aspects) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g.waiting--; g.waiting == 0 {
		b.shut(g, aspects)
		g.cancel()
	}
}

func (b *batch) shut(g *group, aspects backends.Aspects) {
	if b.open[aspects] == g {
		delete(b.open, aspects)
	}
}

func (b *batch) send(ctx context.Context, g *group, aspects backends.Aspects) {
	defer b.running.Done()
	defer g.cancel()
	timer := time.NewTimer(b.window)
	select {
	case <-timer.C:
	case <-ctx.Done():
		timer.Stop()
	}
	b.mu.Lock()
	b.shut(g, aspects)
	ids := make([]backends.ID, 0, len(g.ids))
	for id := range g.ids {
		ids = append(ids, id)
	}
	b.mu.Unlock()
	g.result, g.err = b.Backend.GetVMs(ctx, ids, aspects)
	close(g.done)
}

// Close waits for calls under way before it closes the backend.
func (b *batch) Close() error {
	b.running.Wait()
	return b.Backend.Close()
}
