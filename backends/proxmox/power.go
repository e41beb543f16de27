package proxmox

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// situation is what decides about a VM's power.
type situation struct {
	resident
	HA struct {
		Managed pve.Bool `json:"managed"`
		State   pve.Text `json:"state"`
	} `json:"ha"`
	Agent pve.Bool `json:"agent"` // whether the configuration has one
}

// look reads what decides about a VM's power, at once.
func (b *Backend) look(ctx context.Context, id backends.ID) (s situation, err error) {
	err = b.on(ctx, id, func(node string, vmid int64) error {
		s = situation{}
		s.node = node
		return b.conn.Get(ctx, pve.Path("nodes", node, "qemu", vmid, "status", "current"), nil, &s)
	})
	return s, err
}

// transition is a request to PVE: the last part of its path, and its parameters.
type transition struct {
	call string
	form map[string]any
	ask  bool // the guest decides: the task is not awaited
}

type step struct {
	from   backends.PowerState
	action backends.PowerAction
}

var transitions = map[step]transition{
	{backends.Stopped, backends.PowerOn}:   {call: "start"},
	{backends.Suspended, backends.PowerOn}: {call: "start"}, // takes up the memory on disk
	{backends.Suspended, backends.Resume}:  {call: "start"},
	{backends.Paused, backends.PowerOn}:    {call: "resume"},
	{backends.Paused, backends.Resume}:     {call: "resume"},
	{backends.Running, backends.PowerOff}:  {call: "stop"},
	{backends.Paused, backends.PowerOff}:   {call: "stop"},
	{backends.Running, backends.Reset}:     {call: "reset"},
	{backends.Running, backends.Suspend}:   {call: "suspend", form: map[string]any{"todisk": true}},
	{backends.Paused, backends.Suspend}:    {call: "suspend", form: map[string]any{"todisk": true}},
	{backends.Running, backends.Pause}:     {call: "suspend"},
	{backends.Running, backends.Shutdown}:  {call: "shutdown", ask: true},
	{backends.Running, backends.Reboot}:    {call: "reboot", ask: true},
}

// SetPower makes one transition, and looks what came of it: tasks of Proxmox VE succeed where nothing happened, and
// where high availability has only taken note.
func (b *Backend) SetPower(ctx context.Context, id backends.ID, action backends.PowerAction) error {
	op := action.Verb()
	s, err := b.look(ctx, id)
	if err != nil {
		return fault.Wrap(err, op, backends.VMObject(string(id)))
	}
	return fault.Wrap(b.nameHolder(ctx, id, b.setPower(ctx, id, s, action)), op, backends.VMObject(s.name()))
}

func (b *Backend) setPower(ctx context.Context, id backends.ID, s situation, action backends.PowerAction) error {
	now, want := s.power(), action.Settled()
	if now == want || now == backends.Stopped && action == backends.Shutdown {
		if !s.undoes(now) {
			return nil
		}
		now = undone[now] // high availability has to be told as if it were
	}
	if s.Template && action == backends.PowerOn {
		return backends.Errorf(backends.Precondition, "", "", "it is a template, which never runs").
			Advise("Make a VM of it, with template or virtrigaud_clone.")
	}
	if now == backends.Suspended && action == backends.PowerOff {
		return b.discardMemory(ctx, id)
	}
	t, ok := transitions[step{now, action}]
	if !ok {
		return backends.Errorf(backends.Precondition, "", "", "the VM is %s", now).Advise("%s", powerRemedy(now))
	}
	err := b.transit(ctx, id, s, t)
	if want == "" {
		return err
	}
	if err != nil {
		// Somebody else was quicker, or the answer was lost, and the task may still be at work: what counts is the state that it comes to.
		if ctx.Err() != nil {
			return err
		}
		if lost(err) {
			if b.reach(ctx, id, want, false) == nil {
				return nil
			}
		} else if after, lookErr := b.look(ctx, id); lookErr == nil && after.power() == want && !after.undoes(want) {
			return nil
		}
		return err
	}
	return b.reach(ctx, id, want, bool(s.HA.Managed))
}

// transit asks for a transition and waits for its task, other than for what the guest decides.
func (b *Backend) transit(ctx context.Context, id backends.ID, s situation, t transition) error {
	defer b.estate.changed()
	return b.on(ctx, id, func(node string, vmid int64) error {
		path := pve.Path("nodes", node, "qemu", vmid, "status", t.call)
		switch {
		case t.ask && bool(s.HA.Managed) && t.call == "shutdown":
			var upid pve.Text
			return b.conn.Post(ctx, path, patience(ctx), &upid)
		case t.ask:
			var upid pve.Text
			return b.conn.Post(ctx, path, t.form, &upid)
		case t.call == "stop" && !bool(s.HA.Managed): // its own shutdown must not fail, or it gives the VM up
			b.overrule(ctx, node, vmid)
		}
		_, err := b.conn.Task(ctx, t.call, backends.VMObject(s.name()), "POST", path, t.form)
		return err
	})
}

