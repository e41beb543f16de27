package vcsim_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/vmware/govmomi/event"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// A query answers all of a machine's events, and recent tasks are those that
// were asked for.
func TestEventsAndRecentTasks(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.vm("web")
	const n = 15
	for i := range n {
		if err := l.reconfigure(vm, types.VirtualMachineConfigSpec{Annotation: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	changed := 0
	for _, e := range must[[]types.BaseEvent](t)(event.NewManager(l.client.Client).QueryEvents(ctx, types.EventFilterSpec{
		Entity: &types.EventFilterSpecByEntity{Entity: vm.Reference(), Recursion: types.EventFilterSpecRecursionOptionSelf},
	})) {
		if _, ok := e.(*types.VmReconfiguredEvent); ok {
			changed++
		}
	}
	if changed != n {
		t.Errorf("%d changes are told of, want %d", changed, n)
	}
	tasks := map[string]int{}
	collector := must[*task.HistoryCollector](t)(task.NewManager(l.client.Client).CreateCollectorForTasks(ctx, types.TaskFilterSpec{
		Entity: &types.TaskFilterSpecByEntity{Entity: vm.Reference(), Recursion: types.TaskFilterSpecRecursionOptionSelf},
	}))
	for _, i := range must[[]types.TaskInfo](t)(collector.ReadNextTasks(ctx, 100)) {
		tasks[i.DescriptionId]++
	}
	if len(tasks) != 1 || tasks["VirtualMachine.reconfigure"] != n {
		t.Errorf("tasks of the machine: %v", tasks)
	}
}

func TestUpgrade(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.vm("web", func(s *types.VirtualMachineConfigSpec) { s.Version = "vmx-13" })
	upgrade := func(version string) string {
		task, err := vm.UpgradeVM(ctx, version)
		return faultOf(run(ctx, task, err))
	}
	if got := upgrade("vmx-15"); got != "" {
		t.Errorf("upgrading: %q", got)
	}
	if got := l.properties(vm).Config.Version; got != "vmx-15" {
		t.Errorf("the version is %s", got)
	}
	if got := upgrade("vmx-15"); got != "AlreadyUpgraded" {
		t.Errorf("upgrading again: %q", got)
	}
	if got := upgrade("vmx-99"); got == "" {
		t.Error("there is no vmx-99")
	}
	l.start(vm)
	if got := upgrade("vmx-17"); got != "InvalidPowerState" {
		t.Errorf("upgrading what runs: %q", got)
	}
}

// Clones, snapshots and starts of many machines at once do not get into each other's way.
func TestParallelClones(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	source := l.named("vm-one")
	pool := must[*object.ResourcePool](t)(l.find.ResourcePool(ctx, l.Seed.Clusters[0]+"/Resources"))
	ref, folder := pool.Reference(), l.folder()
	const n = 12
	errs := make(chan error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			errs <- func() error {
				task, err := source.Clone(ctx, folder, fmt.Sprintf("clone-%02d", i), types.VirtualMachineCloneSpec{
					Location: types.VirtualMachineRelocateSpec{Pool: &ref}, PowerOn: true,
				})
				if err != nil {
					return err
				}
				info, err := task.WaitForResult(ctx, nil)
				if err != nil {
					return err
				}
				vm := object.NewVirtualMachine(l.client.Client, info.Result.(types.ManagedObjectReference))
				if task, err = vm.CreateSnapshot(ctx, "one", "", true, false); run(ctx, task, err) != nil {
					return fmt.Errorf("snapshot: %w", err)
				}
				if task, err = vm.RevertToSnapshot(ctx, "one", false); run(ctx, task, err) != nil {
					return fmt.Errorf("revert: %w", err)
				}
				if _, err := vm.WaitForIP(ctx); err != nil {
					return err
				}
				if task, err = vm.PowerOff(ctx); run(ctx, task, err) != nil {
					return fmt.Errorf("power off: %w", err)
				}
				task, err = vm.Destroy(ctx)
				return run(ctx, task, err)
			}()
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}
