package vcsim_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// TestParallelCreates makes, starts, changes and removes machines side by side,
// on two servers in one process.
func TestParallelCreates(t *testing.T) {
	for name, n := range map[string]int{"fifty": 50, "beside them": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			l := newLab(t, vcsim.Options{})
			folder := l.folder()
			pool := must[*object.ResourcePool](t)(l.find.ResourcePool(t.Context(), "cluster-a/Resources"))

			specs := make([]types.VirtualMachineConfigSpec, n)
			for i := range specs {
				specs[i] = l.spec(fmt.Sprintf("web-%02d", i))
			}

			errs := make(chan error, n)

			var wg sync.WaitGroup

			for _, s := range specs {
				wg.Add(1)

				go func() {
					defer wg.Done()

					errs <- l.life(folder, pool, s)
				}()
			}

			wg.Wait()
			close(errs)

			for err := range errs {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// life is all that happens to one machine.
func (l *lab) life(folder *object.Folder, pool *object.ResourcePool, spec types.VirtualMachineConfigSpec) error {
	ctx := l.t.Context()

	task, err := folder.CreateVM(ctx, spec, pool, nil)
	if err != nil {
		return fmt.Errorf("create %s: %w", spec.Name, err)
	}

	info, err := task.WaitForResult(ctx, nil)
	if err != nil {
		return fmt.Errorf("create %s: %w", spec.Name, err)
	}

	vm := object.NewVirtualMachine(l.client.Client, info.Result.(types.ManagedObjectReference))

	for _, do := range []func() (*object.Task, error){
		func() (*object.Task, error) { return vm.PowerOn(ctx) },
		func() (*object.Task, error) {
			return vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{Annotation: "running"})
		},
		func() (*object.Task, error) { return vm.PowerOff(ctx) },
		func() (*object.Task, error) { return vm.Destroy(ctx) },
	} {
		task, err := do()
		if err == nil {
			err = task.Wait(ctx)
		}

		if err != nil {
			return fmt.Errorf("%s: %w", spec.Name, err)
		}
	}

	return nil
}

// TestOneOfTwins makes machines of one name side by side: one is made.
func TestOneOfTwins(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	folder := l.folder()
	pool := must[*object.ResourcePool](t)(l.find.ResourcePool(t.Context(), "cluster-a/Resources"))

	const n = 8

	var (
		wg     sync.WaitGroup
		faults = make(chan string, n)
	)

	specs := make([]types.VirtualMachineConfigSpec, n)
	for i := range specs {
		specs[i] = l.spec("twin")
	}

	for _, s := range specs {
		wg.Add(1)

		go func() {
			defer wg.Done()

			task, err := folder.CreateVM(t.Context(), s, pool, nil)
			faults <- faultOf(run(t.Context(), task, err))
		}()
	}

	wg.Wait()
	close(faults)

	made := 0

	for f := range faults {
		switch f {
		case "":
			made++
		case "DuplicateName":
		default:
			t.Errorf("got %q", f)
		}
	}

	if made != 1 {
		t.Errorf("%d machines have one name", made)
	}
}
