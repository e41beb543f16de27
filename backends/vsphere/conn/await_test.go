package conn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/simulator"
	vim "github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

var pbmStorage = types.PbmProfileResourceType{ResourceType: string(types.PbmProfileResourceTypeEnumSTORAGE)}

// folder makes a folder, which is a write without a task.
func (c *Conn) folder(t *testing.T, name string) (*object.Folder, error) {
	t.Helper()
	return object.NewRootFolder(c.VIM()).CreateFolder(t.Context(), name)
}

// job is a task of the simulator that ends when the test says so.
type job struct {
	*simulator.Task
	server *vcsim.Server
}

// begin puts a task into the simulator, as a method would that starts it.
func begin(s *vcsim.Server, c *Conn) *job {
	t := simulator.CreateTask(c.VIM().ServiceContent.RootFolder, "test", nil)
	j := &job{t, s}
	t.Info.State = vim.TaskInfoStateRunning
	t.Info.Cancelable = true
	t.Self = s.Registry().Put(t).Reference()
	t.Info.Key, t.Info.Task = t.Self.Value, t.Self
	return j
}

func (j *job) set(changes ...vim.PropertyChange) {
	j.server.Registry().AtomicUpdate(j.server.Context(), j.Task, changes)
}

func (j *job) succeed() {
	j.set(vim.PropertyChange{Name: "info.result", Val: "done"}, vim.PropertyChange{Name: "info.state", Val: vim.TaskInfoStateSuccess})
}

func (j *job) start(c *Conn) func(context.Context) (*object.Task, error) {
	return func(context.Context) (*object.Task, error) { return object.NewTask(c.VIM(), j.Self), nil }
}

func TestParallelWaitsDoNotDisturbEachOther(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{Delay: 20 * time.Millisecond})
	c := connected(t, to(s))
	s.ResetCalls()
	begun := time.Now()
	var wg sync.WaitGroup
	const n = 50
	for i := range n {
		j := begin(s, c)
		time.AfterFunc(time.Duration(i)*10*time.Millisecond, j.succeed)
		wg.Go(func() {
			info, err := c.Await(t.Context(), "test", fmt.Sprint(i), j.start(c))
			if err != nil || info.Result != "done" || info.Key != j.Self.Value {
				t.Errorf("%d: %+v %v", i, info, err)
			}
		})
	}
	wg.Wait()
	calls := s.Calls()
	t.Logf("%d tasks, the longest of 500 ms: %v, calls %v", n, time.Since(begun), calls)
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("took %v", d)
	}
	if calls["RetrievePropertiesEx"] > n || calls["CreateFilter"]+calls["WaitForUpdatesEx"] > 0 {
		t.Errorf("calls: %v", calls)
	}
}

func TestShortTaskCostsOneLook(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	s.ResetCalls()
	const n = 10
	for i := range n {
		j := begin(s, c)
		j.succeed()
		if _, err := c.Await(t.Context(), "test", fmt.Sprint(i), j.start(c)); err != nil {
			t.Fatal(err)
		}
	}
	if s.TotalCalls() != n {
		t.Errorf("%v", s.Calls())
	}
}

func TestRealTasks(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	vm := object.NewVirtualMachine(c.VIM(), ordinary(t, s))
	s.ResetCalls()
	begun := time.Now()
	for range 5 {
		for _, start := range []func(context.Context) (*object.Task, error){vm.PowerOff, vm.PowerOn} {
			_, err := c.Await(t.Context(), "switch", `VM "web"`, start)
			if err != nil && backends.CodeOf(err) != backends.Precondition {
				t.Fatal(err)
			}
		}
	}
	t.Logf("10 tasks: %d calls, %v", s.TotalCalls(), time.Since(begun))
}

// ordinary returns a VM of the estate.
func ordinary(t *testing.T, s *vcsim.Server) vim.ManagedObjectReference {
	t.Helper()
	for _, vm := range s.Registry().All("VirtualMachine") {
		if v, ok := vm.(*simulator.VirtualMachine); ok && !v.Config.Template {
			return v.Self
		}
	}
	t.Fatal("the estate has no VM")
	return vim.ManagedObjectReference{}
}

