package pvesim

import (
	"context"
	"strconv"
	"time"
)

// How long tasks wait for the lock of a VM's configuration, where that is not the 10 s of most: for that of a VM that is
// cloned, and for that of the owner of a disk that is imported.
const (
	lockWait   = 10 * time.Second
	cloneWait  = time.Second
	importWait = 30 * time.Second
)

// patience is how long is waited for a lock for which Proxmox VE waits so long.
func (c *cluster) patience(real time.Duration) time.Duration {
	return time.Duration(float64(real) * (float64(c.opts.LockWait) / float64(lockWait)))
}

// lockConfig takes the lock of a VM's configuration, waiting as long as Proxmox VE does. It is called with mu
// held, lets go of it while it waits, and returns what gives the lock back.
func (c *cluster) lockConfig(ctx context.Context, m *machine) (release func(), err error) {
	return c.lockWithin(ctx, m, c.opts.LockWait, nil)
}

// lockWithin is lockConfig that waits not longer than patience. It returns nothing where it waits and shared is closed.
func (c *cluster) lockWithin(ctx context.Context, m *machine, patience time.Duration, shared <-chan struct{}) (release func(), err error) {
	release = func() { m.flock <- struct{}{} }
	select {
	case <-m.flock:
		return release, nil
	default:
	}
	c.unlocked(func() {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-m.flock:
		case <-shared:
			release = nil
		case <-timer.C:
			err = die("can't lock file '%s' - got timeout", lockFile(m))
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	if err != nil {
		return nil, err
	}
	return release, nil
}

func lockFile(m *machine) string {
	if m.lxc {
		return "/run/lock/lxc/pve-config-" + strconv.Itoa(m.id) + ".lock"
	}
	return "/var/lock/qemu-server/lock-" + strconv.Itoa(m.id) + ".conf"
}

// takeLock is lockConfig with what a task logs about it.
func (w *worker) takeLock(m *machine) (release func(), err error) {
	return w.takeLockWithin(m, w.opts.LockWait, nil)
}

func (w *worker) takeLockWithin(m *machine, patience time.Duration, shared <-chan struct{}) (release func(), err error) {
	waits := len(m.flock) == 0
	if waits {
		w.say("trying to acquire lock...")
	}
	release, err = w.lockWithin(w.ctx, m, patience, shared)
	if err == nil && waits {
		w.say(" OK")
	}
	return release, err
}

// lockSource takes the lock of a VM whose disks are read, which several tasks may do at a time, unless it runs. It waits
// as takeLock does, for as long as Proxmox VE waits for real.
func (w *worker) lockSource(m *machine, real time.Duration) (release func(), err error) {
	if m.running {
		return w.takeLockWithin(m, w.patience(real), nil)
	}
	for deadline := time.Now().Add(w.patience(real)); m.sharers == 0; {
		if m.shared == nil {
			m.shared = make(chan struct{})
		}
		free, err := w.takeLockWithin(m, time.Until(deadline), m.shared)
		if err != nil {
			return nil, err
		}
		if free == nil {
			continue // another has it, to share it
		}
		m.unshare = free
		close(m.shared)
		m.shared = nil
		break
	}
	m.sharers++
	return func() {
		if m.sharers--; m.sharers == 0 {
			m.unshare()
		}
	}, nil
}
