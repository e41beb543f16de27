package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Delete removes the image. One that is gone already is success.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, state.Timeouts.Delete, deleteTimeout)
	defer cancel()

	backend, _, err := r.provider.Connect(ctx)
	if err == nil {
		r.provider.Changing()
		err = backend.DeleteImage(ctx, state.ID.ValueString())
	}
	if err != nil && backends.CodeOf(err) != backends.NotFound {
		r.provider.AddError(&resp.Diagnostics, tfx.Delete, named(err, "delete", &state))
	}
}
