package snapshot

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Delete implements resource.Resource. What is gone already is success.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, state.Timeouts.Delete, deleteTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	if err == nil {
		r.data.Changing()
		err = b.DeleteSnapshot(ctx, state.vm(), state.snapshot(), state.RemoveChildren.ValueBool())
	}
	if err == nil || errors.Is(err, backends.ErrNotFound) {
		return
	}
	r.data.AddError(&resp.Diagnostics, tfx.Delete,
		backends.Wrap(err, "delete "+object(state.Name.ValueString()), backends.VMObject(state.VMID.ValueString())))
}
