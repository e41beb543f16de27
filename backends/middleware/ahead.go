package middleware

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const (
	// aheadShare is how many VMs are read ahead for each that was read: a run about few VMs of a large estate does not
	// pay for all of it.
	aheadShare = 64
	// aheadLife is how long what was read ahead is good for. A plan that takes longer reads again.
	aheadLife = 2 * time.Minute
)

// ReadAhead joins reads of VMs that are issued one after the other, as those of a refresh are: from the second VM on, as long
// as nothing was written, all VMs of the estate are read in bulk, and each result answers one later read. That of a large
// estate waits until so many VMs were read that it is worth it.
//
// A result is given out once, and none outlives a write, whatever it was of: what is read after a write, and what is
// read again, comes from the hypervisor. A failure to read ahead is nobody's error.
func ReadAhead(b backends.Backend, estate backends.Estate) backends.Backend {
	a := &ahead{Backend: b, estate: estate}
	a.forget()
	writes := Around(a, func(ctx context.Context, c Call, next func(context.Context) error) error {
		if c.Read || c.Waits {
			return next(ctx)
		}
		a.writing(1)
		defer a.writing(-1)
		return next(ctx)
	})
	return writes
}

type ahead struct {
	backends.Backend
	estate backends.Estate

	mu      sync.Mutex
	writes  int                      // under way
	turn    int                      // raised by each write
	seen    map[backends.ID]struct{} // read since the last write
	all     []backends.ID            // of the estate; nil where it was not listed since the last write
	ready   map[backends.Aspects]map[backends.ID]backends.Result
	since   time.Time // when ready was read
	reading map[backends.Aspects]*bulk
}

// bulk is a read of the estate that is under way.
type bulk struct {
	done chan struct{}
	ids  []backends.ID // that are waited for; guarded by the mutex of ahead
}

// writing notes that a write begins (1) or ends (-1).
func (a *ahead) writing(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writes += n
	a.turn++
	a.forget()
}

func (a *ahead) forget() {
	a.seen, a.ready = map[backends.ID]struct{}{}, map[backends.Aspects]map[backends.ID]backends.Result{}
	a.reading, a.all = map[backends.Aspects]*bulk{}, nil
}

func (a *ahead) GetVMs(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (map[backends.ID]backends.Result, error) {
	got := map[backends.ID]backends.Result{}
	left := a.take(ids, aspects, got)
	if len(left) > 0 {
		if a.prepare(ctx, left, aspects) {
			left = a.take(left, aspects, got)
		}
	}
	if len(left) == 0 {
		return got, nil
	}
	rest, err := a.Backend.GetVMs(ctx, left, aspects)
	for id, r := range rest {
		got[id] = r
	}
	if err != nil {
		return nil, err
	}
	return got, nil
}

// take moves what is ready into got and returns what is not.
func (a *ahead) take(ids []backends.ID, aspects backends.Aspects, got map[backends.ID]backends.Result) (left []backends.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.since) > aheadLife {
		clear(a.ready)
	}
	ready := a.ready[aspects]
	for _, id := range ids {
		if r, ok := ready[id]; ok {
			got[id] = r
			delete(ready, id)
			continue
		}
		left = append(left, id)
	}
	return left
}

// prepare reads the estate where it is time for that, or waits while another read does; ok says that something
// may be ready now.
func (a *ahead) prepare(ctx context.Context, ids []backends.ID, aspects backends.Aspects) (ok bool) {
	a.mu.Lock()
	known := 0
	for _, id := range ids {
		if _, again := a.seen[id]; again {
			known++
		}
		a.seen[id] = struct{}{}
	}
	_, done := a.ready[aspects]
	under := a.reading[aspects]
	switch {
	case a.writes > 0, known == len(ids): // one that is read again is waited for, not refreshed
		a.mu.Unlock()
		return false
	case under != nil:
		under.ids = append(under.ids, ids...)
		a.mu.Unlock()
		select {
		case <-under.done:
			return true
		case <-ctx.Done():
			return false
		}
	case done: // perhaps only just
		a.mu.Unlock()
		return true
	case len(a.seen) < 2 || len(a.all) > aheadShare*len(a.seen):
		a.mu.Unlock()
		return false
	}
	under = &bulk{done: make(chan struct{}), ids: slices.Clone(ids)}
	a.reading[aspects] = under
	turn, all := a.turn, a.all
	a.mu.Unlock()

	var ready map[backends.ID]backends.Result
	if all == nil {
		all = a.list(ctx, turn)
	}
	if a.worth(all) {
		ready = a.read(ctx, all, under, aspects)
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	defer close(under.done)
	if a.turn != turn {
		return false
	}
	delete(a.reading, aspects)
	if ready != nil {
		a.ready[aspects], a.since = ready, time.Now()
	}
	return ready != nil
}

// list lists the estate, and remembers that unless something was written meanwhile; nil where it failed.
func (a *ahead) list(ctx context.Context, turn int) []backends.ID {
	all, err := a.estate.Estate(ctx)
	if err != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.turn == turn {
		a.all = all
	}
	return all
}

// worth reports whether so much was read that the estate is likely to be read, too.
func (a *ahead) worth(all []backends.ID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(all) > 0 && len(all) <= aheadShare*len(a.seen)
}

// read reads the estate, together with what is waited for; nil where that failed.
func (a *ahead) read(ctx context.Context, all []backends.ID, under *bulk, aspects backends.Aspects) map[backends.ID]backends.Result {
	a.mu.Lock()
	list := slices.Clone(under.ids)
	wanted := map[backends.ID]struct{}{}
	for _, id := range list {
		wanted[id] = struct{}{}
	}
	for _, id := range all {
		_, twice := wanted[id]
		if _, read := a.seen[id]; !read && !twice {
			list = append(list, id)
		}
	}
	a.mu.Unlock()
	got, err := a.Backend.GetVMs(ctx, list, aspects)
	if err != nil {
		return nil
	}
	return got
}