// patience is how long high availability gives a guest that is asked to shut down, before it stops the VM: for as long as the caller waits. It would
// be a minute.
func patience(ctx context.Context) map[string]any {
	end, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	return map[string]any{"timeout": int64(max(time.Until(end), 0)/time.Second) + 1}
}

// undoes reports whether high availability is going to bring the VM out of a state that it is in.
func (s situation) undoes(state backends.PowerState) bool {
	if !s.HA.Managed {
		return false
	}
	switch s.HA.State {
	case "started", "request_start", "request_start_balance", "migrate", "relocate", "recovery":
		return state == backends.Stopped
	case "request_stop", "stopped":
		return state == backends.Running
	}
	return false
}

// undone are the states that high availability brings a VM into.
var undone = map[backends.PowerState]backends.PowerState{backends.Stopped: backends.Running, backends.Running: backends.Stopped}

// overrule ends the tasks that wait for a VM's guest to do as it was asked: they hold the lock of the VM for as long. Those of others that the
// account may not end stay, and so does what cannot be asked for: the stop then says what is in its way. Proxmox VE has a parameter for that, which
// older versions do not take and which leaves reboots alone.
func (b *Backend) overrule(ctx context.Context, node string, vmid int64) {
	rows, err := b.taskRows(ctx, []string{node}, url.Values{"source": {"active"}, "vmid": {strconv.FormatInt(vmid, 10)}})
	if err != nil {
		return
	}
	for _, r := range rows {
		if r.Type == "qmshutdown" || r.Type == "qmreboot" {
			_ = b.conn.Delete(ctx, pve.Path("nodes", node, "tasks", string(r.UPID)), nil, nil)
		}
	}
}

// The bounds of the pauses between looks at a VM that is waited for, and how long a VM may take to show a state after its
// task has ended.
const (
	firstLook = 20 * time.Millisecond
	lastLook  = 2 * time.Second
	grace     = 5 * time.Second
)

// reach waits until a VM is in the state that its task has led to. High availability makes the change itself, later.
func (b *Backend) reach(ctx context.Context, id backends.ID, want backends.PowerState, managed bool) error {
	bounded := ctx
	if !managed {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, grace)
		defer cancel()
	}
	now, err := b.await(bounded, id, want)
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil && bounded.Err() != nil:
		return backends.Errorf(backends.Precondition, "", "", "Proxmox VE says that it is done, and the VM is %s, not %s", now.power(), want).
			Advise("Look at the VM's task log in Proxmox VE: its guest, or QEMU, may have ended at once.")
	case ctx.Err() != nil && bool(now.HA.Managed):
		return backends.Errorf(backends.CodeOf(ctx.Err()), "", "", "high availability was asked for it and has the VM in the state %q, which is %s, not %s: %w", now.HA.State, now.power(), want, ctx.Err()).
			Advise("See what it does: ha-manager status, and the journals of pve-ha-crm and pve-ha-lrm on the node %s.", now.node)
	default:
		return err
	}
}

// await looks at growing intervals until the VM is in a state to stay, and returns what it saw last.
// A VM that high availability has given up on will not come there.
func (b *Backend) await(ctx context.Context, id backends.ID, want backends.PowerState) (last situation, err error) {
	last.Status = "unknown"
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		s, err := b.look(ctx, id)
		switch {
		case err == nil:
			if last = s; s.power() == want && !s.undoes(want) {
				b.estate.changed() // by the guest, perhaps: what was listed is old
				return last, nil
			}
			if s.HA.Managed && s.HA.State == "error" {
				return last, backends.Errorf(backends.Precondition, "", "", "high availability has the VM in the state error, and does nothing with it").
					Advise("Mend what went wrong, then disable and enable it again: ha-manager set vm:%s --state disabled", id)
			}
		case backends.CodeOf(err) != backends.Transient:
			return last, err
		}
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// WaitPower reads at growing intervals until the VM is in the state.
func (b *Backend) WaitPower(ctx context.Context, id backends.ID, state backends.PowerState) error {
	object := backends.VMObject(string(id))
	_, err := b.await(ctx, id, state)
	return fault.Wrap(err, "wait until "+object+" is "+string(state), object)
}

// discardMemory stops a suspended VM. Proxmox VE has no call that throws the memory on disk away, and refuses to
// change or remove the VM while it has it; so the VM is resumed and stopped at once.
func (b *Backend) discardMemory(ctx context.Context, id backends.ID) error {
	for _, action := range []backends.PowerAction{backends.Resume, backends.PowerOff} {
		s, err := b.look(ctx, id)
		if err != nil {
			return err
		}
		if err := b.setPower(ctx, id, s, action); err != nil {
			return err
		}
	}
	return nil
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
