package vcsim_test

import (
	"context"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// named returns a machine of the estate.
func (l *lab) named(name string) *object.VirtualMachine {
	l.t.Helper()
	return must[*object.VirtualMachine](l.t)(l.find.VirtualMachine(l.t.Context(), name))
}

func (l *lab) snapshot(vm *object.VirtualMachine, name string, memory bool) types.ManagedObjectReference {
	l.t.Helper()
	task := must[*object.Task](l.t)(vm.CreateSnapshot(l.t.Context(), name, "", memory, false))
	return l.resultOf(task)
}

func (l *lab) resultOf(task *object.Task) types.ManagedObjectReference {
	l.t.Helper()
	info := must[*types.TaskInfo](l.t)(task.WaitForResult(l.t.Context(), nil))
	return info.Result.(types.ManagedObjectReference)
}

func (l *lab) write(vm, data string) {
	l.t.Helper()
	if err := l.WriteDisk(vm, 0, 4096, []byte(data)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) wantDisk(vm, data string) {
	l.t.Helper()
	got, err := l.ReadDisk(vm, 0, 4096, len(data))
	if err != nil || string(got) != data {
		l.t.Errorf("the disk of %s holds %q (%v), want %q", vm, got, err, data)
	}
}

// disk returns the backing of a machine's first disk.
func (l *lab) disk(vm *object.VirtualMachine) *types.VirtualDiskFlatVer2BackingInfo {
	l.t.Helper()
	return device[*types.VirtualDisk](l, vm).Backing.(*types.VirtualDiskFlatVer2BackingInfo)
}

// await polls until ok.
func (l *lab) await(what string, ok func() bool) {
	l.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("never: %s", what)
		}
		time.Sleep(pause)
	}
}

// A revert brings back the disk's content, the hardware and the extra
// configuration, and leaves the name.
func TestRevertBringsTheMachineBack(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.vm("web", func(s *types.VirtualMachineConfigSpec) {
		s.ExtraConfig = []types.BaseOptionValue{&types.OptionValue{Key: "a.key", Value: "then"}}
	})
	l.write("web", "before")
	first := l.snapshot(vm, "first", false)

	if b := l.disk(vm); b.Parent == nil || path.Base(b.FileName) != "web-000001.vmdk" || path.Base(b.Parent.FileName) != "web.vmdk" {
		t.Fatalf("the disk has no delta: %+v", b)
	}
	l.wantDisk("web", "before")
	l.write("web", "after!")
	if err := l.reconfigure(vm, types.VirtualMachineConfigSpec{
		NumCPUs: 4, Annotation: "changed", ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "a.key", Value: "now"}},
	}); err != nil {
		t.Fatal(err)
	}
	second := l.snapshot(vm, "second", false)
	if b := l.disk(vm); b.Parent == nil || b.Parent.Parent == nil || path.Base(b.FileName) != "web-000002.vmdk" {
		t.Fatalf("no chain: %+v", b)
	}

	task, err := vm.RevertToSnapshot(ctx, "first", true)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	l.wantDisk("web", "before")
	p := l.properties(vm)
	if p.Config.Hardware.NumCPU != 2 || p.Summary.Config.NumCpu != 2 || p.Config.Annotation != "" || p.Name != "web" {
		t.Errorf("after the revert: %d processors, annotation %q, name %q", p.Config.Hardware.NumCPU, p.Config.Annotation, p.Name)
	}
	for _, o := range p.Config.ExtraConfig {
		if v := o.GetOptionValue(); v.Key == "a.key" && v.Value != "then" {
			t.Errorf("extra configuration: %v", v.Value)
		}
	}
	if *p.Snapshot.CurrentSnapshot != first {
		t.Errorf("the current snapshot is %v, want %v", p.Snapshot.CurrentSnapshot, first)
	}

	// The other branch is still there.
	task, err = vm.RevertToSnapshot(ctx, second.Value, true)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	l.wantDisk("web", "after!")
	if n := l.properties(vm).Config.Hardware.NumCPU; n != 4 {
		t.Errorf("%d processors, want 4", n)
	}
}

