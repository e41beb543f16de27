package machine

import (
	"context"
	"errors"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// SetPower brings a VM into a state: Running, Stopped or Suspended. What runs
// is shut down as stop says.
func SetPower(ctx context.Context, b backends.Backend, id backends.ID, want backends.PowerState, stop Shutdown) error {
	vm, err := Get(ctx, b, id, backends.AspectRuntime)
	if err != nil {
		return err
	}
	object := backends.VMObject(vm.Config.Name)
	if vm.Power == want {
		return nil
	}
	switch want {
	case backends.Running:
		return backends.Wrap(b.SetPower(ctx, id, backends.PowerOn), "start", object)
	case backends.Suspended:
		if vm.Power == backends.Stopped {
			if err := b.SetPower(ctx, id, backends.PowerOn); err != nil {
				return backends.Wrap(err, "start", object)
			}
		}
		return backends.Wrap(b.SetPower(ctx, id, backends.Suspend), "suspend", object)
	case backends.Stopped:
		if vm.Power != backends.Running { // suspended or paused: no guest to ask
			return backends.Wrap(b.SetPower(ctx, id, backends.PowerOff), "stop", object)
		}
		return backends.Wrap(Stop(ctx, b, id, stop), "stop", object)
	case backends.Paused, backends.Unknown:
	}
	return backends.Errorf(backends.Invalid, "switch", object, "%q is not a power state to ask for", want)
}

// Stop shuts a running VM down: the guest is asked and given stop.Timeout, then,
// where stop.Force allows it, the VM is stopped like by its plug.
func Stop(ctx context.Context, b backends.Backend, id backends.ID, stop Shutdown) error {
	if stop.Timeout > 0 {
		done, err := shutdown(ctx, b, id, stop)
		if done || err != nil {
			return err
		}
	}
	return b.SetPower(ctx, id, backends.PowerOff)
}

// shutdown asks the guest and waits. done is true when the VM is off; an error
// ends the matter, no error and not done means force.
func shutdown(ctx context.Context, b backends.Backend, id backends.ID, stop Shutdown) (done bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, stop.Timeout)
	defer cancel()
	err = b.SetPower(bounded, id, backends.Shutdown)
	if err == nil {
		err = b.WaitPower(bounded, id, backends.Stopped)
	}
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil: // the user's time is over, not the guest's
		return false, backends.Wrap(ctx.Err(), "shut down", "")
	case errors.Is(err, backends.ErrNotFound), backends.CodeOf(err) == backends.Auth:
		return false, err
	case stop.Force:
		return false, nil
	case bounded.Err() != nil:
		return false, backends.Errorf(backends.Timeout, "shut down", "", "the guest did not shut down within %s", stop.Timeout).
			At("shutdown.timeout").
			Advise("Raise shutdown.timeout, or set shutdown.force to stop the VM all the same.")
	}
	return false, err
}

// Restart reboots a running VM: it is shut down and started, so that what waits
// for the next start takes effect. A VM that does not run is left alone.
func Restart(ctx context.Context, b backends.Backend, id backends.ID, stop Shutdown) error {
	vm, err := Get(ctx, b, id, backends.AspectRuntime)
	if err != nil || vm.Power != backends.Running {
		return err
	}
	object := backends.VMObject(vm.Config.Name)
	if err := Stop(ctx, b, id, stop); err != nil {
		return backends.Wrap(err, "stop", object)
	}
	return backends.Wrap(b.SetPower(ctx, id, backends.PowerOn), "start", object)
}
