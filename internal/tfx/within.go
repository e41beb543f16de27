package tfx

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Within bounds ctx by a timeout of a resource, given as the method that tells it and its default. What drivers warn of until the
// returned function is called is added to diags by it.
func Within(ctx context.Context, diags *diag.Diagnostics, timeout func(context.Context, time.Duration) (time.Duration, diag.Diagnostics), otherwise time.Duration) (context.Context, context.CancelFunc) {
	d, bad := timeout(ctx, otherwise)
	diags.Append(bad...)
	if d <= 0 {
		d = otherwise
	}
	ctx, told := heed(ctx, diags)
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, func() {
		cancel()
		told()
	}
}

// heed collects what drivers warn of until told is called, which adds it to diags, each warning once. What comes later is dropped.
func heed(ctx context.Context, diags *diag.Diagnostics) (_ context.Context, told func()) {
	var mu sync.Mutex
	var all []backends.Warning
	over := false
	ctx = backends.WithWarnings(ctx, func(w backends.Warning) {
		mu.Lock()
		defer mu.Unlock()
		if !over && !slices.Contains(all, w) {
			all = append(all, w)
		}
	})
	return ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			AddWarnings(diags, all)
		}
		over = true
	}
}
