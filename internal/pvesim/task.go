package pvesim

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// worker is the work of one task, as Proxmox VE's workers are processes of their own.
type worker struct {
	*cluster
	ctx  context.Context // ends when the task is stopped
	task *task

	lasts time.Duration // how long the work takes, see Options.TaskTime
}

// takeTime is the work's duration, once. It is called without mu.
func (w *worker) takeTime() error {
	lasts := w.lasts
	w.lasts = 0
	return w.pause(lasts)
}

// task is one task: what its UPID says, its log and how it ended.
type task struct {
	upid, node, kind, id, user, token string
	pid                               int
	pstart                            int
	started, ended                    time.Time
	exit                              string // "" while it runs
	log                               []string
	warned                            int // how many warnings it wrote
	stop                              context.CancelFunc
	after                             func()        // runs when the task is over; nil for nothing
	done                              chan struct{} // closed when it ended
}

// taskList holds the tasks of a cluster, oldest first.
type taskList struct {
	all    []*task
	byUPID map[string]*task
	serial int
}

func newTaskList() *taskList { return &taskList{byUPID: map[string]*task{}} }

// warnings is how a task ends that succeeded with so many of them.
type warnings int

func (w warnings) Error() string { return fmt.Sprintf("WARNINGS: %d", int(w)) }

// fork starts a task at a node and returns its UPID. It is called with mu held; work is called without.
// What work returns is how the task ends: nil is OK, warnings are a success, any other error is its text.
func (r *request) fork(nodeName, kind, id string, work func(w *worker) error) string {
	return r.forkAs(r.user, nodeName, kind, id, work)
}

func (c *cluster) forkAs(user *login, nodeName, kind, id string, work func(w *worker) error) string {
	return c.forkNow(user, nodeName, kind, id, func(w *worker) error {
		if err := w.takeTime(); err != nil {
			return err
		}
		return work(w)
	})
}

// forkNow is forkAs for work that begins at once and takes its time where that can be seen: in takeTime.
func (c *cluster) forkNow(user *login, nodeName, kind, id string, work func(w *worker) error) string {
	c.tasks.serial++
	t := &task{
		node: nodeName, kind: kind, id: id, user: user.name, token: user.token,
		pid: 0x1500 + c.tasks.serial, started: time.Now(), done: make(chan struct{}),
	}
	if n := c.node(nodeName); n != nil {
		t.pstart = int(time.Since(n.booted)/(10*time.Millisecond)) + 1
	}
	t.upid = fmt.Sprintf("UPID:%s:%08X:%08X:%08X:%s:%s:%s:", nodeName, t.pid, t.pstart, t.started.Unix(), kind, id, user.authid())
	ctx, cancel := context.WithCancel(c.ctx)
	t.stop = cancel
	c.tasks.all = append(c.tasks.all, t)
	c.tasks.byUPID[t.upid] = t
	w := &worker{cluster: c, ctx: ctx, task: t, lasts: c.opts.TaskTime}
	c.note(nodeName, user.authid(), 6, "starting task "+t.upid)
	c.work.Go(func() {
		defer cancel()
		w.end(w.run(work))
		if t.after != nil {
			t.after()
		}
	})
	return t.upid
}

// run does the work, and survives what is wrong with it so that a test can say so.
func (w *worker) run(work func(w *worker) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.panicked(fmt.Sprintf("%s: %v\n%s", w.task.upid, p, debug.Stack()))
			err = die("panic: %v", p)
		}
	}()
	return work(w)
}

// end writes down how a task ended.
func (w *worker) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var some warnings
	if err == nil && w.task.warned > 0 {
		err = warnings(w.task.warned)
	}
	switch {
	case err == nil:
		w.task.exit = "OK"
		w.task.log = append(w.task.log, "TASK OK")
	case errors.As(err, &some):
		w.task.exit = some.Error()
		w.task.log = append(w.task.log, "TASK "+some.Error())
	case errors.Is(err, context.Canceled):
		w.task.exit = "received interrupt"
	default:
		w.task.exit = strings.ReplaceAll(text(err), "\n", " ")
	}
	priority := 6
	if statusKind(w.task.exit) == "error" {
		w.task.log = append(w.task.log, "TASK ERROR: "+w.task.exit)
		priority = 3
	}
	w.note(w.task.node, w.task.authid(), priority, "end task "+w.task.upid+" "+w.task.exit)
	w.task.ended = time.Now()
	close(w.task.done)
}

// locked runs f with mu held.
func (w *worker) locked(f func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return f()
}

// logf adds a line to the task's log. It takes mu.
func (w *worker) logf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say(format, args...)
}

// say is logf for who holds mu.
func (w *worker) say(format string, args ...any) {
	w.task.log = append(w.task.log, fmt.Sprintf(format, args...))
}

// warn writes a warning into the task's log, which ends with how many there were unless it fails. It is for who holds mu.
func (w *worker) warn(format string, args ...any) {
	w.say("WARN: "+format, args...)
	w.task.warned++
}

// pause waits, without mu, or returns an error where the task is stopped.
func (w *worker) pause(d time.Duration) error {
	if err := w.ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}
