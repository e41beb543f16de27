package disk

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Create implements resource.Resource. A disk that exists is in state, also
// where it is not what was asked for.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, plan.Timeouts.Create, createTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Create, err)
		return
	}
	r.data.Changing()
	made, err := b.CreateDisk(ctx, plan.spec())
	if made.ID != "" {
		plan.complete(made)
		resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
		r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, made.ID)
	}
	if err == nil {
		err = asAsked(made, plan.SizeGiB.ValueInt64())
	}
	r.data.AddError(&resp.Diagnostics, tfx.Create, backends.Wrap(err, "create", backends.DiskObject(plan.Name.ValueString())))
}

// asAsked holds the size that a disk has against the one that it was to get.
func asAsked(v backends.Volume, sizeGiB int64) error {
	if v.Disk.SizeGiB != nil && *v.Disk.SizeGiB == sizeGiB {
		return nil
	}
	had := int64(0)
	if v.Disk.SizeGiB != nil {
		had = *v.Disk.SizeGiB
	}
	return backends.Errorf(backends.Internal, "", "", "the hypervisor reported success, but the disk has %d GiB instead of %d", had, sizeGiB).At("size_gib")
}
