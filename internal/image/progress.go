package image

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// progressEvery is how often a transfer is logged.
const progressEvery = 5 * time.Second

// logProgress makes what a driver reports of its work a line of the log now and
// then.
func logProgress(ctx context.Context) context.Context {
	var mu sync.Mutex
	var last time.Time
	return backends.WithProgress(ctx, func(p backends.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if p.Percent != 100 && time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		tflog.Info(ctx, p.Op, map[string]any{
			"object": p.Object, "percent": p.Percent, "bytes": p.Done, "total_bytes": p.Total,
		})
	})
}
