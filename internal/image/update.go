package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
)

// Update takes over a source or a checksum that promises the same content, and
// timeouts. The image on the hypervisor stays as it is: whatever needs another
// one was planned as a replacement.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if plan.Fingerprint.IsUnknown() {
		plan.Fingerprint = state.Fingerprint
	}
	plan.observedAs(&state)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	r.provider.Identify(ctx, resp.Identity, &resp.Diagnostics, plan.ID.ValueString())
}

// observedAs fills what the plan left open from the state.
func (m *model) observedAs(state *model) {
	m.Kind = settle(m.Kind, state.Kind.ValueString())
	m.Format = settle(m.Format, state.Format.ValueString())
	m.TargetFormat = settle(m.TargetFormat, state.TargetFormat.ValueString())
	m.Storage = settle(m.Storage, state.Storage.ValueString())
	m.ID, m.Path, m.SizeBytes, m.Cached = state.ID, state.Path, state.SizeBytes, state.Cached
}
