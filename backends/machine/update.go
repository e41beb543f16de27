package machine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Update is one change of a VM, as the plan showed it.
type Update struct {
	From, To *backends.VMSpec
	// Changes is Diff(From, To): what the plan was made of.
	Changes []backends.Change
	Policy  backends.RestartPolicy
	Stop    Shutdown
	// Power is the state to leave the VM in; "" keeps the one it is in.
	Power backends.PowerState
	// Reboot restarts the VM although no change needs it.
	Reboot bool
}

// Apply carries an update out: migration first, then live changes while the VM
// runs, then, where a change needs it, stop, change, start. A VM that could not
// be changed while stopped is started again before the error is returned, so
// that a failed update does not leave a service down.
func Apply(ctx context.Context, b backends.Backend, id backends.ID, u Update) error {
	vm, err := Get(ctx, b, id, backends.AspectRuntime)
	if err != nil {
		return err
	}
	info, err := b.Info(ctx)
	if err != nil {
		return err
	}
	object := backends.VMObject(vm.Config.Name)
	release, err := getVolumes(ctx, b, id, vm.Config.Name, attachments(u.Changes))
	if err != nil {
		return err // before anything is stopped for it
	}
	defer release()
	if u.Power == backends.Stopped && vm.Power != backends.Stopped {
		// Going down anyway: every change is then a cold one.
		if err := SetPower(ctx, b, id, backends.Stopped, u.Stop); err != nil {
			return err
		}
		vm.Power = backends.Stopped
	}
	if vm.Power == backends.Suspended && slices.ContainsFunc(u.Changes, func(c backends.Change) bool { return !c.IsNote() }) {
		// Saved memory fits only the machine it was saved from.
		if err := b.SetPower(ctx, id, backends.Resume); err != nil {
			return backends.Wrap(err, "resume", object)
		}
		vm.Power = backends.Running
		if u.Power == "" {
			u.Power = backends.Suspended
		}
	}
	moves, rest := split(u.Changes, isMigration)
	if len(moves) > 0 {
		to := u.To.Placement
		to.Storage = nil // for disks to come; those that are there stay where they are
		if err := b.Migrate(ctx, id, to); err != nil {
			return backends.Wrap(err, "migrate", object)
		}
	}
	rebooted, err := reconfigure(ctx, b, id, vm.Power, info.Catalogue, u, rest)
	if err != nil {
		return backends.Wrap(err, "change", object)
	}
	if u.Reboot && !rebooted {
		if err := Restart(ctx, b, id, u.Stop); err != nil {
			return err
		}
	}
	if u.Power == "" {
		return nil
	}
	return SetPower(ctx, b, id, u.Power, u.Stop)
}

// reconfigure makes the changes in the mode that the VM's state allows.
func reconfigure(ctx context.Context, b backends.Backend, id backends.ID, power backends.PowerState, cat backends.Catalogue, u Update, changes []backends.Change) (restarted bool, err error) {
	if len(changes) == 0 {
		return false, nil
	}
	apply := func(mode backends.ReconfigureMode, changes []backends.Change) error {
		if len(changes) == 0 {
			return nil
		}
		return b.Reconfigure(ctx, id, backends.Reconfiguration{Desired: u.To, Changes: changes, Mode: mode})
	}
	if power == backends.Stopped {
		return false, apply(backends.Cold, changes)
	}
	cold, live := split(changes, func(c backends.Change) bool {
		return cat.ImpactOf(u.From, u.To, c).Effect != backends.EffectLive
	})
	if len(cold) > 0 && u.Policy == backends.RestartNever {
		return false, backends.Errorf(backends.Precondition, "change", "", "to %s the VM must be stopped, and restart_policy is \"never\"", cold[0]).
			At(cold[0].Path).Advise(`Stop the VM first, or set restart_policy to "when_required".`)
	}
	if len(cold) == 0 || u.Policy == backends.RestartDefer {
		if err := apply(backends.Live, live); err != nil {
			return false, err
		}
		return false, apply(backends.Deferred, cold)
	}
	return true, whileStopped(ctx, b, id, u, func() error { return apply(backends.Cold, changes) })
}

// whileStopped stops the VM, calls change, and starts the VM again, also after
// a failure: with a context of its own where the caller's is over.
func whileStopped(ctx context.Context, b backends.Backend, id backends.ID, u Update, change func() error) error {
	if err := Stop(ctx, b, id, u.Stop); err != nil {
		if ctx.Err() != nil {
			err = startAfterInterrupt(ctx, b, id, err)
		}
		return backends.Wrap(err, "stop", "")
	}
	err := change()
	if err == nil && u.Power == backends.Stopped {
		return nil
	}
	startCtx := ctx
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		startCtx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
	}
	startErr := b.SetPower(startCtx, id, backends.PowerOn)
	switch {
	case err == nil:
		return backends.Wrap(startErr, "start again", "")
	case startErr != nil:
		return errors.Join(err, backends.Wrap(startErr, "start again", ""))
	}
	return err
}

// interruptTime is how long an interrupted restart is watched: Terraform is to
// end within seconds.
const interruptTime = 4 * time.Second

// startAfterInterrupt starts a VM again whose guest was asked to shut down when
// the user interrupted: nobody else would. What it cannot do it adds to err.
func startAfterInterrupt(ctx context.Context, b backends.Backend, id backends.ID, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), interruptTime)
	defer cancel()
	if waitErr := b.WaitPower(ctx, id, backends.Stopped); waitErr == nil {
		if startErr := b.SetPower(ctx, id, backends.PowerOn); startErr != nil {
			return errors.Join(err, backends.Wrap(startErr, "start again", ""))
		}
		return err
	}
	var e *backends.Error
	if errors.As(err, &e) && e.Remedy == "" {
		return e.Advise("The guest was asked to shut down and may still do so: look whether the VM runs, and start it if not.")
	}
	return err
}

func isMigration(c backends.Change) bool {
	return c.From != nil && (c.Path == "placement.host" || c.Path == "placement.cluster")
}

// split parts changes into those for which is holds and the others, in order.
func split(changes []backends.Change, is func(backends.Change) bool) (yes, no []backends.Change) {
	no = slices.DeleteFunc(slices.Clone(changes), is)
	yes = slices.DeleteFunc(slices.Clone(changes), func(c backends.Change) bool { return !is(c) })
	return yes, no
}
