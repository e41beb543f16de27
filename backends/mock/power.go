package mock

import (
	"context"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// transitions says where each action leads from each state; what is missing is
// forbidden.
var transitions = map[backends.PowerAction]map[backends.PowerState]backends.PowerState{
	backends.PowerOn: {
		backends.Stopped: backends.Running, backends.Suspended: backends.Running,
		backends.Paused: backends.Running, backends.Running: backends.Running,
	},
	backends.PowerOff: {
		backends.Stopped: backends.Stopped, backends.Suspended: backends.Stopped,
		backends.Paused: backends.Stopped, backends.Running: backends.Stopped,
	},
	backends.Shutdown: {backends.Stopped: backends.Stopped, backends.Running: backends.Stopped},
	backends.Reboot:   {backends.Running: backends.Running},
	backends.Reset:    {backends.Running: backends.Running},
	backends.Suspend: {
		backends.Running: backends.Suspended, backends.Paused: backends.Suspended, backends.Suspended: backends.Suspended,
	},
	backends.Pause: {backends.Running: backends.Paused, backends.Paused: backends.Paused},
	backends.Resume: {
		backends.Suspended: backends.Running, backends.Paused: backends.Running, backends.Running: backends.Running,
	},
}

var powerFeatures = map[backends.PowerAction]backends.Feature{
	backends.Suspend: backends.FeatureSuspend, backends.Pause: backends.FeaturePause,
	backends.Resume: backends.FeatureSuspend, backends.Reboot: backends.FeatureReboot,
}

// SetPower switches a VM. The pretended guest obeys at once, unless the fault
// Guest makes it hang.
func (b *Backend) SetPower(ctx context.Context, id backends.ID, action backends.PowerAction) error {
	c, err := b.onVM(id, "SetPower", string(action), string(action))
	if err != nil {
		return err
	}
	steps, known := transitions[action]
	if !known {
		return backends.Errorf(backends.Invalid, "switch", c.object, "%q is not a power action", action)
	}
	if f, ok := powerFeatures[action]; ok {
		if err := b.catalogue.Require(f, c.op, c.object); err != nil {
			return err
		}
	}
	return b.write(ctx, c, func(w *world) error {
		m, err := w.edit(id)
		if err != nil {
			return err
		}
		next, allowed := steps[m.Power]
		if !allowed {
			return backends.Errorf(backends.Precondition, "", "", "the VM is %s", m.Power)
		}
		if (action == backends.Shutdown || action == backends.Reboot) && m.Power == backends.Running && !b.answers(m) {
			return nil // it was asked and does not listen
		}
		if next == m.Power {
			return nil
		}
		if next == backends.Running && m.Power == backends.Stopped {
			if err := b.start(w, m); err != nil {
				return err
			}
		}
		if next == backends.Stopped {
			m.Active = nil
		}
		m.Power = next
		w.put(m)
		return nil
	})
}

// start makes ready what a VM needs to run.
func (b *Backend) start(w *world, m *machine) error {
	if m.Template {
		return backends.Errorf(backends.Precondition, "", "", "it is a template, which never runs").
			Advise("Make a VM from it, and start that one.")
	}
	if m.Partial {
		return backends.Errorf(backends.Precondition, "", "", "its creation did not end").
			Advise("Delete the VM and create it again.")
	}
	if err := w.checkHost(m, m.Host); err != nil {
		return err
	}
	b.lease(w, m)
	m.Active, m.Started = nil, stamp(b.clock.Now())
	return nil
}

// WaitPower waits for a power state. In a state file another process may bring
// it about, so that one is also read at growing intervals.
func (b *Backend) WaitPower(ctx context.Context, id backends.ID, state backends.PowerState) error {
	const op = "wait for the power state"
	c, err := b.onVM(id, "WaitPower", "", op)
	if err != nil {
		return err
	}
	if err := b.read(ctx, "WaitPower", op, c.object, c.names...); err != nil {
		return err
	}
	pause := 5 * time.Millisecond
	for {
		changed := b.nextChange()
		reached := false
		err := b.store.view(func(w *world) error {
			m := w.Machines[id]
			if m == nil {
				return noVM(id)
			}
			reached = m.Power == state
			return nil
		})
		if err != nil || reached {
			return backends.Wrap(err, op, c.object)
		}
		var again <-chan time.Time
		if b.options.StateFile != "" {
			again = b.clock.After(pause)
			pause = min(2*pause, 500*time.Millisecond)
		}
		select {
		case <-changed:
		case <-again:
		case <-ctx.Done():
			return backends.Wrap(ctx.Err(), op, c.object)
		}
	}
}
