package vcsim

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// jobs are the tasks of a server that run, and what they hold.
type jobs struct {
	work    sync.RWMutex // held while a task does its work; shared by those who walk through the inventory
	mu      sync.Mutex
	running map[types.ManagedObjectReference]*job                         // by task
	holders map[types.ManagedObjectReference]types.ManagedObjectReference // task by what it holds
	hidden  map[types.ManagedObjectReference]int                          // entities whose tasks are not to be seen
	closed  chan struct{}
	wg      sync.WaitGroup
	number  atomic.Int64
}

func newJobs() *jobs {
	return &jobs{
		running: map[types.ManagedObjectReference]*job{},
		holders: map[types.ManagedObjectReference]types.ManagedObjectReference{},
		hidden:  map[types.ManagedObjectReference]int{},
		closed:  make(chan struct{}),
	}
}

// close stops the tasks and background work, and waits for them.
func (j *jobs) close() {
	close(j.closed)
	j.wg.Wait()
}

// hideSteps keeps the simulator's tasks that are steps of ours out of the lists.
func (j *jobs) hideSteps(reg *simulator.Registry) {
	for _, obj := range reg.AllReference("TaskManager") {
		if m, ok := obj.(*simulator.TaskManager); ok {
			reg.AddHandler(&recorder{TaskManager: m, jobs: j})
		}
	}
}

// recorder keeps steps out of the lists of tasks.
type recorder struct {
	*simulator.TaskManager

	jobs *jobs
}

// PutObject tells the task manager of a new task.
func (r *recorder) PutObject(ctx *simulator.Context, obj mo.Reference) {
	if t, ok := obj.(*simulator.Task); ok {
		r.jobs.mu.Lock()
		hidden := r.jobs.hidden[*t.Info.Entity] > 0
		r.jobs.mu.Unlock()
		if hidden {
			return
		}
	}
	r.TaskManager.PutObject(ctx, obj)
}

// job is the work of one task.
type job struct {
	*simulator.Context // holds the locks of the work

	server *Server
	task   *simulator.Task
	cancel chan struct{} // closed to cancel; nil where the task cannot be
	once   sync.Once
}

// A taskKind says what a task may do.
type taskKind int

const (
	shared     taskKind = iota // others may work on the entity meanwhile
	exclusive                  // nobody else may
	cancelable                 // exclusive, and may be canceled until its work begins
	transfer                   // shared, and may be canceled
)

// start starts the task of a method on an entity, whose lock need not be held. The task takes the server's TaskTime first, during which progress is
// reported and it can be canceled without a trace; then run does the work with
// the entity's lock held.
func (s *Server) start(ctx *simulator.Context, entity types.ManagedObjectReference, method string, kind taskKind, run func(*job) (types.AnyType, types.BaseMethodFault)) soap.HasFault {
	answer := taskAnswers[method]
	if answer == nil {
		return refusal(&types.MethodNotFound{Receiver: entity, Method: method})
	}
	ref, fault := s.begin(ctx, entity, method, kind, run)
	if fault != nil {
		return refusal(fault)
	}
	return answer(ref)
}

// begin is start for a caller that answers by itself.
func (s *Server) begin(ctx *simulator.Context, entity types.ManagedObjectReference, method string, kind taskKind, run func(*job) (types.AnyType, types.BaseMethodFault)) (types.ManagedObjectReference, types.BaseMethodFault) {
	t := simulator.CreateTask(entity, describe(method), nil)
	t.Self = types.ManagedObjectReference{Type: "Task", Value: fmt.Sprintf("task-%d", 100000+s.jobs.number.Add(1))}
	t.Info.Key, t.Info.Task = t.Self.Value, t.Self
	t.Info.Name = method
	t.Info.State = types.TaskInfoStateRunning
	t.Info.StartTime = types.NewTime(time.Now())
	t.Info.Cancelable = kind == cancelable || kind == transfer
	if name := s.roster.name(entity); name != "" {
		t.Info.EntityName = name
	}
	if ctx.Session != nil {
		t.Info.Reason = &types.TaskReasonUser{UserName: ctx.Session.UserName}
	}

	j := &job{Context: detached(ctx), server: s, task: t}
	if t.Info.Cancelable {
		j.cancel = make(chan struct{})
	}
	s.jobs.mu.Lock()
	if other, held := s.jobs.holders[entity]; held && (kind == exclusive || kind == cancelable) {
		s.jobs.mu.Unlock()
		return t.Self, &types.TaskInProgress{Task: other}
	}
	if kind == exclusive || kind == cancelable {
		s.jobs.holders[entity] = t.Self
	}
	s.jobs.running[t.Self] = j
	s.jobs.wg.Add(1)
	s.jobs.mu.Unlock()

	ctx.Map.Put(t)
	go j.work(run)
	return t.Self, nil
}

// detached returns a context for work that outlives the call.
func detached(ctx *simulator.Context) *simulator.Context {
	c := *ctx
	if c.Context == nil {
		c.Context = context.Background()
	}
	c.Context = context.WithoutCancel(c.Context)
	return &c
}

