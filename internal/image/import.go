package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

// ImportState takes the image's id, of whatever kind it is, or its identity. Where it came from is not known; the first
// configuration of url or local_path after an import is believed, unless both
// sides have digests and these differ.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	id := r.provider.Imported(ctx, req, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
	r.provider.Identify(ctx, resp.Identity, &resp.Diagnostics, id)
}
