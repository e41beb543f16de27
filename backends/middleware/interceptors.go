package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Trace tells fn of every call, how long it took and how it ended.
func Trace(b backends.Backend, fn func(context.Context, Call, time.Duration, error)) backends.Backend {
	if fn == nil {
		return b
	}
	return Around(b, func(ctx context.Context, c Call, next func(context.Context) error) error {
		start := time.Now()
		err := next(ctx)
		fn(ctx, c, time.Since(start), err)
		return err
	})
}

// ReadTimeout bounds every read, so that a hypervisor that stopped answering is
// a Timeout and not a plan that hangs.
func ReadTimeout(b backends.Backend, d time.Duration) backends.Backend {
	if d <= 0 {
		return b
	}
	return Around(b, func(ctx context.Context, c Call, next func(context.Context) error) error {
		if !c.Read {
			return next(ctx)
		}
		bounded, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		err := next(bounded)
		if err != nil && bounded.Err() != nil && ctx.Err() == nil {
			return backends.Errorf(backends.Timeout, "read", c.Object, "no answer within request_timeout (%s): %w", d, err)
		}
		return err
	})
}

// Limit lets n calls through at once; the others wait for their turn. Calls
// that only wait take no turn.
func Limit(b backends.Backend, n int) backends.Backend {
	if n <= 0 {
		return b
	}
	turns := make(chan struct{}, n)
	return Around(b, func(ctx context.Context, c Call, next func(context.Context) error) error {
		if c.Waits {
			return next(ctx)
		}
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
			return backends.Wrap(ctx.Err(), "wait for a turn (max_parallel_operations)", c.Object)
		}
		defer func() { <-turns }()
		return next(ctx)
	})
}

// RetryPolicy says how long Retry goes on.
type RetryPolicy struct {
	First, Most time.Duration // pause before the second try, and the longest pause
	// Transient bounds the tries after dropped connections; a Locked object is
	// waited for until ctx ends.
	Transient time.Duration
}

// DefaultRetry is for hypervisors that people wait for.
var DefaultRetry = RetryPolicy{First: 200 * time.Millisecond, Most: 5 * time.Second, Transient: 30 * time.Second}

// Retry repeats calls that may be repeated while they fail with Transient or
// Locked, at growing, jittered intervals. Any other call is repeated only when
// the object was Locked, which says that nothing was done.
func Retry(b backends.Backend, p RetryPolicy) backends.Backend {
	return Around(b, func(ctx context.Context, c Call, next func(context.Context) error) error {
		pause := backoff.NewExponentialBackOff()
		pause.InitialInterval, pause.MaxInterval = p.First, p.Most
		start := time.Now()
		var held error // that the object was locked, the last time it was
		for {
			err := next(ctx)
			switch backends.CodeOf(err) {
			case backends.Locked:
				held = err
			case backends.Timeout, backends.Canceled:
				return afterLock(err, held)
			case backends.Transient:
				if !c.Repeatable || time.Since(start) > p.Transient {
					return err
				}
			default:
				return err
			}
			timer := time.NewTimer(pause.NextBackOff())
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return err // the cause, not that the time is over
			}
		}
	})
}

// afterLock adds to the end of the time what it was spent on, where that was a lock.
func afterLock(err, held error) error {
	var end, lock *backends.Error
	if !errors.As(err, &end) || !errors.As(held, &lock) {
		return err
	}
	c := *end
	c.Err = fmt.Errorf("%w; it was locked before: %w", end.Err, lock.Err)
	if c.Remedy == "" {
		c.Remedy = lock.Remedy
	}
	return &c
}
