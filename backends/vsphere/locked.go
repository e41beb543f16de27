package vsphere

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// whileLocked repeats fn at growing intervals while it fails with Locked and ctx lasts.
func whileLocked(ctx context.Context, fn func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, time.Second
	var last error
	for {
		err := fn()
		if ctx.Err() != nil && last != nil && err != nil {
			return last // the cause, not that the time is over
		}
		if !isStale(err) {
			return err
		}
		last = err
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
