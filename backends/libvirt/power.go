package libvirt

import (
	"context"
	"fmt"
	"time"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
)

// SetPower makes one transition.
func (b *Backend) SetPower(ctx context.Context, id backends.ID, action backends.PowerAction) error {
	op, object := action.Verb(), backends.VMObject(string(id))
	unlock, err := b.locks.lock(ctx, lockName(id))
	if err != nil {
		return backends.Wrap(err, op, object)
	}
	defer unlock()
	dom, err := b.lookup(ctx, id)
	if err != nil {
		return backends.Wrap(err, op, object)
	}
	object = backends.VMObject(dom.Name)
	err = b.setPower(ctx, dom, action)
	if err != nil && ctx.Err() == nil && (answered(err, rpc.ErrOperationInvalid) || backends.CodeOf(err) == backends.Transient) {
		// The VM went elsewhere meanwhile, or the connection broke before the answer
		// came: what counts is the state that it is in now.
		if now, stateErr := b.power(ctx, dom); stateErr == nil && now == action.Settled() {
			return nil
		}
	}
	if backends.CodeOf(err) == backends.NotFound && !answered(err, rpc.ErrNoDomain) {
		// What is not there is something that the VM needs, not the VM.
		e := *conn.Classify(err)
		e.Code = backends.Precondition
		err = &e
	}
	return backends.Wrap(err, op, object)
}

func (b *Backend) power(ctx context.Context, dom rpc.Domain) (backends.PowerState, error) {
	state, err := b.state(ctx, dom)
	if err != nil {
		return backends.Unknown, err
	}
	if isUp(state) {
		return powerOf(state, false), nil
	}
	saved, err := b.hasSavedMemory(ctx, dom)
	return powerOf(state, saved), err
}

func (b *Backend) setPower(ctx context.Context, dom rpc.Domain, action backends.PowerAction) error {
	now, err := b.power(ctx, dom)
	if err != nil {
		return err
	}
	if now == action.Settled() {
		return nil
	}
	if now == backends.Stopped && (action == backends.PowerOn || action == backends.Resume) {
		if err := b.mayStart(ctx, dom); err != nil {
			return err
		}
	}
	type move struct {
		from   backends.PowerState
		action backends.PowerAction
	}
	create := func(l *rpc.Libvirt) error { _, err := l.DomainCreateWithFlags(dom, 0); return err }
	resume := func(l *rpc.Libvirt) error { return l.DomainResume(dom) }
	destroy := func(l *rpc.Libvirt) error { return l.DomainDestroyFlags(dom, rpc.DomainDestroyDefault) }
	save := func(l *rpc.Libvirt) error { return l.DomainManagedSave(dom, 0) }
	step, ok := map[move]func(*rpc.Libvirt) error{
		{backends.Stopped, backends.PowerOn}:   create,
		{backends.Suspended, backends.PowerOn}: create, // resumes
		{backends.Paused, backends.PowerOn}:    resume,
		{backends.Suspended, backends.Resume}:  create,
		{backends.Paused, backends.Resume}:     resume,

		{backends.Running, backends.PowerOff}: destroy,
		{backends.Paused, backends.PowerOff}:  destroy,
		{backends.Suspended, backends.PowerOff}: func(l *rpc.Libvirt) error {
			return l.DomainManagedSaveRemove(dom, 0)
		},

		{backends.Running, backends.Shutdown}: func(l *rpc.Libvirt) error { return shutDown(l, dom) },
		{backends.Running, backends.Reboot}:   func(l *rpc.Libvirt) error { return reboot(l, dom) },
		{backends.Running, backends.Reset}:    func(l *rpc.Libvirt) error { return l.DomainReset(dom, 0) },

		{backends.Running, backends.Suspend}: save,
		{backends.Paused, backends.Suspend}:  save,
		{backends.Running, backends.Pause}:   func(l *rpc.Libvirt) error { return l.DomainSuspend(dom) },
	}[move{now, action}]
	switch {
	case ok:
	case action == backends.Shutdown && now == backends.Stopped:
		return nil
	default:
		return backends.Errorf(backends.Precondition, "", "", "the VM is %s", now).Advise("%s", powerRemedy(now))
	}
	if now == backends.Stopped && action == backends.PowerOn {
		if err := b.beforeStart(ctx, dom); err != nil {
			return err
		}
	}
	if err := b.once(ctx, step); err != nil {
		if action == backends.Suspend && ctx.Err() != nil {
			b.abortJob(ctx, dom)
		}
		return err
	}
	if want := action.Settled(); want != "" {
		return b.confirm(ctx, dom, want)
	}
	return nil
}

