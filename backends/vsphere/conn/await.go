package conn

import (
	"context"
	"errors"
	"fmt"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/interrupt"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// Await starts a task and waits for its end, reporting its progress. Its result is returned also
// next to an error, as far as there is one: a creation that was cancelled too late has made its object.
//
// A request that was sent is not given up, so that no task runs unknown: start gets a context that outlives ctx by
// a little. When ctx ends while the task runs, the task is cancelled, awaited for a few seconds more,
// and the error is Canceled or Timeout.
//
// A connection or session that is lost meanwhile does not end the wait. A task that vSphere
// no longer knows, as after a restart of vCenter, is Transient.
func (c *Conn) Await(ctx context.Context, op, object string, start func(context.Context) (*object.Task, error)) (*types.TaskInfo, error) {
	if ctx.Err() != nil {
		return nil, fault.Wrap(ctx.Err(), op, object)
	}
	sending, release := interrupt.Outlive(ctx, farewell)
	task, err := start(sending)
	release()
	if err != nil {
		if ctx.Err() != nil {
			if code := fault.Code(err); code == backends.Canceled || code == backends.Timeout {
				err = interrupt.Error(ctx, "vSphere did not say in time whether it began; it may have")
			}
		}
		return nil, fault.Wrap(err, op, object)
	}
	w := c.tasks.watch(task.Reference())
	report := func(percent int) {
		backends.Report(ctx, backends.Progress{Op: op, Object: object, Task: task.Reference().Value, Percent: percent, Total: -1})
	}
	report(0)
	for {
		select {
		case info := <-w.updates:
			report(int(info.Progress))
		case a := <-w.done:
			if a.err == nil && a.info.State == types.TaskInfoStateSuccess {
				report(100)
			}
			return a.info, fault.Wrap(c.outcome(ctx, a), op, object)
		case <-ctx.Done():
			info, err := c.abort(ctx, task, w)
			return info, fault.Wrap(err, op, object)
		}
	}
}

// outcome returns how a task ended, as an error.
func (c *Conn) outcome(ctx context.Context, a answer) error {
	if a.err != nil {
		return a.err
	}
	if a.info.State == types.TaskInfoStateError && a.info.Error == nil {
		return fmt.Errorf("the task %s failed, and vSphere does not say why", a.info.Key)
	}
	return c.explain(ctx, fault.OfTask(a.info))
}

// abort cancels a task because ctx ended, and waits a little for its end.
func (c *Conn) abort(ctx context.Context, task *object.Task, w *watch) (*types.TaskInfo, error) {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	refusal := task.Cancel(grace)
	c.tasks.hurry(w)
	for {
		select {
		case <-w.updates:
		case a := <-w.done:
			text := "the task was cancelled"
			switch {
			case a.err != nil:
				text = "how the task ended is not known: " + a.err.Error()
			case a.info.State == types.TaskInfoStateSuccess:
				text = "the task had done its work before it could be cancelled"
			case !a.info.Cancelled && fault.Code(fault.OfTask(a.info)) != backends.Canceled:
				text = "the task failed: " + errors.Unwrap(fault.Wrap(fault.OfTask(a.info), "", "")).Error()
			}
			return a.info, interrupt.Error(ctx, text)
		case <-grace.Done():
			c.tasks.forget(w)
			text := fmt.Sprintf("vSphere still works on task %s, which it was asked to cancel", task.Reference().Value)
			if refusal != nil {
				text = fmt.Sprintf("vSphere still works on task %s, which cannot be cancelled", task.Reference().Value)
			}
			return nil, interrupt.Error(ctx, text)
		}
	}
}
