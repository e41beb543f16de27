package disk

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Update implements resource.Resource: a disk grows, and all else that can
// change in place is Terraform's own.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, prior model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, plan.Timeouts.Update, updateTimeout)
	defer cancel()
	if plan.SizeGiB.ValueInt64() > prior.SizeGiB.ValueInt64() {
		if err := r.grow(ctx, prior.ID.ValueString(), plan.SizeGiB.ValueInt64()); err != nil {
			r.data.AddError(&resp.Diagnostics, tfx.Update, backends.Wrap(err, "resize", backends.DiskObject(prior.Name.ValueString())))
			return
		}
	}
	if !plan.Provisioning.Equal(prior.Provisioning) { // no longer a guess
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, guessedKey, []byte("false"))...)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, prior.ID.ValueString())
}

// grow resizes a disk and reads back what came of it.
func (r *Resource) grow(ctx context.Context, id string, sizeGiB int64) error {
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		return err
	}
	r.data.Changing()
	if err := b.ResizeDisk(ctx, id, sizeGiB); err != nil {
		return err
	}
	v, err := b.GetDisk(ctx, id)
	if err != nil {
		return err
	}
	return asAsked(v, sizeGiB)
}
