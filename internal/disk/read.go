package disk

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Read implements resource.Resource. Only the hypervisor's own "not found" takes
// a disk out of state.
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
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, state.Timeouts.Read, readTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		if !r.data.Repeated(err) {
			r.data.AddError(&resp.Diagnostics, tfx.Read, err)
		}
		return
	}
	v, err := b.GetDisk(ctx, state.ID.ValueString())
	switch {
	case errors.Is(err, backends.ErrNotFound):
		resp.State.RemoveResource(ctx)
		return
	case err != nil:
		r.data.AddError(&resp.Diagnostics, tfx.Read, backends.Wrap(err, "read", backends.DiskObject(state.ID.ValueString())))
		return
	}
	if state.Name.IsNull() { // imported
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, guessedKey, []byte("true"))...)
	}
	state.complete(v)
	state.observe(v)
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}

// ImportState implements resource.ResourceWithImportState: by id or by identity.
// Only the id goes into state; Read adopts the rest.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	id := r.data.Imported(ctx, req, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
	r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, id)
}
