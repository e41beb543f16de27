package machine

import (
	"context"
	"errors"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Revert returns a VM to a snapshot. Power is the state to leave it in: Running,
// Stopped or Suspended; "" is the snapshot's own where it holds memory, else the state
// that the VM had before, for a disk's content says nothing of that. A VM that was to
// run is started also when ctx ends once the revert is done: nobody else would. One that ran is
// started again where the revert fails and leaves it stopped.
func Revert(ctx context.Context, b backends.Backend, id backends.ID, snapshot string, power backends.PowerState, stop Shutdown) error {
	vm, err := Get(ctx, b, id, backends.AspectRuntime)
	if err != nil {
		return err
	}
	object := backends.VMObject(vm.Config.Name)
	if power == "" {
		all, err := b.ListSnapshots(ctx, id)
		if err != nil {
			return backends.Wrap(err, "revert", object)
		}
		for _, s := range all {
			if s.ID == snapshot && !s.Memory {
				power = vm.Power
			}
		}
	}
	if err := b.RevertSnapshot(ctx, id, snapshot); err != nil {
		err = backends.Wrap(err, "revert", object)
		if vm.Power == backends.Running {
			err = startUnreverted(ctx, b, id, object, err)
		}
		return err
	}
	if ctx.Err() != nil && power == backends.Running {
		return startReverted(ctx, b, id, object)
	}
	switch power {
	case backends.Running, backends.Stopped, backends.Suspended:
		return SetPower(ctx, b, id, power, stop)
	case backends.Paused, backends.Unknown:
	}
	return nil
}

// startUnreverted starts a VM again that ran, where a revert failed after it had stopped it. What
// it cannot do it adds to err.
func startUnreverted(ctx context.Context, b backends.Backend, id backends.ID, object string, err error) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
	}
	vm, getErr := Get(ctx, b, id, backends.AspectRuntime)
	if getErr != nil || vm.Power != backends.Stopped {
		return err
	}
	if startErr := b.SetPower(ctx, id, backends.PowerOn); startErr != nil {
		return errors.Join(err, backends.Wrap(startErr, "start again", object))
	}
	return err
}

// startReverted starts a VM although the caller's time is over, and says that it is.
func startReverted(ctx context.Context, b backends.Backend, id backends.ID, object string) error {
	err := backends.Wrap(ctx.Err(), "start", object)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), interruptTime)
	defer cancel()
	if startErr := b.SetPower(ctx, id, backends.PowerOn); startErr != nil {
		return errors.Join(err, backends.Wrap(startErr, "start", object))
	}
	return err
}
