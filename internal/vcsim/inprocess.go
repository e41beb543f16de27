package vcsim

import (
	"context"
	"fmt"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// Client returns a client within the process, with a session of its own, that
// is neither counted, delayed nor broken. It is refused what vSphere refuses.
func (s *Server) Client() (*vim25.Client, error) {
	return vim25.NewClient(context.Background(), s.service)
}

// VM returns the machine of that name, for calls by Client. It is an error
// where there is none, or several.
func (s *Server) VM(name string) (*object.VirtualMachine, error) {
	c, err := s.Client()
	if err != nil {
		return nil, err
	}

	var found []types.ManagedObjectReference

	for _, ref := range s.named(name) {
		if ref.Type == "VirtualMachine" {
			found = append(found, ref)
		}
	}

	if len(found) != 1 {
		return nil, fmt.Errorf("%d machines are named %s", len(found), name)
	}

	return object.NewVirtualMachine(c, found[0]), nil
}

// Properties returns what the API shows of the machine of that name.
func (s *Server) Properties(name string) (mo.VirtualMachine, error) {
	vm, err := s.VM(name)
	if err != nil {
		return mo.VirtualMachine{}, err
	}

	var p mo.VirtualMachine
	err = vm.Properties(context.Background(), vm.Reference(), nil, &p)

	return p, err
}

// by calls a method of the machine of that name and waits for its task, as
// somebody would do by hand.
func (s *Server) by(name string, call func(context.Context, *object.VirtualMachine) (*object.Task, error)) error {
	vm, err := s.VM(name)
	if err != nil {
		return err
	}

	task, err := call(context.Background(), vm)
	if err != nil {
		return err
	}

	_, err = s.wait(task.Reference())

	return err
}

// RenameVM renames a machine by hand.
func (s *Server) RenameVM(name, to string) error {
	return s.by(name, func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return vm.Rename(ctx, to)
	})
}

// DestroyVM deletes a machine by hand, which stops it first.
func (s *Server) DestroyVM(name string) error {
	_ = s.PowerOff(name) // It may be off.

	return s.by(name, func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return vm.Destroy(ctx)
	})
}

// PowerOn starts a machine by hand.
func (s *Server) PowerOn(name string) error {
	return s.by(name, func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return vm.PowerOn(ctx)
	})
}

// PowerOff stops a machine by hand.
func (s *Server) PowerOff(name string) error {
	return s.by(name, func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return vm.PowerOff(ctx)
	})
}

// Suspend suspends a machine by hand.
func (s *Server) Suspend(name string) error {
	return s.by(name, func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return vm.Suspend(ctx)
	})
}

// ReconfigureVM changes a machine by hand.
func (s *Server) ReconfigureVM(name string, spec types.VirtualMachineConfigSpec) error {
	return s.by(name, func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return vm.Reconfigure(ctx, spec)
	})
}

// RelocateVM moves a machine by hand.
func (s *Server) RelocateVM(name string, spec types.VirtualMachineRelocateSpec) error {
	return s.by(name, func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return vm.Relocate(ctx, spec, types.VirtualMachineMovePriorityDefaultPriority)
	})
}

// MoveVM moves a machine into the folder of that name by hand.
func (s *Server) MoveVM(name, folder string) error {
	vm, err := s.VM(name)
	if err != nil {
		return err
	}

	to, err := s.Find("Folder", folder)
	if err != nil {
		return err
	}

	task, err := object.NewFolder(vm.Client(), to).MoveInto(context.Background(), []types.ManagedObjectReference{vm.Reference()})
	if err != nil {
		return err
	}

	_, err = s.wait(task.Reference())

	return err
}

// RemoveSnapshot removes a snapshot by hand, not its children.
func (s *Server) RemoveSnapshot(name, snapshot string) error {
	return s.by(name, func(ctx context.Context, vm *object.VirtualMachine) (*object.Task, error) {
		return vm.RemoveSnapshot(ctx, snapshot, false, nil)
	})
}

// Find returns the object of the kind, such as "Datastore", and name, in the
// first datacenter where both have one.
func (s *Server) Find(kind, name string) (types.ManagedObjectReference, error) {
	var found types.ManagedObjectReference

	for _, ref := range s.named(name) {
		if ref.Type != kind {
			continue
		}

		dc, ok := s.roster.above(ref, "Datacenter")
		if found.Value == "" || ok && s.roster.name(dc) == s.Seed.Datacenter {
			found = ref
		}
	}

	if found.Value == "" {
		return found, fmt.Errorf("there is no %s named %s", kind, name)
	}

	return found, nil
}

// wait waits for a task by its object, which is faster than by the API.
func (s *Server) wait(ref types.ManagedObjectReference) (types.TaskInfo, error) {
	ctx := s.Context()

	t, ok := ctx.Map.Get(ref).(*simulator.Task)
	if !ok {
		return types.TaskInfo{}, fmt.Errorf("no task %s", ref.Value)
	}

	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		var info types.TaskInfo

		ctx.WithLock(t, func() { info = t.Info })

		switch info.State {
		case types.TaskInfoStateSuccess:
			return info, nil
		case types.TaskInfoStateError:
			return info, fmt.Errorf("%s: %s", info.Name, message(info.Error.Fault))
		case types.TaskInfoStateQueued, types.TaskInfoStateRunning:
		}

		<-time.After(pause)
	}
}
