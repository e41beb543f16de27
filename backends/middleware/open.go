package middleware

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// patience is how long Open goes on trying: longer than a hiccup, and short enough for somebody who mistyped an address.
const patience = 3 * time.Second

// Open connects by the driver's open function. While that fails with Transient it tries again, for a few seconds: one answer that got
// lost must not fail a plan. Any other error, wrong credentials above all, is returned at once.
func Open(ctx context.Context, open func(context.Context) (backends.Backend, error)) (backends.Backend, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = DefaultRetry.First, time.Second
	start := time.Now()
	for {
		b, err := open(ctx)
		if backends.CodeOf(err) != backends.Transient || time.Since(start) > patience {
			return b, err
		}
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err // the cause, not that the time is over
		}
	}
}
