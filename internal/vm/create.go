package vm

import (
	"context"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// Create implements resource.Resource. As soon as the VM exists its id is in
// state, so that whatever fails or is interrupted later leaves a tainted VM and
// never a forgotten one.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	c := r.coder(&resp.Diagnostics)
	plan, config := c.decode(ctx, req.Plan.Raw), c.decode(ctx, req.Config.Raw)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, plan.Timeouts.Create, createTimeout)
	defer cancel()
	b, info, err := r.data.Connect(ctx)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Create, err)
		return
	}
	r.data.Changing()
	spec := plan.Spec()
	withUserData(spec, config)
	withPassword(spec, config)
	config.Customization.Secrets(spec)
	spec.CreateToken = uuid.NewString()
	clone, err := r.origin.clone(ctx, b, plan, spec)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Create, err)
		return
	}

	id, warnings, err := machine.Create(ctx, b, spec, clone, machine.CreateOptions{
		Power:   initialPower(plan),
		Wait:    plan.WaitFor.Options(),
		Created: func(id backends.ID) { r.remember(ctx, c, plan, id, info.Backend, resp) },
	})
	tfx.AddWarnings(&resp.Diagnostics, warnings)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Create, err)
		return
	}
	vm, err := look(ctx, b, id, backends.AspectGuestDetail)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Create, err)
		return
	}
	resp.State.Raw = c.applied(ctx, req.Plan.Raw, vm, info.Backend)
}

// remember puts a VM that exists, and of which no more is known yet, into
// state. Should it stay at that, the VM is tainted; it is then not protected,
// because the next apply must be able to clean it up.
func (r *Resource) remember(ctx context.Context, c coder, plan *vmschema.VM, id backends.ID, kind backends.Kind, resp *resource.CreateResponse) {
	partial, name, backend, unprotected := *plan, string(id), string(kind), false
	partial.ID, partial.Backend, partial.Protected = &name, &backend, &unprotected
	resp.State.Raw = c.encode(ctx, &partial)
	r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, string(id))
}

// initialPower is the state to leave a new VM in.
func initialPower(plan *vmschema.VM) backends.PowerState {
	if plan.PowerState == nil {
		return backends.Running
	}
	return backends.PowerState(*plan.PowerState)
}
