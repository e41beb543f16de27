package snapshot

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Update implements resource.Resource: it describes the snapshot anew, and reverts
// the VM where a trigger says so. All else that can change in place is Terraform's own.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, prior model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, plan.Timeouts.Update, updateTimeout)
	defer cancel()
	if !plan.Description.Equal(prior.Description) {
		if err := r.describe(ctx, &plan); err != nil {
			r.data.AddError(&resp.Diagnostics, tfx.Update, err)
			return
		}
		prior.Description = plan.Description
		resp.Diagnostics.Append(resp.State.Set(ctx, &prior)...)
	}
	if plan.Current.IsUnknown() { // a revert was planned, or could not be ruled out
		if err := r.revert(ctx, &prior, &plan); err != nil {
			r.data.AddError(&resp.Diagnostics, tfx.Update, err)
			return
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, plan.ID.ValueString())
}

func (r *Resource) describe(ctx context.Context, plan *model) error {
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		return err
	}
	r.data.Changing()
	return b.DescribeSnapshot(ctx, plan.vm(), plan.snapshot(), plan.Description.ValueString())
}

// revert returns the VM to the snapshot and completes plan.
func (r *Resource) revert(ctx context.Context, prior, plan *model) error {
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		return err
	}
	if plan.reverts(prior) {
		r.data.Changing()
		power := backends.PowerState(plan.RevertPowerState.ValueString())
		if err := machine.Revert(ctx, b, plan.vm(), plan.snapshot(), power, machine.DefaultShutdown); err != nil {
			return backends.Wrap(err, "revert", backends.VMObject(plan.VMID.ValueString()))
		}
	}
	s, err := find(ctx, b, plan.vm(), plan.snapshot())
	if err != nil {
		return err
	}
	// What the plan knew must stay as it was; the next read brings it up to date.
	now := *plan
	now.observe(s)
	plan.Current = now.Current
	if plan.SizeBytes.IsUnknown() {
		plan.SizeBytes = now.SizeBytes
	}
	return nil
}