func TestRevertAndPower(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.vm("web")
	l.start(vm)
	l.snapshot(vm, "with memory", true)
	l.snapshot(vm, "without", false)

	for _, test := range []struct {
		snapshot string
		suppress bool
		want     types.VirtualMachinePowerState
	}{
		{"without", false, types.VirtualMachinePowerStatePoweredOff},
		{"with memory", false, types.VirtualMachinePowerStatePoweredOn},
		{"with memory", true, types.VirtualMachinePowerStatePoweredOff},
	} {
		task, err := vm.RevertToSnapshot(ctx, test.snapshot, test.suppress)
		if err := run(ctx, task, err); err != nil {
			t.Fatal(err)
		}
		if got := l.properties(vm).Runtime.PowerState; got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// Removing snapshots keeps what the guest sees, and leaves no files behind.
func TestRemoveSnapshots(t *testing.T) {
	ctx := t.Context()
	for name, remove := range map[string]func(l *lab, vm *object.VirtualMachine) error{
		"one by one": func(l *lab, vm *object.VirtualMachine) error {
			for _, s := range []string{"two", "one", "three"} {
				task, err := vm.RemoveSnapshot(ctx, s, false, types.NewBool(true))
				if err := run(ctx, task, err); err != nil {
					return err
				}
				l.wantDisk("web", "4")
			}
			return nil
		},
		"with children": func(_ *lab, vm *object.VirtualMachine) error {
			task, err := vm.RemoveSnapshot(ctx, "one", true, types.NewBool(true))
			return run(ctx, task, err)
		},
		"all": func(_ *lab, vm *object.VirtualMachine) error {
			task, err := vm.RemoveAllSnapshot(ctx, types.NewBool(true))
			return run(ctx, task, err)
		},
		"consolidated later": func(l *lab, vm *object.VirtualMachine) error {
			task, err := vm.RemoveAllSnapshot(ctx, types.NewBool(false))
			if err := run(ctx, task, err); err != nil {
				return err
			}
			if !l.properties(vm).Runtime.ConsolidationNeeded || l.disk(vm).Parent == nil {
				l.t.Error("nothing is left to consolidate")
			}
			res, err := methods.ConsolidateVMDisks_Task(ctx, l.client, &types.ConsolidateVMDisks_Task{This: vm.Reference()})
			if err != nil {
				return err
			}
			return object.NewTask(l.client.Client, res.Returnval).Wait(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, vcsim.Options{})
			vm := l.vm("web")
			l.write("web", "1")
			l.snapshot(vm, "one", false)
			l.write("web", "2")
			l.snapshot(vm, "two", false)
			l.write("web", "3")
			l.snapshot(vm, "three", false)
			l.write("web", "4")
			if err := remove(l, vm); err != nil {
				t.Fatal(err)
			}
			l.wantDisk("web", "4")
			p := l.properties(vm)
			if b := l.disk(vm); p.Snapshot != nil || b.Parent != nil || path.Base(b.FileName) != "web.vmdk" || p.Runtime.ConsolidationNeeded {
				t.Errorf("left: snapshots %v, disk %+v, consolidation %v", p.Snapshot, b, p.Runtime.ConsolidationNeeded)
			}
			for _, f := range p.LayoutEx.File {
				if strings.Contains(f.Name, "-00000") {
					t.Errorf("%s is still there", f.Name)
				}
			}
		})
	}
}

// Snapshots of one machine can be removed by several at a time, as far as it is free.
func TestRemoveSnapshotsSideBySide(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	vm := l.vm("web")
	for range 10 {
		var refs []types.ManagedObjectReference
		for _, name := range []string{"one", "two", "three", "four"} {
			refs = append(refs, l.snapshot(vm, name, false))
		}
		var wg sync.WaitGroup
		for _, ref := range refs {
			wg.Go(func() {
				for {
					res, err := methods.RemoveSnapshot_Task(ctx, l.client, &types.RemoveSnapshot_Task{This: ref})
					if err == nil {
						err = object.NewTask(l.client.Client, res.Returnval).Wait(ctx)
					}
					if f := faultOf(err); f != "TaskInProgress" {
						if err != nil {
							t.Errorf("removing %s: %v", ref.Value, err)
						}
						return
					}
				}
			})
		}
		wg.Wait()
		if p := l.properties(vm); p.Snapshot != nil {
			t.Fatalf("left: %+v", p.Snapshot)
		}
	}
}

func TestSnapshotFlags(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.named("vm-one") // has a guest
	ref := l.resultOf(must[*object.Task](t)(vm.CreateSnapshot(ctx, "off", "", true, true)))
	l.start(vm)
	must[string](t)(vm.WaitForIP(ctx))
	l.resultOf(must[*object.Task](t)(vm.CreateSnapshot(ctx, "quiesced", "", false, true)))

	tree := l.properties(vm).Snapshot.RootSnapshotList[0]
	if tree.State != types.VirtualMachinePowerStatePoweredOff || tree.Quiesced {
		t.Errorf("of a machine that was off: %+v", tree)
	}
	if child := tree.ChildSnapshotList[0]; !child.Quiesced {
		t.Errorf("not quiesced: %+v", child)
	}

	if _, err := methods.RenameSnapshot(ctx, l.client, &types.RenameSnapshot{This: ref, Name: "renamed", Description: "text"}); err != nil {
		t.Fatal(err)
	}
	if tree := l.properties(vm).Snapshot.RootSnapshotList[0]; tree.Name != "renamed" || tree.Description != "text" {
		t.Errorf("renamed: %+v", tree)
	}
}
