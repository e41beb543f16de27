package vcsim

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// TestPanicIsLoud has an answer panic, in a process of its own that must end of it.
func TestPanicIsLoud(t *testing.T) {
	const child = "VCSIM_TEST_PANIC"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanicIsLoud$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), child+"=1")

		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Fatalf("the process goes on:\n%s", out)
		}

		for _, want := range []string{"simulated vSphere: the answer is broken", "vcsim.brokenAnswer"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%q is not told:\n%s", want, out)
			}
		}

		return
	}

	s := Start(t, Options{})
	s.service.ServeMux.HandleFunc("/broken", brokenAnswer)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.address+"/broken", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	c := soap.NewClient(s.URL(), true)
	if res, err := c.Client.Do(r); err == nil {
		_ = res.Body.Close()
	}
}

func brokenAnswer(http.ResponseWriter, *http.Request) { panic("the answer is broken") }

// TestTaskWithoutAnswer starts a task that nobody can be told of: it is refused, and its object stays usable.
func TestTaskWithoutAnswer(t *testing.T) {
	s := Start(t, Options{})

	vm, err := s.VM(s.Seed.VMs[0])
	if err != nil {
		t.Fatal(err)
	}

	ctx := s.Context()
	ctx.WithLock(vm.Reference(), func() {
		res := s.start(ctx, vm.Reference(), "DefragmentAllDisks_Task", exclusive, func(*job) (types.AnyType, types.BaseMethodFault) {
			t.Error("it was done")

			return nil, nil
		})
		if f := res.Fault(); f == nil {
			t.Error("it was started")
		} else if _, ok := f.VimFault().(*types.MethodNotFound); !ok {
			t.Errorf("it was refused with %T", f.VimFault())
		}
	})

	if err := s.PowerOn(s.Seed.VMs[0]); err != nil {
		t.Errorf("start it afterwards: %v", err)
	}
}

// TestWalkWaitsForWork has a list of machines wait until a task has done its work.
func TestWalkWaitsForWork(t *testing.T) {
	s := Start(t, Options{})

	vm, err := s.VM(s.Seed.VMs[0])
	if err != nil {
		t.Fatal(err)
	}

	folder, err := s.Find("Folder", "vm")
	if err != nil {
		t.Fatal(err)
	}

	read := func(spec types.ObjectSpec) chan error {
		done := make(chan error, 1)

		go func() {
			_, err := methods.RetrievePropertiesEx(t.Context(), vm.Client(), &types.RetrievePropertiesEx{
				This: vm.Client().ServiceContent.PropertyCollector,
				SpecSet: []types.PropertyFilterSpec{{
					PropSet:   []types.PropertySpec{{Type: "ManagedEntity", PathSet: []string{"name"}}},
					ObjectSet: []types.ObjectSpec{spec},
				}},
			})
			done <- err
		}()

		return done
	}
	children := &types.TraversalSpec{Type: "Folder", Path: "childEntity"}

	s.jobs.work.Lock()
	walk := read(types.ObjectSpec{Obj: folder, SelectSet: []types.BaseSelectionSpec{children}})

	machine := read(types.ObjectSpec{Obj: vm.Reference()})

	// A read of another object that is named does not wait.
	if err := <-read(types.ObjectSpec{Obj: folder}); err != nil {
		t.Error(err)
	}

	select {
	case err := <-walk:
		t.Errorf("the list was read during the work of a task (%v)", err)
	case err := <-machine:
		t.Errorf("a machine was read during the work of a task (%v)", err)
	case <-time.After(100 * time.Millisecond):
	}
	s.jobs.work.Unlock()

	for _, done := range []chan error{walk, machine} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
