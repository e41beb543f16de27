package mock

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// tasks are the writes that run.
type tasks struct {
	prefix string

	mu      sync.Mutex
	serial  int
	running []*task
}

type task struct {
	backends.Task
	kept bool // in the history
}

func (ts *tasks) begin(c call, now time.Time) *task {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.serial++
	what := (&backends.Error{Op: c.op, Object: c.object}).Summary()
	t := &task{Task: backends.Task{
		ID: fmt.Sprintf("%s-%06d", ts.prefix, ts.serial), Op: strings.TrimPrefix(what, "Unable to "), VM: c.vm,
		State: "running", Started: stamp(now),
	}}
	ts.running = append(ts.running, t)
	return t
}

// about names the VM that a task made.
func (ts *tasks) about(t *task, vm backends.ID) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.VM = vm
}

func (ts *tasks) progress(ctx context.Context, t *task, c call, percent int) {
	ts.mu.Lock()
	t.Percent = percent
	ts.mu.Unlock()
	backends.Report(ctx, backends.Progress{Op: c.op, Object: c.object, Task: t.ID, Percent: percent, Total: -1})
}

func (ts *tasks) end(t *task, err error, now time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.Finished, t.State = stamp(now), "success"
	switch backends.CodeOf(err) {
	case "":
		t.Percent = 100
	case backends.Canceled, backends.Timeout:
		t.State, t.Error = "canceled", err.Error()
	default:
		t.State, t.Error = "error", err.Error()
	}
	ts.running = slices.DeleteFunc(ts.running, func(other *task) bool { return other == t })
}

func (ts *tasks) now() []backends.Task {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	var all []backends.Task
	for _, t := range ts.running {
		all = append(all, t.Task)
	}
	return all
}

// Tasks returns the writes of this world, newest first.
func (b *Backend) Tasks(ctx context.Context, filter backends.TaskFilter) ([]backends.Task, error) {
	const op = "list tasks"
	if err := b.catalogue.Require(backends.FeatureTaskStatus, op, ""); err != nil {
		return nil, err
	}
	if err := b.read(ctx, "Tasks", op, ""); err != nil {
		return nil, err
	}
	var all []backends.Task
	err := b.store.view(func(w *world) error {
		all = append(slices.Clone(w.Tasks), b.tasks.now()...)
		return nil
	})
	if err != nil {
		return nil, backends.Wrap(err, op, "")
	}
	slices.Reverse(all)
	all = slices.DeleteFunc(all, func(t backends.Task) bool {
		return filter.ID != "" && t.ID != filter.ID || filter.VM != "" && t.VM != filter.VM
	})
	slices.SortStableFunc(all, func(x, y backends.Task) int { return y.Started.Compare(x.Started) })
	if filter.Limit > 0 && len(all) > filter.Limit {
		all = all[:filter.Limit]
	}
	return all, nil
}
