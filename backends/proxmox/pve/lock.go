package pve

import (
	"context"
	"errors"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/interrupt"
)

// Intervals between tries to do what a lock forbids. Proxmox VE waits ten seconds for the lock of a configuration by itself.
const (
	firstTry   = 200 * time.Millisecond
	longestTry = 5 * time.Second
)

// WhileLocked repeats f while its error is Locked, until ctx ends: another operation, a backup or another apply, holds
// the object, and f did nothing. f is a request, or a task that fails before it begins. What ends the wait is Canceled or
// Timeout, and says what holds the object.
func WhileLocked(ctx context.Context, f func() error) error {
	for pause := firstTry; ; pause = min(2*pause, longestTry) {
		err := f()
		var locked *backends.Error
		if !errors.As(err, &locked) || locked.Code != backends.Locked {
			return err
		}
		if !sleep(ctx, jitter(pause)) {
			e := *locked
			why := "it stayed locked until the time was over: "
			if e.Code = backends.CodeOf(ctx.Err()); e.Code == backends.Canceled {
				why = "interrupted while it was locked: "
			}
			e.Err = &outlasted{interrupt.Cause(ctx, why+locked.Err.Error()), locked.Err}
			return &e
		}
	}
}

// outlasted is the end of a wait for a lock.
type outlasted struct {
	error
	lock error
}

func (o *outlasted) Unwrap() []error { return []error{o.error, o.lock} }
