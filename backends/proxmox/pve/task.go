package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/interrupt"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
)

// Outcome is how a task ended.
type Outcome struct {
	UPID     string
	Node     string
	Kind     string   // qmcreate, imgcopy
	ID       string   // what it was about: a VMID, a file name, or ""
	Exit     string   // "OK", "WARNINGS: 1", or what went wrong; "" where that is not known
	Warnings []string // lines of its log, where it ended with warnings
}

// OK reports whether the task did its work, perhaps with warnings.
func (o Outcome) OK() bool { return o.Exit == "OK" || strings.HasPrefix(o.Exit, "WARNINGS") }

// taskStatus is what Proxmox VE says of a task.
type taskStatus struct {
	Status     Text
	ExitStatus Text
	Type       Text
	ID         Text
}

// Intervals between looks at a task: most that a provider starts end within a second.
const (
	firstLook   = 20 * time.Millisecond
	longestLook = time.Second
)

// Await waits for the end of a task. One that ended with warnings is a success; one that failed is an error of its exit status, with what
// its log says beyond. The outcome is returned also next to an error, as far as it is known.
//
// When ctx ends, the task is stopped and awaited for a few seconds more; the error is Canceled or Timeout, and the outcome says whether the
// task had done its work by then. A node that does not answer meanwhile does not end the wait.
func (c *Client) Await(ctx context.Context, upid string) (Outcome, error) {
	return c.await(ctx, upid, "", "")
}

// Run starts a task by start, which returns its UPID, and awaits it, reporting its progress as op and object. A request that was
// sent is not given up when ctx ends, so that no task runs unknown: start gets a context that outlives ctx by a
// little. Where start returns no UPID there was no task: the outcome is OK.
func (c *Client) Run(ctx context.Context, op, object string, start func(context.Context) (upid string, err error)) (Outcome, error) {
	if ctx.Err() != nil {
		return Outcome{}, fault.Wrap(ctx.Err(), op, object)
	}
	sending, release := interrupt.Outlive(ctx, farewell)
	upid, err := start(sending)
	release()
	if err != nil {
		if code := backends.CodeOf(err); ctx.Err() != nil && (code == backends.Canceled || code == backends.Timeout) {
			err = interrupt.Error(ctx, "Proxmox VE did not say in time whether it began; it may have")
		}
		return Outcome{}, fault.Wrap(err, op, object)
	}
	if upid == "" {
		return Outcome{Exit: "OK"}, nil
	}
	o, err := c.await(ctx, upid, op, object)
	return o, fault.Wrap(err, op, object)
}

// Task is Run with a request that starts the task, by POST, PUT or DELETE. It may also be one that Proxmox VE
// carries out at once.
func (c *Client) Task(ctx context.Context, op, object, method, path string, form map[string]any) (Outcome, error) {
	return c.Run(ctx, op, object, func(ctx context.Context) (string, error) {
		var upid Text
		if method == http.MethodDelete {
			err := c.Delete(ctx, path, form, &upid)
			return string(upid), err
		}
		err := c.send(ctx, method, path, form, &upid)
		return string(upid), err
	})
}

func (c *Client) await(ctx context.Context, upid, op, object string) (Outcome, error) {
	o := Outcome{UPID: upid}
	parts := strings.Split(upid, ":")
	if len(parts) < 8 || parts[0] != "UPID" {
		return o, backends.Errorf(backends.Internal, "", "", "Proxmox VE's answer %q is not the id of a task", shorten(upid))
	}
	o.Node, o.Kind, o.ID = parts[1], parts[5], parts[6]
	w := &watch{c: c, o: &o, op: op, object: object}
	w.report(ctx, 0)
	var away error // why the node does not answer
	for pause := firstLook; ; pause = min(pause*3/2, longestLook) {
		ended, err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			return o, w.abort(ctx, away)
		case ended:
			return o, w.outcome(ctx)
		case err == nil:
			away = nil
			w.progress(ctx)
		case backends.CodeOf(err) == backends.Transient || backends.CodeOf(err) == backends.Timeout:
			away, pause = err, max(pause, firstLook*10)
		case backends.CodeOf(err) == backends.NotFound:
			return o, backends.Errorf(backends.Transient, "", "", "Proxmox VE no longer knows the task %s: %w", upid, err)
		default:
			return o, unseen(upid, err)
		}
		if !sleep(ctx, jitter(pause)) {
			return o, w.abort(ctx, away)
		}
	}
}

// unseen says that a task goes on without being looked at.
func unseen(upid string, err error) error {
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Err = fmt.Errorf("how the task %s ends cannot be seen: %w", upid, e.Err)
	return &c
}

// watch is a wait for one task.
type watch struct {
	c          *Client
	o          *Outcome
	op, object string
	lines      int       // of the log that were read
	read       time.Time // when
	percent    int
}

