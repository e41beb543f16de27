package mock

import (
	"context"
	"errors"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// blame names the object of a call in an error that came from elsewhere, such as
// the reader of an image.
func (c call) blame(err error) error {
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Op, named.Object = c.op, c.object
	return &named
}

// read starts every call that only looks: it takes its time and its faults.
func (b *Backend) read(ctx context.Context, method, op, object string, names ...string) error {
	if err := sleep(ctx, b.clock, b.delay()); err != nil {
		return backends.Wrap(err, op, object)
	}
	return b.faults.check([]string{method}, names, op, object)
}

func (b *Backend) delay() time.Duration {
	return b.options.Latency + time.Duration(b.faults.jitter(int64(b.options.Jitter)))
}

// call is one write.
type call struct {
	method string // of Backend; what faults name
	detail string // finer name of it, or ""
	op     string // for errors and tasks
	object string
	key    string   // what to lock
	names  []string // what faults can name the object by
	vm     backends.ID
}

// write carries a call out: alone on its object, as a task, with the time and
// the faults that the options ask for. commit changes the world, at once and at
// the end, or fails and changes nothing.
func (b *Backend) write(ctx context.Context, c call, commit func(*world) error) error {
	return b.run(ctx, c, func(t *task) error {
		if err := b.spend(ctx, c, t); err != nil {
			return err
		}
		return b.commit(ctx, t, commit)
	})
}

// run frames a call: its lock, its task and its errors.
func (b *Backend) run(ctx context.Context, c call, work func(*task) error) error {
	t := b.tasks.begin(c, b.clock.Now())
	err := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		release, err := b.locks.acquire(ctx, c.key, c.op, c.object)
		if err != nil {
			return err
		}
		defer release()
		operations := []string{c.method}
		if c.detail != "" {
			operations = append(operations, c.method+"."+c.detail)
		}
		if err := b.faults.check(operations, c.names, c.op, c.object); err != nil {
			return err
		}
		return work(t)
	}()
	err = backends.Wrap(err, c.op, c.object)
	if !t.kept || err != nil {
		b.tasks.end(t, err, b.clock.Now())
		b.keep(ctx, t.Task)
	}
	return err
}

// keep puts a task that failed into the history, which is a convenience: that it
// cannot be written fails nothing.
func (b *Backend) keep(ctx context.Context, t backends.Task) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = b.store.update(ctx, func(w *world) error {
		w.record(t)
		return nil
	})
}

// spend lets a call's time pass and reports how far it is.
func (b *Backend) spend(ctx context.Context, c call, t *task) error {
	const steps = 4
	total := b.delay()
	for i := range steps {
		b.tasks.progress(ctx, t, c, 100*i/steps)
		if err := sleep(ctx, b.clock, total/steps); err != nil {
			return err
		}
		if total == 0 {
			break
		}
	}
	b.tasks.progress(ctx, t, c, 100)
	return nil
}

// commit changes the world, puts the task into the history and wakes who waits
// for a change.
func (b *Backend) commit(ctx context.Context, t *task, change func(*world) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := b.store.update(ctx, func(w *world) error {
		if err := change(w); err != nil {
			return err
		}
		w.sweep()
		b.tasks.end(t, nil, b.clock.Now())
		w.record(t.Task)
		t.kept = true
		return nil
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// nextChange returns a channel that is closed after the next write.
func (b *Backend) nextChange() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// onVM makes the call of a method on one VM, or the NotFound error.
func (b *Backend) onVM(id backends.ID, method, detail, op string) (call, error) {
	c := call{
		method: method, detail: detail, op: op, object: backends.VMObject(string(id)),
		key: "vm/" + string(id), vm: id, names: []string{string(id)},
	}
	err := b.store.view(func(w *world) error {
		m := w.Machines[id]
		if m == nil {
			return noVM(id)
		}
		c.object, c.names = m.object(), []string{m.Spec.Name, string(id)}
		return nil
	})
	return c, backends.Wrap(err, op, c.object)
}

func noVM(id backends.ID) error {
	return backends.Errorf(backends.NotFound, "", "", "there is no VM with the id %q", id)
}

// edit returns a copy of a VM that a commit may change and put back.
func (w *world) edit(id backends.ID) (*machine, error) {
	m := w.Machines[id]
	if m == nil {
		return nil, noVM(id)
	}
	return clone(m), nil
}

func (w *world) put(m *machine) { w.Machines[m.ID] = m }
