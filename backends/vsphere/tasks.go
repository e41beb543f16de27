package vsphere

import (
	"cmp"
	"context"
	"slices"
	"strings"

	govmomifault "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// taskPage is how many tasks of the history are read where nothing limits them.
const taskPage = 100

// Tasks returns what vSphere ran of late. A stand-alone ESXi keeps no history beyond its recent tasks.
func (b *Backend) Tasks(ctx context.Context, filter backends.TaskFilter) ([]backends.Task, error) {
	infos, err := b.taskInfos(ctx, filter)
	if err != nil {
		return nil, fault.Wrap(err, "list tasks", "")
	}
	tasks := make([]backends.Task, 0, len(infos))
	seen := map[string]bool{}
	for _, info := range infos {
		t := describeTask(info)
		if seen[t.ID] || filter.VM != "" && t.VM != filter.VM {
			continue
		}
		seen[t.ID] = true
		tasks = append(tasks, t)
	}
	slices.SortStableFunc(tasks, func(x, y backends.Task) int {
		return cmp.Or(y.Started.Compare(x.Started), strings.Compare(y.ID, x.ID))
	})
	if filter.Limit > 0 && len(tasks) > filter.Limit {
		tasks = tasks[:filter.Limit]
	}
	return tasks, nil
}

func (b *Backend) taskInfos(ctx context.Context, filter backends.TaskFilter) ([]types.TaskInfo, error) {
	if filter.ID != "" {
		return b.oneTask(ctx, filter.ID)
	}
	// The creation of a VM is a task of its folder, so the history of the VM itself lacks it.
	recent, err := b.recentTasks(ctx)
	if err != nil || !b.conn.VCenter() {
		return recent, err
	}
	history, err := b.taskHistory(ctx, filter)
	return append(recent, history...), err
}

func (b *Backend) oneTask(ctx context.Context, id string) ([]types.TaskInfo, error) {
	var t mo.Task
	ref := types.ManagedObjectReference{Type: "Task", Value: id}
	err := property.DefaultCollector(b.conn.VIM()).RetrieveOne(ctx, ref, []string{"info"}, &t)
	if govmomifault.Is(err, &types.ManagedObjectNotFound{}) {
		return nil, nil
	}
	return []types.TaskInfo{t.Info}, err
}

// recentTasks reads the tasks that run or ended within minutes, in one call.
func (b *Backend) recentTasks(ctx context.Context) ([]types.TaskInfo, error) {
	manager := b.conn.VIM().ServiceContent.TaskManager
	if manager == nil {
		return nil, nil
	}
	res, err := property.DefaultCollector(b.conn.VIM()).RetrieveProperties(ctx, types.RetrieveProperties{SpecSet: []types.PropertyFilterSpec{{
		PropSet: []types.PropertySpec{{Type: "Task", PathSet: []string{"info"}}},
		ObjectSet: []types.ObjectSpec{{
			Obj: *manager, Skip: types.NewBool(true),
			SelectSet: []types.BaseSelectionSpec{&types.TraversalSpec{Type: "TaskManager", Path: "recentTask"}},
		}},
	}}})
	if err != nil {
		return nil, err
	}
	var tasks []mo.Task
	if err := mo.LoadObjectContent(res.Returnval, &tasks); err != nil {
		return nil, err
	}
	infos := make([]types.TaskInfo, 0, len(tasks))
	for _, t := range tasks {
		infos = append(infos, t.Info)
	}
	return infos, nil
}

func (b *Backend) taskHistory(ctx context.Context, filter backends.TaskFilter) (infos []types.TaskInfo, err error) {
	spec := types.TaskFilterSpec{}
	if filter.VM != "" {
		spec.Entity = &types.TaskFilterSpecByEntity{Entity: reference(filter.VM), Recursion: types.TaskFilterSpecRecursionOptionSelf}
	}
	collector, err := task.NewManager(b.conn.VIM()).CreateCollectorForTasks(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer func() { _ = collector.Destroy(context.WithoutCancel(ctx)) }() // the session's end would do it too
	page := taskPage
	if filter.Limit > 0 {
		page = min(filter.Limit, taskPage)
	}
	if err := collector.SetPageSize(ctx, int32(page)); err != nil { //nolint:gosec // at most taskPage
		return nil, err
	}
	return collector.LatestPage(ctx)
}

// describeTask says what a task is in the seam's words. What it makes or is about is its VM.
func describeTask(info types.TaskInfo) backends.Task {
	t := backends.Task{ID: info.Task.Value, Op: info.DescriptionId, Percent: int(info.Progress), Started: info.QueueTime}
	if t.ID == "" {
		t.ID = info.Key
	}
	if info.Description != nil && info.Description.Message != "" {
		t.Op = info.Description.Message
	}
	if made, ok := info.Result.(types.ManagedObjectReference); ok && made.Type == "VirtualMachine" {
		t.VM = backends.ID(made.Value)
	} else if info.Entity != nil && info.Entity.Type == "VirtualMachine" {
		t.VM = backends.ID(info.Entity.Value)
	}
	if info.StartTime != nil {
		t.Started = *info.StartTime
	}
	if info.CompleteTime != nil {
		t.Finished = *info.CompleteTime
	}
	switch info.State {
	case types.TaskInfoStateQueued:
		t.State = "queued"
	case types.TaskInfoStateRunning:
		t.State = "running"
	case types.TaskInfoStateSuccess:
		t.State, t.Percent = "success", 100
	case types.TaskInfoStateError:
		t.State = "error"
		if info.Cancelled {
			t.State = "canceled"
		}
		if info.Error != nil {
			t.Error = info.Error.LocalizedMessage
		}
	}
	return t
}
