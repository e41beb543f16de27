package backendtest

import (
	"strings"
	"sync"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var taskCases = []Case{
	{Name: "tasks/history", Proves: []backends.Feature{backends.FeatureTaskStatus}, Run: taskHistory},
	{Name: "tasks/progress", Run: progress},
}

func taskHistory(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	tasks, err := e.Tasks(e.Ctx(t), backends.TaskFilter{VM: id})
	if err != nil {
		t.Fatalf("Tasks: %v", err)
	}
	if len(tasks) < 2 {
		t.Fatalf("%d tasks of the VM, want its creation and its start: %+v", len(tasks), tasks)
	}
	for i, task := range tasks {
		if task.ID == "" || task.VM != id || task.State != "success" || task.Percent != 100 || task.Started.IsZero() || task.Finished.Before(task.Started) {
			t.Errorf("a task that ended: %+v", task)
		}
		if i > 0 && task.Started.After(tasks[i-1].Started) {
			t.Error("the tasks are not newest first")
		}
	}
	one, err := e.Tasks(e.Ctx(t), backends.TaskFilter{ID: tasks[1].ID})
	if err != nil || len(one) != 1 || one[0] != tasks[1] {
		t.Errorf("Tasks by id: %+v (%v), want %+v", one, err, tasks[1])
	}
	last, err := e.Tasks(e.Ctx(t), backends.TaskFilter{VM: id, Limit: 1})
	if err != nil || len(last) != 1 || last[0].ID != tasks[0].ID {
		t.Errorf("the last task: %+v (%v), want %+v", last, err, tasks[0])
	}
}

// progress checks that whatever is reported names what it is about and makes
// sense as a number.
func progress(t *testing.T, e *Env) {
	var mu sync.Mutex
	var reports []backends.Progress
	ctx := backends.WithProgress(e.Ctx(t), func(p backends.Progress) {
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, p)
	})
	spec := e.Spec()
	id, err := e.CreateVM(ctx, spec)
	e.DeleteLater(t, id)
	if err != nil {
		t.Fatalf("CreateVM: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, p := range reports {
		if p.Op == "" || !strings.Contains(p.Op+p.Object, spec.Name) || p.Percent < -1 || p.Percent > 100 {
			t.Errorf("progress of the creation of %q: %+v", spec.Name, p)
		}
	}
}
