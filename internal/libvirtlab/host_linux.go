package libvirtlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// dialInside connects to a TCP address in the network namespace of process pid.
func dialInside(ctx context.Context, pid int, address string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// Never unlocked: the thread has changed its namespace for good, and ends with this goroutine.
		runtime.LockOSThread()
		conn, err := func() (net.Conn, error) {
			ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
			if err != nil {
				return nil, err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return nil, fmt.Errorf("enter the network of the lab: %w", err)
			}
			// A literal address is dialled on this very thread.
			return (&net.Dialer{}).DialContext(ctx, "tcp4", address)
		}()
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// lockFile waits for the exclusive lock of a file, which is made if needed. Closing it gives the lock back.
func lockFile(ctx context.Context, name string) (*os.File, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := tryLockFile(name)
		if err == nil {
			return f, nil
		}
		if !isBusy(err) {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", name, ctx.Err())
		}
	}
}

func tryLockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func isBusy(err error) bool { return errors.Is(err, unix.EWOULDBLOCK) }
