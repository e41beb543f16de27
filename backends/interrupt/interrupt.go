// Package interrupt is what drivers share for the end of a context while a hypervisor is at work.
package interrupt

import (
	"context"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// interruption is the end of a context while something was under way.
type interruption struct {
	cause error // the context's
	text  string
}

// Error is the error of what ended, or could not, because ctx did: Canceled or Timeout.
func Error(ctx context.Context, text string) error {
	return &backends.Error{Code: backends.CodeOf(ctx.Err()), Err: Cause(ctx, text)}
}

// Cause is what Error is caused by: it reads as text, and wraps the context's error.
func Cause(ctx context.Context, text string) error { return &interruption{ctx.Err(), text} }

func (i *interruption) Error() string { return i.text }
func (i *interruption) Unwrap() error { return i.cause }

// Outlive returns a context with ctx's values that ends a while after it. Release frees what it holds.
func Outlive(ctx context.Context, d time.Duration) (_ context.Context, release func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-longer.Done():
		}
		cancel()
	})
	return longer, func() {
		stop()
		cancel()
	}
}
