package snapshot

import (
	"context"
	"errors"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Read implements resource.Resource. Only the hypervisor's own "not found", of
// the snapshot or of its VM, takes a snapshot out of state.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, state.ID.ValueString())
	if !r.data.Configured() { // nothing to ask: what state says stays
		return
	}
	r.data.ManagedSnapshot(state.ID.ValueString())
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, state.Timeouts.Read, readTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		if !r.data.Repeated(err) {
			r.data.AddError(&resp.Diagnostics, tfx.Read, err)
		}
		return
	}
	if state.VMID.IsNull() { // imported
		vm, snapshot, _ := strings.Cut(state.ID.ValueString(), "/")
		state.VMID, state.SnapshotID = types.StringValue(vm), types.StringValue(snapshot)
	}
	s, err := find(ctx, b, state.vm(), state.snapshot())
	switch {
	case errors.Is(err, backends.ErrNotFound):
		resp.State.RemoveResource(ctx)
		return
	case err != nil:
		r.data.AddError(&resp.Diagnostics, tfx.Read, err)
		return
	}
	r.data.ManagedSnapshot(state.ID.ValueString())
	if state.adopting() {
		state.adopt(s)
	}
	state.observe(s)
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}
