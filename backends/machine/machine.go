// Package machine carries out what takes several steps on any hypervisor:
// create and start, change with or without a restart, shut down gracefully and
// then by force, wait for an address, delete. It is written once above the
// drivers and knows only the Backend interface; the rules about what a change
// costs are the catalogue's.
package machine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Shutdown says how a running VM is stopped.
type Shutdown struct {
	// Timeout is how long the guest has to shut down. 0 asks no guest: the VM
	// is stopped at once.
	Timeout time.Duration
	// Force stops a VM that did not shut down in time; without it that is a Timeout.
	Force bool
}

// DefaultShutdown gives a guest one minute and then stops it.
var DefaultShutdown = Shutdown{Timeout: time.Minute, Force: true}

// CreateOptions says what Create does with the VM once it exists.
type CreateOptions struct {
	// Power is the state to leave the VM in: Running, Stopped or Suspended.
	Power backends.PowerState
	// Created is called with the id as soon as the VM exists, before anything
	// is waited for, also when the creation fails afterwards.
	Created func(backends.ID)
	// Wait is what to wait for when the VM runs; nil is nothing.
	Wait *Wait
}

// Create makes a VM, or clones one where clone is not nil, and brings it into
// the wanted power state; spec is the clone's own where there is one. Disks that
// other VMs have are waited for. An id next to an error is a VM that exists in
// part.
func Create(ctx context.Context, b backends.Backend, spec *backends.VMSpec, clone *backends.CloneSpec, opts CreateOptions) (backends.ID, []backends.Warning, error) {
	var id backends.ID
	if clone != nil {
		spec = &clone.Spec
	}
	release, err := getVolumes(ctx, b, "", spec.Name, spec.Disks)
	if err != nil {
		return "", nil, err
	}
	if clone != nil {
		id, err = b.CloneVM(ctx, clone)
	} else {
		id, err = b.CreateVM(ctx, spec)
	}
	release()
	if id != "" && opts.Created != nil {
		opts.Created(id)
	}
	if err != nil {
		return id, nil, backends.Wrap(err, "create", backends.VMObject(spec.Name))
	}
	if opts.Power == backends.Stopped || opts.Power == "" {
		return id, nil, nil
	}
	if err := b.SetPower(ctx, id, backends.PowerOn); err != nil {
		return id, nil, backends.Wrap(err, "start", backends.VMObject(spec.Name))
	}
	var warnings []backends.Warning
	if opts.Wait != nil {
		wait := *opts.Wait
		if clone != nil {
			wait.Except = append(slices.Clone(wait.Except), addressesOf(ctx, b, clone.Source)...)
		}
		warnings, err = WaitFor(ctx, b, id, wait)
		if err != nil {
			return id, warnings, err
		}
	}
	if opts.Power == backends.Suspended {
		if err := b.SetPower(ctx, id, backends.Suspend); err != nil {
			return id, warnings, backends.Wrap(err, "suspend", backends.VMObject(spec.Name))
		}
	}
	return id, warnings, nil
}

// Delete stops a VM as asked, then removes it. What is gone already is success.
func Delete(ctx context.Context, b backends.Backend, id backends.ID, stop Shutdown, opts backends.DeleteOptions) error {
	err := deletion(ctx, b, id, stop, opts)
	if errors.Is(err, backends.ErrNotFound) {
		return nil
	}
	return err
}

func deletion(ctx context.Context, b backends.Backend, id backends.ID, stop Shutdown, opts backends.DeleteOptions) error {
	vm, err := Get(ctx, b, id, backends.AspectRuntime)
	if err != nil {
		return err
	}
	object := backends.VMObject(vm.Config.Name)
	// A guest that does not listen must not keep its VM from being destroyed.
	stop.Force = true
	if vm.Power == backends.Running && stop.Timeout > 0 {
		if err := Stop(ctx, b, id, stop); err != nil && !errors.Is(err, backends.ErrNotFound) {
			return backends.Wrap(err, "stop", object)
		}
	}
	return backends.Wrap(b.DeleteVM(ctx, id, opts), "delete", object)
}

// Get reads one VM.
func Get(ctx context.Context, b backends.Backend, id backends.ID, aspects backends.Aspects) (*backends.VM, error) {
	all, err := b.GetVMs(ctx, []backends.ID{id}, aspects)
	if err != nil {
		return nil, backends.Wrap(err, "read", backends.VMObject(string(id)))
	}
	r, ok := all[id]
	switch {
	case !ok:
		return nil, backends.Errorf(backends.Internal, "read", backends.VMObject(string(id)), "the backend answered without this VM")
	case r.Err != nil:
		return nil, backends.Wrap(r.Err, "read", backends.VMObject(string(id)))
	}
	return r.VM, nil
}

// Find returns the id of the VM of a name: NotFound where there is none, a
// Conflict that lists the ids where there are several.
func Find(ctx context.Context, b backends.Backend, name string) (backends.ID, error) {
	object := backends.VMObject(name)
	all, err := b.ListVMs(ctx, backends.VMFilter{Names: []string{name}, Light: true})
	if err != nil {
		return "", backends.Wrap(err, "find", object)
	}
	switch len(all) {
	case 0:
		return "", backends.Errorf(backends.NotFound, "find", object, "no VM has this name")
	case 1:
		return all[0].ID, nil
	}
	ids := make([]backends.ID, len(all))
	for i, vm := range all {
		ids[i] = vm.ID
	}
	return "", backends.Errorf(backends.Conflict, "find", object, "%d VMs have this name: %v", len(all), ids).
		Advise("Use the id of the one that is meant.")
}
