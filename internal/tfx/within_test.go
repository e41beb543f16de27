package tfx

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func TestWithin(t *testing.T) {
	var diags diag.Diagnostics
	asked := func(_ context.Context, otherwise time.Duration) (time.Duration, diag.Diagnostics) {
		return otherwise, nil
	}
	ctx, cancel := Within(t.Context(), &diags, asked, time.Hour)
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Hour || time.Until(end) < time.Minute {
		t.Errorf("it ends at %v (%t)", end, ok)
	}
	for range 2 {
		backends.Warn(context.WithoutCancel(ctx), backends.Warning{Path: "disks", Summary: "once"})
	}
	backends.Warn(ctx, backends.Warning{Summary: "another"})
	if len(diags) != 0 {
		t.Errorf("told too early: %v", diags)
	}
	cancel()
	if ctx.Err() == nil {
		t.Error("the context goes on")
	}
	cancel()
	backends.Warn(ctx, backends.Warning{Summary: "late"})
	if diags.WarningsCount() != 2 || diags[0].Summary() != "once" || diags[1].Summary() != "another" {
		t.Errorf("told were %v", diags)
	}
}
