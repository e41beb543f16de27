package vm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// Read implements resource.Resource. Only the hypervisor's own "not found"
// takes a VM out of state.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	c := r.coder(&resp.Diagnostics)
	prior := c.decode(ctx, req.State.Raw)
	if resp.Diagnostics.HasError() {
		return
	}
	id := backends.ID(deref(prior.ID))
	r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, string(id))
	if !r.data.Configured() { // nothing to ask: what state says stays
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, prior.Timeouts.Read, readTimeout)
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
		more = backends.AspectSeed | backends.AspectGuestDetail
	}
	vm, err := look(ctx, b, id, more)
	if err == nil {
		err = reused(info.Backend, vm, prior)
	}
	switch {
	case errors.Is(err, backends.ErrNotFound):
		resp.State.RemoveResource(ctx)
		warnOfOrphans(&resp.Diagnostics, prior)
		return
	case err != nil:
		r.data.AddError(&resp.Diagnostics, tfx.Read, err)
		return
	}
	r.data.Managed(id)
	acquaint(ctx, b, vm, prior)
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

// warnOfOrphans names the disks of a VM that is gone: whoever removed the VM may
// have left them, and a VM made anew gets others.
func warnOfOrphans(diags *diag.Diagnostics, gone *vmschema.VM) {
	var left []string
	for _, key := range slices.Sorted(maps.Keys(gone.Disks)) {
		if d := gone.Disks[key]; d != nil && d.Path != nil && d.Volume == nil {
			left = append(left, fmt.Sprintf("%s (%s)", key, *d.Path))
		}
	}
	if len(left) == 0 {
		return
	}
	diags.AddWarning("A VM is gone, its disks may not be",
		fmt.Sprintf("VM %q (id %s) does not exist any more, so it leaves state. If it was not deleted with its disks, these are left on the hypervisor: %s. "+
			"Delete them there, or attach them to a VM (disks.*.volume).", deref(gone.Name), deref(gone.ID), strings.Join(left, ", ")))
}
