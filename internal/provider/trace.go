package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
)

// trace logs each call that reached the hypervisor, at debug level. It names
// objects and never shows what was sent.
func trace(ctx context.Context, c middleware.Call, took time.Duration, err error) {
	fields := map[string]any{"object": c.Object, "milliseconds": took.Milliseconds()}
	if err != nil {
		fields["code"] = string(backends.CodeOf(err))
	}
	tflog.Debug(ctx, "hypervisor call "+c.Method, fields)
}
