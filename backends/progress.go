package backends

import "context"

// Progress is one report of a running operation.
type Progress struct {
	Op      string // "upload image", "create VM"
	Object  string // `VM "web"`
	Task    string // the hypervisor's task id, where it has one
	Percent int    // 0 to 100, -1 where unknown
	Done    int64  // bytes transferred, 0 where that means nothing
	Total   int64  // bytes to transfer, -1 where unknown
}

type progressKey struct{}

// WithProgress returns a context through which Report calls fn. Reports may
// come from several goroutines.
func WithProgress(ctx context.Context, fn func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, fn)
}

// Report tells the caller of an operation how far it is. It does nothing where
// nobody asked.
func Report(ctx context.Context, p Progress) {
	if fn, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		fn(p)
	}
}

// Reported tells whether somebody asked for reports, where finding out how far an operation is costs something.
func Reported(ctx context.Context) bool {
	_, ok := ctx.Value(progressKey{}).(func(Progress))
	return ok
}