// abortLimit bounds the order to stop saving memory.
const abortLimit = 5 * time.Second

// abortJob stops the saving of memory that was interrupted; the VM then runs on. That it
// was over already is as good.
func (b *Backend) abortJob(ctx context.Context, dom rpc.Domain) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortLimit)
	defer cancel()
	_ = b.once(ctx, func(l *rpc.Libvirt) error { return l.DomainAbortJob(dom) })
}

func powerRemedy(now backends.PowerState) string {
	switch now {
	case backends.Suspended, backends.Paused:
		return "Resume the VM first."
	case backends.Stopped:
		return "Start the VM first."
	default:
		return "Wait until the VM is in another state."
	}
}

// shutDown asks the guest: with the power button, and where a guest has no ear for
// that, through its agent.
func shutDown(l *rpc.Libvirt, dom rpc.Domain) error {
	button := l.DomainShutdownFlags(dom, rpc.DomainShutdownAcpiPowerBtn)
	// Both, because libvirt's own choice takes the first that is there, and a
	// guest without acpid swallows the button. A guest that is going down
	// already does not mind.
	if agent := l.DomainShutdownFlags(dom, rpc.DomainShutdownGuestAgent); agent == nil {
		return nil
	}
	return button
}

func reboot(l *rpc.Libvirt, dom rpc.Domain) error {
	if err := l.DomainReboot(dom, rpc.DomainRebootGuestAgent); err == nil {
		return nil
	}
	return l.DomainReboot(dom, rpc.DomainRebootAcpiPowerBtn)
}

// confirm reads the state back that libvirt reported success for.
func (b *Backend) confirm(ctx context.Context, dom rpc.Domain, want backends.PowerState) error {
	now, err := b.power(ctx, dom)
	if err != nil || now == want {
		return err
	}
	if want == backends.Running && now == backends.Paused {
		return backends.Errorf(backends.Precondition, "", "", "libvirt started the VM, but it is paused at once: its storage may be full or unreadable").
			Advise("See the VM's log on the host.")
	}
	if want == backends.Running && now == backends.Stopped {
		return backends.Errorf(backends.Precondition, "", "", "the VM stopped right after its start").Advise("See the VM's log on the host.")
	}
	return backends.Errorf(backends.Internal, "", "", "libvirt reported success, but the VM is %s and not %s", now, want)
}

// WaitPower returns when the VM is in a state, as told by libvirt's events. Between
// them it looks by itself, at growing intervals: events are lost with a connection.
func (b *Backend) WaitPower(ctx context.Context, id backends.ID, want backends.PowerState) error {
	op, object := fmt.Sprintf("wait until it is %s", want), backends.VMObject(string(id))
	dom, err := b.lookup(ctx, id)
	if err != nil {
		return backends.Wrap(err, op, object)
	}
	return backends.Wrap(b.waitPower(ctx, dom, want), op, backends.VMObject(dom.Name))
}

func (b *Backend) waitPower(ctx context.Context, dom rpc.Domain, want backends.PowerState) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := b.conn.Events(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		events = nil // then by looking alone
	}
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		now, err := b.power(ctx, dom)
		if err != nil || now == want {
			return err
		}
		if !nextEvent(ctx, &events, dom, pause) {
			return fmt.Errorf("the VM is still %s: %w", now, context.Cause(ctx))
		}
	}
}

// nextEvent waits for an event of a domain, at most for pause. It reports false when
// ctx has ended.
func nextEvent(ctx context.Context, events *<-chan conn.Event, dom rpc.Domain, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case e, open := <-*events:
			if !open {
				*events = nil // blocks for ever: the timer goes on
				continue
			}
			if e.Domain.UUID == dom.UUID {
				return true
			}
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}
