package vsphere

import (
	"context"
	"errors"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// transition is how vSphere goes from one state into another. Tasks are awaited; what the guest is asked is not.
type transition struct {
	task func(*object.VirtualMachine, context.Context) (*object.Task, error)
	ask  func(*object.VirtualMachine, context.Context) error
}

type move struct {
	from   backends.PowerState
	action backends.PowerAction
}

// moves are the transitions that vSphere has. It suspends to disk and knows no pause.
var moves = map[move]transition{
	{backends.Stopped, backends.PowerOn}:    powerOn,
	{backends.Suspended, backends.PowerOn}:  powerOn, // resumes
	{backends.Suspended, backends.Resume}:   powerOn,
	{backends.Running, backends.PowerOff}:   {task: (*object.VirtualMachine).PowerOff},
	{backends.Suspended, backends.PowerOff}: {task: (*object.VirtualMachine).PowerOff}, // discards the memory
	{backends.Running, backends.Reset}:      {task: (*object.VirtualMachine).Reset},
	{backends.Running, backends.Suspend}:    {task: (*object.VirtualMachine).Suspend},
	{backends.Running, backends.Shutdown}:   {ask: (*object.VirtualMachine).ShutdownGuest},
	{backends.Running, backends.Reboot}:     {ask: (*object.VirtualMachine).RebootGuest},
}

var powerOn = transition{task: (*object.VirtualMachine).PowerOn}

// SetPower makes one transition.
func (b *Backend) SetPower(ctx context.Context, id backends.ID, action backends.PowerAction) error {
	op := action.Verb()
	if action == backends.Pause {
		return backends.Errorf(backends.Unsupported, op, backends.VMObject(string(id)), "vSphere does not pause VMs").
			Advise("Suspend the VM instead: its memory is then on disk.")
	}
	m, err := b.glance(ctx, id, op)
	if err != nil {
		return err
	}
	now := m.power()
	if now == action.Settled() || now == backends.Stopped && action == backends.Shutdown {
		return nil
	}
	if m.Config != nil && m.Config.Template && action == backends.PowerOn {
		return backends.Errorf(backends.Precondition, op, m.object(), "it is a template, which never runs").
			Advise("Make a VM of it, with template or virtrigaud_clone.")
	}
	t, ok := moves[move{now, action}]
	if !ok || now == backends.Stopped && action == backends.Resume {
		return backends.Errorf(backends.Precondition, op, m.object(), "the VM is %s", now).Advise("%s", powerRemedy(now))
	}
	since := b.started(ctx, m)
	err = b.move(ctx, m, op, t)
	if err != nil && ctx.Err() == nil && action.Settled() != "" {
		// Somebody else was quicker, or the answer was lost: what counts is the state it is in now.
		if now, readErr := b.glance(ctx, id, op); readErr == nil && now.power() == action.Settled() {
			return nil
		}
	}
	if err == nil && now == backends.Stopped && action == backends.PowerOn && m.awaitsCustomization() {
		return b.awaitCustomization(ctx, m, since)
	}
	return b.questioned(ctx, m, err)
}

// started is the server's time before a start that a customization comes with, after which its events are looked for.
func (b *Backend) started(ctx context.Context, m *machine) time.Time {
	if !m.awaitsCustomization() {
		return time.Time{}
	}
	now, err := methods.GetCurrentTime(ctx, b.conn.VIM())
	if err != nil {
		return time.Time{} // then all of the VM's events count
	}
	return *now
}

// awaitsCustomization reports whether the guest is going to be customized at the next start.
func (m *machine) awaitsCustomization() bool {
	return m.Config != nil && m.Config.Tools != nil && m.Config.Tools.PendingCustomization != ""
}

func (b *Backend) move(ctx context.Context, m *machine, op string, t transition) error {
	if t.ask != nil {
		return fault.Wrap(t.ask(b.vm(m.id()), ctx), op, m.object())
	}
	_, err := b.conn.Await(ctx, op, m.object(), func(ctx context.Context) (*object.Task, error) {
		return t.task(b.vm(m.id()), ctx)
	})
	return err
}

// questioned adds to an error the question that a VM waits to have answered: until then nothing else goes on.
func (b *Backend) questioned(ctx context.Context, m *machine, err error) error {
	var e *backends.Error
	if err == nil || !errors.As(err, &e) || ctx.Err() != nil {
		return err
	}
	now, readErr := b.glance(ctx, m.id(), e.Op)
	if readErr != nil || now.Runtime.Question == nil {
		return err
	}
	c := *e
	c.Code = backends.Precondition
	c.Err = errors.New("vSphere waits for an answer to the question: " + now.Runtime.Question.Text)
	return c.Advise("Answer it in the vSphere client, then apply again.")
}

func powerRemedy(now backends.PowerState) string {
	switch now {
	case backends.Suspended:
		return "Resume the VM first."
	case backends.Stopped:
		return "Start the VM first."
	default:
		return "Wait until the VM is in another state."
	}
}

// glance reads what of a VM decides about its power, in one call.
func (b *Backend) glance(ctx context.Context, id backends.ID, op string) (*machine, error) {
	vms, gone, err := b.retrieve(ctx, []backends.ID{id}, []string{"name", "runtime", "config.template", "config.tools"})
	switch {
	case err != nil:
		return nil, fault.Wrap(err, op, backends.VMObject(string(id)))
	case gone != "" || len(vms) == 0:
		return nil, backends.Wrap(missing(id).err, op, backends.VMObject(string(id)))
	}
	m := &machine{VirtualMachine: vms[0]}
	m.Name = plain(m.Name)
	return m, nil
}

// The bounds of the pauses between looks at a VM that is waited for.
const (
	firstLook = 20 * time.Millisecond
	lastLook  = 2 * time.Second
)

// WaitPower reads at growing intervals until the VM is in the state.
func (b *Backend) WaitPower(ctx context.Context, id backends.ID, state backends.PowerState) error {
	op := "wait until " + backends.VMObject(string(id)) + " is " + string(state)
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		m, err := b.glance(ctx, id, op)
		switch {
		case err == nil && m.power() == state:
			return nil
		case err != nil && backends.CodeOf(err) != backends.Transient:
			return err
		}
		select {
		case <-ctx.Done():
			return backends.Wrap(ctx.Err(), op, backends.VMObject(string(id)))
		case <-time.After(pause):
		}
	}
}
