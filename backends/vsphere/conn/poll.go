package conn

import (
	"context"
	"fmt"
	"sync"
	"time"

	govmomi "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// Intervals at which a task is looked at. The first suits the many tasks that take a few milliseconds.
const (
	firstLook = 10 * time.Millisecond
	mostRest  = time.Second
	lookBound = 30 * time.Second // for one read of all tasks
)

// stubborn is how often in a row a read of tasks may fail in a way that does not pass by itself.
const stubborn = 10

// poller reads all tasks that are waited for in one call, at intervals that grow for each of
// them. Waits by filters of one property collector disturb each other, and a collector
// for each wait costs four calls.
type poller struct {
	conn *Conn
	read func(context.Context, []types.ManagedObjectReference) (map[types.ManagedObjectReference]answer, error)

	mu      sync.Mutex
	watches map[*watch]bool
	running bool
	closed  bool
	poke    chan struct{}
}

// watch is one wait for a task.
type watch struct {
	task    types.ManagedObjectReference
	due     time.Time
	rest    time.Duration
	failed  int
	updates chan types.TaskInfo // the newest that is not the last, or nothing
	done    chan answer         // the last
}

// answer is what a read says of a task.
type answer struct {
	info *types.TaskInfo
	err  error
}

func newPoller(c *Conn) *poller {
	p := &poller{conn: c, watches: make(map[*watch]bool), poke: make(chan struct{}, 1)}
	p.read = p.properties
	return p
}

// watch begins to look at a task.
func (p *poller) watch(task types.ManagedObjectReference) *watch {
	w := &watch{
		task: task, due: time.Now().Add(firstLook), rest: firstLook,
		updates: make(chan types.TaskInfo, 1), done: make(chan answer, 1),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.conn.session.current(); p.closed || err != nil {
		if err == nil {
			err = unwatched(task)
		}
		w.done <- answer{err: err}
		return w
	}
	p.watches[w] = true
	if !p.running {
		p.running = true
		p.conn.work.Go(p.run)
	}
	p.hint()
	return w
}

// hurry looks at a task again soon.
func (p *poller) hurry(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.due, w.rest = time.Now().Add(firstLook), firstLook
	p.hint()
}

// forget ends a watch whose end nobody waits for.
func (p *poller) forget(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watches, w)
	p.hint()
}

func (p *poller) hint() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

// run looks at tasks until there are none left.
func (p *poller) run() {
	ctx := p.conn.base
	for {
		next, ok := p.next()
		if !ok {
			return
		}
		t := time.NewTimer(time.Until(next))
		select {
		case <-t.C:
		case <-p.poke:
		case <-ctx.Done():
			t.Stop()
			p.abandon()
			return
		}
		t.Stop()
		if batch := p.batch(time.Now()); len(batch) > 0 {
			p.look(ctx, batch)
		}
	}
}

// next returns when the next task is to be looked at, and false when there is none.
func (p *poller) next() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var next time.Time
	for w := range p.watches {
		if next.IsZero() || w.due.Before(next) {
			next = w.due
		}
	}
	p.running = !next.IsZero()
	return next, p.running
}

// batch returns the watches that are due, with those that are soon if any is.
func (p *poller) batch(now time.Time) []*watch {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*watch
	due := false
	for w := range p.watches {
		wait := w.due.Sub(now)
		due = due || wait <= 0
		if wait <= w.rest/2 {
			all = append(all, w)
		}
	}
	if !due {
		return nil
	}
	return all
}