func (w *watch) path(last ...any) string {
	return Path(append([]any{"nodes", w.o.Node, "tasks", w.o.UPID}, last...)...)
}

// look asks for the state of the task.
func (w *watch) look(ctx context.Context) (ended bool, err error) {
	var s taskStatus
	if err := w.c.Get(ctx, w.path("status"), nil, &s); err != nil {
		return false, err
	}
	if s.Status != "stopped" {
		return false, nil
	}
	w.o.Exit = strings.TrimSpace(string(s.ExitStatus))
	return true, nil
}

// outcome returns how the task ended, as an error.
func (w *watch) outcome(ctx context.Context) error {
	switch {
	case w.o.Exit == "OK":
		w.report(ctx, 100)
		return nil
	case strings.HasPrefix(w.o.Exit, "WARNINGS"):
		w.report(ctx, 100)
		w.o.Warnings = warnings(w.log(ctx))
		w.warn(ctx)
		return nil
	}
	f := &fault.Failure{UPID: w.o.UPID, Node: w.o.Node, Kind: w.o.Kind, ID: w.o.ID, Exit: w.o.Exit, Who: w.c.creds.who}
	if f.Exit == "" {
		f.Exit = "unexpected status"
	}
	f.Exit, f.Log = w.c.creds.hider(nil)(f.Exit), w.log(ctx)
	return fault.Wrap(f, "", "")
}

// abort stops the task because ctx ended, and waits a little for its end.
func (w *watch) abort(ctx context.Context, away error) error {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	refusal := w.c.do(grace, &call{method: http.MethodDelete, path: w.path(), harmless: true}, nil)
	for pause := firstLook; ; pause = min(pause*2, longestLook/4) {
		ended, err := w.look(grace)
		switch {
		case ended && w.o.OK():
			return interrupt.Error(ctx, "the task had done its work before it could be stopped")
		case ended && backends.CodeOf(fault.Wrap(&fault.Failure{Exit: w.o.Exit}, "", "")) == backends.Canceled, ended && w.o.Exit == "unexpected status":
			return interrupt.Error(ctx, "the task was stopped")
		case ended:
			return interrupt.Error(ctx, "the task was stopped: "+w.c.creds.hider(nil)(w.o.Exit))
		case err != nil && backends.CodeOf(err) == backends.NotFound:
			return interrupt.Error(ctx, "how the task ended is not known")
		}
		if refusal != nil || !sleep(grace, pause) {
			break
		}
	}
	if away == nil && backends.CodeOf(refusal) == backends.Transient {
		away = refusal
	}
	switch {
	case away != nil:
		return interrupt.Error(ctx, fmt.Sprintf("node %s, on which the task %s ran, does not answer: %v", w.o.Node, w.o.UPID, away))
	case refusal != nil:
		return interrupt.Error(ctx, fmt.Sprintf("Proxmox VE still works on the task %s, which could not be stopped: %v", w.o.UPID, refusal))
	}
	return interrupt.Error(ctx, fmt.Sprintf("Proxmox VE still works on the task %s, which it was asked to stop", w.o.UPID))
}

// logLine is a line of a task's log.
type logLine struct {
	N Int
	T Text
}

// log returns the whole of the task's log, as far as it can be read, without secrets.
func (w *watch) log(ctx context.Context) []string {
	var lines []logLine
	if err := w.c.Get(ctx, w.path("log"), url.Values{"limit": {"0"}}, &lines); err != nil {
		return nil
	}
	all, hide := make([]string, 0, len(lines)), w.c.creds.hider(nil)
	for _, l := range lines {
		all = append(all, hide(string(l.T)))
	}
	return all
}

// warnings picks out the lines that warn.
func warnings(log []string) []string {
	var all []string
	for _, l := range log {
		if strings.HasPrefix(l, "TASK ") {
			continue
		}
		if lower := strings.ToLower(l); strings.HasPrefix(lower, "warn") || strings.Contains(lower, "warning:") {
			all = append(all, l)
		}
	}
	return all
}

// warn hands on what the task warned of, where it says more than that it did.
func (w *watch) warn(ctx context.Context) {
	if len(w.o.Warnings) == 0 {
		return
	}
	summary := "Proxmox VE warns"
	if w.object != "" {
		summary += " of " + w.object
	}
	said := w.c.creds.hider(nil)(strings.Join(w.o.Warnings, "\n"))
	backends.Warn(ctx, backends.Warning{Summary: summary, Detail: said + "\n\nThis is from the task " + w.o.UPID + ", which did its work."})
}

func (w *watch) report(ctx context.Context, percent int) {
	backends.Report(ctx, backends.Progress{Op: w.op, Object: w.object, Task: w.o.UPID, Percent: percent, Total: -1})
}
