package vsphere

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const (
	// freezeTime bounds the way back to a template, also when the caller's time is over. Who copies the template at that moment
	// holds it for as long as the copy takes.
	freezeTime = 2 * time.Minute
	// thawTime is how long an image that is no template is waited for: another process may need it as a VM for a moment.
	thawTime = 5 * time.Second
)

// thawed does with a template what only a VM allows, and makes it a template again whatever came of it.
func (b *Backend) thawed(ctx context.Context, m *machine, do func() error) error {
	done := b.links.thaws.begin(m.id())
	defer done()
	if err := b.markMachine(ctx, m); err != nil {
		return err
	}
	err := do()
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), freezeTime)
	defer cancel()
	if backErr := whileLocked(back, func() error { return b.markTemplate(back, m) }); err == nil {
		return backErr
	}
	return err
}

// thaws is what this process knows of templates that are VMs for a moment. Its zero value is ready.
type thaws struct {
	mu    sync.Mutex
	under map[backends.ID]chan struct{} // closed when the template is one again
	count map[backends.ID]int
}

// begin says that a template is no template, until done. One caller at a time has a template.
func (t *thaws) begin(id backends.ID) (done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.under == nil {
		t.under, t.count = map[backends.ID]chan struct{}{}, map[backends.ID]int{}
	}
	over := make(chan struct{})
	t.under[id] = over
	t.count[id]++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		delete(t.under, id)
		t.mu.Unlock()
		close(over)
	})
}

// wait returns once a template is one, and tells how often it was none until then.
func (t *thaws) wait(ctx context.Context, id backends.ID) (times int, err error) {
	for {
		t.mu.Lock()
		over, under := t.under[id]
		times = t.count[id]
		t.mu.Unlock()
		if !under {
			return times, nil
		}
		select {
		case <-over:
		case <-ctx.Done():
			return times, backends.Wrap(ctx.Err(), "wait for a linked clone of the template", "")
		}
	}
}

// seen counts the moments so far in which templates were none, by template.
func (t *thaws) seen() map[backends.ID]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.count)
}

// since reports whether a template is none now, or was none at a moment after what seen told.
func (t *thaws) since(id backends.ID, seen map[backends.ID]int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, under := t.under[id]
	return under || t.count[id] != seen[id]
}