func TestProgressIsReported(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	j := begin(s, c)
	var seen []int
	ctx := backends.WithProgress(t.Context(), func(p backends.Progress) {
		if p.Op != "copy" || p.Object != "X" || p.Task != j.Self.Value {
			t.Errorf("%+v", p)
		}
		seen = append(seen, p.Percent)
		switch len(seen) {
		case 1:
			j.set(vim.PropertyChange{Name: "info.progress", Val: int32(42)})
		case 2:
			j.succeed()
		}
	})
	if _, err := c.Await(ctx, "copy", "X", j.start(c)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(seen); !strings.HasPrefix(got, "[0 42") || !strings.HasSuffix(got, "100]") {
		t.Error(got)
	}
}

func TestTaskEndsWithItsFirstCause(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	vm := object.NewVirtualMachine(c.VIM(), ordinary(t, s))
	s.FailTask("PowerOnVM_Task", "", &vim.GenericVmConfigFault{
		VmConfigFault: vim.VmConfigFault{VimFault: vim.VimFault{MethodFault: vim.MethodFault{FaultCause: &vim.LocalizedMethodFault{
			Fault: &vim.NoDiskSpace{FileFault: vim.FileFault{File: "a"}, Datastore: "small"}, LocalizedMessage: "no room",
		}}}}, Reason: "failed",
	}, 1)
	_, err := c.Await(t.Context(), "start", `VM "web"`, vm.PowerOn)
	if backends.CodeOf(err) != backends.Exhausted || !strings.Contains(err.Error(), `no space is left on datastore "small"`) {
		t.Error(err)
	}
}

func TestInterruptedTaskIsCancelled(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	for name, test := range map[string]struct {
		end  func(*job)
		code backends.Code
		text string
	}{
		"cancelled": {func(j *job) {
			j.set(vim.PropertyChange{Name: "info.error", Val: vim.LocalizedMethodFault{Fault: &vim.RequestCanceled{}}},
				vim.PropertyChange{Name: "info.state", Val: vim.TaskInfoStateError})
		}, backends.Canceled, "the task was cancelled"},
		"too late": {func(j *job) { j.succeed() }, backends.Timeout, "had done its work"},
	} {
		j := begin(s, c)
		ctx, cancel := context.WithCancel(t.Context())
		if test.code == backends.Timeout {
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		} else {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		time.AfterFunc(200*time.Millisecond, func() { test.end(j) })
		info, err := c.Await(ctx, "clone", "X", j.start(c))
		cancel()
		if backends.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.text) || info == nil || !errors.Is(err, ctx.Err()) {
			t.Errorf("%s: %+v %v", name, info, err)
		}
	}
	if n := s.Calls()["CancelTask"]; n != 2 {
		t.Errorf("%d tasks were cancelled", n)
	}
}

func TestInterruptionIsBounded(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	j := begin(s, c)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := c.Await(ctx, "clone", "X", j.start(c))
	if backends.CodeOf(err) != backends.Timeout || !strings.Contains(err.Error(), j.Self.Value) || time.Since(begun) > farewell+time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	begun = time.Now()
	if err := c.Close(); err != nil || time.Since(begun) > time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

func TestARequestThatWasSentIsNotGivenUp(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	j := begin(s, c)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Await(ctx, "create", "X", func(sending context.Context) (*object.Task, error) {
		cancel()
		time.Sleep(20 * time.Millisecond) // the answer comes after the interruption
		if sending.Err() != nil {
			t.Error("the request was given up")
		}
		j.succeed()
		return j.start(c)(sending)
	})
	if backends.CodeOf(err) != "" && backends.CodeOf(err) != backends.Canceled {
		t.Error(err)
	}
	if _, err := c.Await(ctx, "create", "X", func(context.Context) (*object.Task, error) {
		t.Error("started after the interruption")
		return nil, errors.New("no")
	}); backends.CodeOf(err) != backends.Canceled {
		t.Error(err)
	}
}

func TestWaitsSurviveWhatHappensToTheConnection(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	jobs := []*job{begin(s, c), begin(s, c), begin(s, c)}
	done := make(chan error, len(jobs))
	for _, j := range jobs {
		go func() {
			_, err := c.Await(t.Context(), "copy", "X", j.start(c))
			done <- err
		}()
	}
	time.Sleep(30 * time.Millisecond)
	s.ExpireSessions()
	s.Drop("RetrievePropertiesEx", "", 10)
	time.Sleep(100 * time.Millisecond)
	s.Stop()
	time.Sleep(200 * time.Millisecond)
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	jobs[0].succeed()
	jobs[1].succeed()
	s.Registry().Remove(s.Context(), jobs[2].Self) // the restart forgot it
	for range jobs {
		if err := <-done; err != nil && (backends.CodeOf(err) != backends.Transient || !strings.Contains(err.Error(), jobs[2].Self.Value)) {
			t.Error(err)
		} else if err != nil {
			t.Log(err)
		}
	}
	if s.Logins() > 3 {
		t.Errorf("%d logins", s.Logins())
	}
}

func TestCloseEndsWaits(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	j := begin(s, c)
	done := make(chan error, 1)
	go func() {
		_, err := c.Await(t.Context(), "copy", "X", j.start(c))
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; backends.CodeOf(err) != backends.Canceled {
		t.Error(err)
	}
	balanced(t, s)
}
