package vm

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Update implements resource.Resource. It carries out the very changes that
// the plan was checked with.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	c := r.coder(&resp.Diagnostics)
	plan, config, prior := c.decode(ctx, req.Plan.Raw), c.decode(ctx, req.Config.Raw), c.decode(ctx, req.State.Raw)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, plan.Timeouts.Update, updateTimeout)
	defer cancel()
	b, info, err := r.data.Connect(ctx)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Update, err)
		return
	}
	r.data.Changing()
	step := newTransition(prior, plan, config)
	if step.rewritesUserData() {
		withUserData(step.to, config)
	}
	if step.changesPassword() {
		withPassword(step.to, config)
	}
	config.Customization.Secrets(step.to)
	id := backends.ID(deref(prior.ID))
	if step.touches() {
		if err := machine.Apply(ctx, b, id, step.update(plan)); err != nil {
			r.data.AddError(&resp.Diagnostics, tfx.Update, err)
			return
		}
	}
	if wait := plan.WaitFor.Options(); wait != nil && step.readdresses(info.Catalogue) {
		warnings, err := machine.WaitFor(ctx, b, id, *wait)
		tfx.AddWarnings(&resp.Diagnostics, warnings)
		if err != nil {
			r.data.AddError(&resp.Diagnostics, tfx.Update, err)
			return
		}
	}
	vm, err := look(ctx, b, id, backends.AspectGuestDetail)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Update, err)
		return
	}
	resp.State.Raw = c.applied(ctx, req.Plan.Raw, vm, info.Backend)
	r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, string(id))
}
