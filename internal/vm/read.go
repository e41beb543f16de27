package vm

import (
	"cmp"
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// Read implements resource.Resource. Only the hypervisor's own "not found"
// takes a VM out of state.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	c := newCoder(&resp.Diagnostics)
	prior := c.decode(ctx, req.State.Raw)
	if resp.Diagnostics.HasError() {
		return
	}
	id, kind := backends.ID(deref(prior.ID)), backends.Kind(deref(prior.Backend))
	identify(ctx, resp.Identity, &resp.Diagnostics, id, cmp.Or(kind, r.data.Kind()))
	if !r.data.Configured() { // nothing to ask: what state says stays
		return
	}
	ctx, cancel := within(ctx, &resp.Diagnostics, prior.Timeouts.Read, readTimeout)
	defer cancel()
	b, info, err := r.data.Connect(ctx)
	if err != nil {
		if !r.data.Repeated(err) {
			r.data.AddError(&resp.Diagnostics, tfx.Read, err)
		}
		return
	}
	var more backends.Aspects
	if adopting(prior) {
		more = backends.AspectSeed
	}
	vm, err := look(ctx, b, id, more)
	switch {
	case errors.Is(err, backends.ErrNotFound):
		resp.State.RemoveResource(ctx)
		return
	case err != nil:
		r.data.AddError(&resp.Diagnostics, tfx.Read, err)
		return
	}
	now := vmschema.Flatten(vm, info.Backend, known(prior))
	resp.State.Raw = c.encode(ctx, now)
}

// adopting reports whether a state holds no more than an id: it was imported.
func adopting(state *vmschema.VM) bool { return state.Name == nil }

// known is prior, or nil for one that was imported.
func known(prior *vmschema.VM) *vmschema.VM {
	if adopting(prior) {
		return nil
	}
	return prior
}
