package backends

import "context"

// Warning is something that a user should know of an operation that did not fail: what the hypervisor warned of, or what was left
// behind to be removed later.
type Warning struct {
	Path    Path // the attribute that it is about, or ""
	Summary string
	Detail  string
}

type warningKey struct{}

// WithWarnings returns a context through which Warn calls fn. Warnings may come from several goroutines, and the same one more than
// once where an operation is repeated.
func WithWarnings(ctx context.Context, fn func(Warning)) context.Context {
	return context.WithValue(ctx, warningKey{}, fn)
}

// Warn tells the caller of an operation what its user should know. It does nothing where nobody asked.
func Warn(ctx context.Context, w Warning) {
	if fn, ok := ctx.Value(warningKey{}).(func(Warning)); ok {
		fn(w)
	}
}
