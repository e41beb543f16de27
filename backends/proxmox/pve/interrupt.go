package pve

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

// interrupted is the error of what ended, or could not, because ctx did.
func interrupted(ctx context.Context, text string) error {
	return &backends.Error{Code: backends.CodeOf(ctx.Err()), Err: &interruption{ctx.Err(), text}}
}

func (i *interruption) Error() string { return i.text }
func (i *interruption) Unwrap() error { return i.cause }

// outlive returns a context with ctx's values that ends a while after it. Release frees what it holds.
func outlive(ctx context.Context, d time.Duration) (_ context.Context, release func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		sleep(longer, d)
		cancel()
	})
	return longer, func() {
		stop()
		cancel()
	}
}
