package disk

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Delete implements resource.Resource. What is gone already is success.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	// The plan has refused this already, other than where the resource was
	// marked for replacement by hand: such a plan shows no state to look at.
	if refuse(&resp.Diagnostics, &state, "destroyed"); resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, state.Timeouts.Delete, deleteTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	if err == nil {
		r.data.Changing()
		err = machine.DeleteDisk(ctx, b, state.ID.ValueString())
	}
	r.data.AddError(&resp.Diagnostics, tfx.Delete, backends.Wrap(err, "delete", backends.DiskObject(state.Name.ValueString())))
}