func (j *job) work(run func(*job) (types.AnyType, types.BaseMethodFault)) {
	defer j.server.jobs.wg.Done()
	res, fault := j.pass(run)

	jobs, entity := j.server.jobs, *j.task.Info.Entity
	jobs.mu.Lock()
	delete(jobs.running, j.task.Self)
	if jobs.holders[entity] == j.task.Self {
		delete(jobs.holders, entity)
	}
	jobs.mu.Unlock()

	changes := []types.PropertyChange{{Name: "info.completeTime", Val: time.Now()}}
	if fault != nil {
		changes = append(changes, types.PropertyChange{Name: "info.error", Val: types.LocalizedMethodFault{Fault: fault, LocalizedMessage: message(fault)}},
			types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateError})
		if _, ok := fault.(*types.RequestCanceled); ok {
			changes = append(changes, types.PropertyChange{Name: "info.cancelled", Val: true})
		}
	} else {
		changes = append(changes, types.PropertyChange{Name: "info.progress", Val: int32(100)},
			types.PropertyChange{Name: "info.result", Val: res},
			types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateSuccess})
	}
	j.Map.AtomicUpdate(j.Context, j.task, changes)
}

// pass lets the time of the task pass and does the work.
func (j *job) pass(run func(*job) (types.AnyType, types.BaseMethodFault)) (res types.AnyType, fault types.BaseMethodFault) {
	if d := j.server.taskTime(); d > 0 {
		const steps = 10
		tick := time.NewTicker(max(d/steps, time.Microsecond))
		defer tick.Stop()
		for n := range steps {
			select {
			case <-tick.C:
			case <-j.cancel:
				return nil, &types.RequestCanceled{}
			case <-j.server.jobs.closed:
				return nil, &types.RequestCanceled{}
			}
			j.progress(int32(n * 100 / steps))
		}
	}
	if j.canceled() {
		return nil, &types.RequestCanceled{}
	}
	// The simulator reads datastores without their locks, so that work on them is done one piece after the other.
	j.server.jobs.work.Lock()
	defer j.server.jobs.work.Unlock()
	j.WithLock(*j.task.Info.Entity, func() { res, fault = run(j) })
	return res, fault
}

func (j *job) canceled() bool {
	select {
	case <-j.cancel:
		return true
	case <-j.server.jobs.closed:
		return true
	default:
		return false
	}
}

// progress reports how much of the task is done, in percent.
func (j *job) progress(percent int32) {
	j.Map.AtomicUpdate(j.Context, j.task, []types.PropertyChange{{Name: "info.progress", Val: percent}})
}

// step calls a method of the simulator that starts a task, waits for it and
// takes it away: it is a part of this one. The entity's lock is held.
func (j *job) step(entity types.ManagedObjectReference, call func() soap.HasFault) (types.AnyType, types.BaseMethodFault) {
	jobs := j.server.jobs
	jobs.mu.Lock()
	jobs.hidden[entity]++
	jobs.mu.Unlock()
	body := call()
	jobs.mu.Lock()
	jobs.hidden[entity]--
	jobs.mu.Unlock()

	if f := body.Fault(); f != nil {
		if mf, ok := f.VimFault().(types.BaseMethodFault); ok {
			return nil, mf
		}
		return nil, &types.SystemError{Reason: f.String}
	}
	ref, ok := reflect.ValueOf(body).Elem().FieldByName("Res").Elem().FieldByName("Returnval").Interface().(types.ManagedObjectReference)
	if !ok {
		return nil, &types.SystemError{Reason: fmt.Sprintf("%T is not the answer of a task", body)}
	}
	t, ok := j.Map.Get(ref).(*simulator.Task)
	if !ok {
		return nil, &types.SystemError{Reason: fmt.Sprintf("the task %s is gone", ref)}
	}
	info := j.await(t)
	j.Map.Remove(j.Context, ref)
	if info.Error != nil {
		return nil, info.Error.Fault
	}
	return info.Result, nil
}

// await waits until a task of the simulator's has ended.
func (j *job) await(t *simulator.Task) types.TaskInfo {
	reader := &simulator.Context{}
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
		var info types.TaskInfo
		j.Map.WithLock(reader, t, func() { info = t.Info })
		if info.State == types.TaskInfoStateSuccess || info.State == types.TaskInfoStateError {
			return info
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-j.Done(): // never: the work is done whoever has gone
		}
	}
}

// CancelTask cancels a task that can be canceled: its work is not done, or undone.
func (t *Task) CancelTask(_ *simulator.Context, _ *types.CancelTask) soap.HasFault {
	jobs := t.server.jobs
	jobs.mu.Lock()
	j := jobs.running[t.Self]
	jobs.mu.Unlock()
	switch {
	case j == nil && !t.Info.Cancelable:
		return refusal(&types.NotSupported{})
	case j == nil:
		return refusal(&types.InvalidState{})
	case j.cancel == nil:
		return refusal(&types.NotSupported{})
	}
	j.once.Do(func() { close(j.cancel) })
	return &methods.CancelTaskBody{Res: new(types.CancelTaskResponse)}
}

// SetTaskTime sets how long tasks that start from now on take.
func (s *Server) SetTaskTime(d time.Duration) {
	s.slow.Store(int64(d))
}

func (s *Server) taskTime() time.Duration { return time.Duration(s.slow.Load()) }

// RunningTasks returns the names of the methods whose tasks run.
func (s *Server) RunningTasks() []string {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	names := make([]string, 0, len(s.jobs.running))
	for j := range maps.Values(s.jobs.running) {
		names = append(names, j.task.Info.Name)
	}
	return names
}

// background runs f until it ends; Close waits for it. The channel is closed
// when the server is.
func (s *Server) background(f func(closed <-chan struct{})) {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	select {
	case <-s.jobs.closed:
		return
	default:
	}
	s.jobs.wg.Go(func() { f(s.jobs.closed) })
}
