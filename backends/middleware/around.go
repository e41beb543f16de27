// Package middleware wraps a Backend with what every driver needs and none
// should write: retries, a limit on parallel calls, a trace, and the joining of
// single reads into bulk ones. Each wrapper is a Backend and passes the same
// conformance suite.
package middleware

import (
	"context"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Options says how Wrap wraps.
type Options struct {
	// MaxParallel is how many calls the backend gets at once; 0 is no limit.
	MaxParallel int
	// ReadTimeout bounds every read; 0 is no bound.
	ReadTimeout time.Duration
	// Trace is told of every call that reached the driver; nil is nobody.
	Trace func(context.Context, Call, time.Duration, error)
	// ReadAhead lets a refresh of many VMs read those of a driver that is a backends.Estate in bulk.
	ReadAhead bool
}

// Wrap puts every middleware around b: reads are joined first, then retried,
// and each try is limited, bounded and traced by itself.
func Wrap(b backends.Backend, opts Options) backends.Backend {
	estate, isEstate := b.(backends.Estate)
	b = Trace(b, opts.Trace)
	b = ReadTimeout(b, opts.ReadTimeout)
	b = Limit(b, opts.MaxParallel)
	b = Retry(b, DefaultRetry)
	b = Batch(b, DefaultWindow)
	if opts.ReadAhead && isEstate {
		b = ReadAhead(b, estate)
	}
	return b
}

// Call describes one call of a Backend.
type Call struct {
	Method string // the method's name, such as "CreateVM"
	Object string // on what, as in errors: `VM "web"`, or "" for a call about many
	// Repeatable is set where a second call after a failed one does no harm.
	Repeatable bool
	// Read is set where the call changes nothing.
	Read bool
	// Waits is set where the call mostly waits and costs the backend nothing.
	Waits bool
}

// Interceptor runs a call by calling next, any number of times.
type Interceptor func(ctx context.Context, c Call, next func(context.Context) error) error

// Around returns b with every call going through fn.
func Around(b backends.Backend, fn Interceptor) backends.Backend {
	return &around{Backend: b, fn: fn}
}

type around struct {
	backends.Backend
	fn Interceptor
}

// through runs one call that answers a value and an error.
func through[T any](ctx context.Context, fn Interceptor, c Call, call func(context.Context) (T, error)) (T, error) {
	var result T
	err := fn(ctx, c, func(ctx context.Context) (err error) {
		result, err = call(ctx)
		return err
	})
	return result, err
}

func reading(method, object string) Call {
	return Call{Method: method, Object: object, Repeatable: true, Read: true}
}

func vm(id backends.ID) string { return backends.VMObject(string(id)) }
