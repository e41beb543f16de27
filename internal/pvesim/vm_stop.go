package pvesim

import (
	"strconv"
	"time"
)

// shutdownTime is how long a guest has to shut down where nobody says.
const shutdownTime = 60 * time.Second

// stop turns a machine off at once, as a task does. What waited for that becomes the configuration. It is called with mu held.
func (c *cluster) stop(m *machine) {
	if !m.running {
		return
	}
	c.ends(m)
	w := &worker{cluster: c, ctx: c.ctx, task: &task{}}
	w.applyPending(nil, m, map[string]string{}, false)
}

// ends is the end of a machine that no task asked for: its guest turned it off, or its node died. What waits goes on waiting for the next start. One
// that reboots is started again, by a task.
func (c *cluster) ends(m *machine) {
	c.powerOff(m)
	if m.reboots {
		m.reboots = false
		c.startLater(m)
	}
}

// rebootGap is how long a VM that reboots is off, before it is noticed and started again.
const rebootGap = 100 * time.Millisecond

// startLater starts a VM again that went off to reboot, unless something else befell it meanwhile.
func (c *cluster) startLater(m *machine) {
	c.work.Go(func() {
		timer := time.NewTimer(rebootGap)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.machines[m.id] == m && !m.running {
			c.forkAs(&login{name: "root@pam"}, m.node.name, "qmstart", strconv.Itoa(m.id), startTask(m.node.name, m.id))
		}
	})
}

// powerOff ends what runs of a machine. What waits for a stop goes on waiting.
func (c *cluster) powerOff(m *machine) {
	m.running, m.paused, m.pid = false, false, 0
	c.guestStopped(m)
	if c.haManaged(m) {
		c.haWake()
	}
}

// ending is how a machine is to be stopped.
type ending struct {
	shutdown bool // ask the guest
	force    bool // turn it off where that takes too long
	timeout  time.Duration
	timed    bool // timeout was given
	skipLock bool
}

// stopAs stops a machine. It is called with mu and the lock of the machine's configuration held, and lets go of mu
// while it waits for the guest.
func (w *worker) stopAs(m *machine, e ending) error {
	if !m.running {
		return nil
	}
	if !e.skipLock {
		if err := m.checkLock(); err != nil {
			return err
		}
	}
	if !e.shutdown {
		w.stop(m)
		return nil
	}
	if !e.timed {
		e.timeout = shutdownTime
		if down := (section{"down": property(m.config["startup"], "down", "")}).num("down", 0); down > 0 {
			e.timeout = time.Duration(down) * time.Second
		}
	}
	if most := w.opts.ShutdownWait; most > 0 {
		e.timeout = min(e.timeout, most)
	}
	if agentEnabled(m.config["agent"]) && !w.guestAnswers(m) {
		w.say("QEMU Guest Agent is not running - VM %d qmp command 'guest-ping' failed - got timeout", m.id)
	}
	stopped, err := w.awaitGuest(m, e.timeout)
	switch {
	case err != nil || stopped:
		return err
	case !e.force:
		return die("VM quit/powerdown failed - got timeout")
	}
	w.say("VM still running - terminating now with SIGTERM")
	w.stop(m)
	return nil
}

// awaitGuest asks the guest to shut down and waits until it did, but not longer than patience.
func (w *worker) awaitGuest(m *machine, patience time.Duration) (stopped bool, err error) {
	begun := time.Now()
	deadline := begun.Add(patience)
	after, obeys := w.guestObeys(m)
	for m.running {
		now := time.Now()
		if obeys && now.Sub(begun) >= after {
			w.stop(m)
			return true, nil
		}
		if !now.Before(deadline) {
			return false, nil
		}
		w.unlocked(func() { err = w.pause(min(10*time.Millisecond, deadline.Sub(now))) })
		if err != nil {
			return false, err
		}
		if !obeys {
			begun = time.Now()
			after, obeys = w.guestObeys(m) // the guest may have been told to behave
		}
	}
	return true, nil
}
