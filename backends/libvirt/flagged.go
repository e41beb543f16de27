package libvirt

import (
	"context"
	"sync"
	"time"

	rpc "github.com/digitalocean/go-libvirt"
)

// flaggedFor is how long a list of flagged domains serves: long enough for the
// reads of one refresh, which Terraform issues a few at a time, and too short for
// anybody to notice that another program set a flag.
const flaggedFor = time.Second

// flagged remembers which domains have a flag, until something is written.
type flagged struct {
	mu    sync.Mutex
	lists map[rpc.ConnectListAllDomainsFlags]flaggedList
}

type flaggedList struct {
	set   map[rpc.UUID]bool
	at    time.Time
	turns int64 // of locks, when it was asked for
}

// domainsWith lists the domains that a flag selects. The answer is not to be
// changed: it may serve several readers.
func (b *Backend) domainsWith(ctx context.Context, flag rpc.ConnectListAllDomainsFlags) (map[rpc.UUID]bool, error) {
	turns, quiet := b.locks.quiet()
	now := b.now()
	b.flagged.mu.Lock()
	known := b.flagged.lists[flag]
	b.flagged.mu.Unlock()
	if quiet && known.set != nil && known.turns == turns && now.Sub(known.at) < flaggedFor {
		return known.set, nil
	}
	list, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.Domain, error) {
		list, _, err := l.ConnectListAllDomains(1, flag)
		return list, err
	})
	if err != nil {
		return nil, err
	}
	set := make(map[rpc.UUID]bool, len(list))
	for _, d := range list {
		set[d.UUID] = true
	}
	if !quiet {
		return set, nil
	}
	b.flagged.mu.Lock()
	defer b.flagged.mu.Unlock()
	if b.flagged.lists == nil {
		b.flagged.lists = map[rpc.ConnectListAllDomainsFlags]flaggedList{}
	}
	b.flagged.lists[flag] = flaggedList{set: set, at: now, turns: turns}
	return set, nil
}