// look reads the tasks of a batch and tells those who wait.
func (p *poller) look(ctx context.Context, batch []*watch) {
	refs := make([]types.ManagedObjectReference, 0, len(batch))
	seen := make(map[types.ManagedObjectReference]bool, len(batch))
	for _, w := range batch {
		if !seen[w.task] {
			seen[w.task] = true
			refs = append(refs, w.task)
		}
	}
	bounded, cancel := context.WithTimeout(ctx, lookBound)
	defer cancel()
	answers, err := p.read(bounded, refs)

	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var gone *types.ManagedObjectNotFound
	_, isGone := govmomi.As(err, &gone)
	isGone = isGone && seen[gone.Obj]
	for _, w := range batch {
		switch {
		case err == nil:
			p.settle(w, answers[w.task], now)
		case isGone && gone.Obj == w.task:
			p.finish(w, answer{err: lostTask(w.task)})
		case isGone: // the others are read again at once
		default:
			p.failed(w, err, now)
		}
	}
}

// settle tells what a read said of a task.
func (p *poller) settle(w *watch, a answer, now time.Time) {
	w.failed = 0
	switch {
	case a.err != nil:
		p.finish(w, a)
	case a.info == nil:
		p.finish(w, answer{err: lostTask(w.task)})
	case a.info.State == types.TaskInfoStateSuccess, a.info.State == types.TaskInfoStateError:
		p.finish(w, a)
	default:
		select {
		case <-w.updates:
		default:
		}
		w.updates <- *a.info
		w.rest = min(2*w.rest, mostRest)
		w.due = now.Add(w.rest)
	}
}

// failed decides what a read that failed means for a task: mostly nothing, as the task goes on.
func (p *poller) failed(w *watch, err error, now time.Time) {
	w.failed++
	switch code := fault.Code(err); {
	case code == backends.Auth,
		code != backends.Transient && code != backends.Timeout && w.failed >= stubborn:
		p.finish(w, answer{err: err})
	default:
		w.rest = min(max(2*w.rest, 100*time.Millisecond), 5*mostRest)
		w.due = now.Add(w.rest)
	}
}

func (p *poller) finish(w *watch, a answer) {
	if p.watches[w] {
		delete(p.watches, w)
		w.done <- a
	}
}

// abandon ends all watches because the connection is closed.
func (p *poller) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.running = true, false
	for w := range p.watches {
		p.finish(w, answer{err: unwatched(w.task)})
	}
}

func unwatched(task types.ManagedObjectReference) error {
	return backends.Errorf(backends.Canceled, "", "", "%w; task %s goes on without being watched", errClosed, task.Value)
}

func lostTask(task types.ManagedObjectReference) error {
	return backends.Errorf(backends.Transient, "", "", "vSphere no longer knows the task %s, so how it ended is not known", task.Value).
		Advise("vCenter has probably been restarted. Apply again: what is there by now is found.")
}

// properties reads tasks in one call, and one more for each further page.
func (p *poller) properties(ctx context.Context, tasks []types.ManagedObjectReference) (map[types.ManagedObjectReference]answer, error) {
	spec := types.PropertyFilterSpec{PropSet: []types.PropertySpec{{Type: "Task", PathSet: []string{"info"}}}}
	for _, t := range tasks {
		spec.ObjectSet = append(spec.ObjectSet, types.ObjectSpec{Obj: t})
	}
	objects, err := mo.RetrievePropertiesEx(ctx, p.conn.vim, types.RetrievePropertiesEx{
		This: p.conn.vim.ServiceContent.PropertyCollector, SpecSet: []types.PropertyFilterSpec{spec},
	})
	if err != nil {
		return nil, err
	}
	all := make(map[types.ManagedObjectReference]answer, len(objects))
	for _, o := range objects {
		var a answer
		for _, m := range o.MissingSet {
			a.err = fault.Wrap(soap.WrapVimFault(m.Fault.Fault), "", "")
		}
		for _, v := range o.PropSet {
			if info, ok := v.Val.(types.TaskInfo); ok {
				a = answer{info: &info}
			}
		}
		if a.info == nil && a.err == nil {
			a.err = fmt.Errorf("the answer has no state of task %s", o.Obj.Value)
		}
		all[o.Obj] = a
	}
	return all, nil
}
