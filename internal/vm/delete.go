package vm

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// Delete implements resource.Resource. What is gone already is success.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	c := r.coder(&resp.Diagnostics)
	state := c.decode(ctx, req.State.Raw)
	if resp.Diagnostics.HasError() {
		return
	}
	// The plan has refused this already, other than where the resource was
	// marked for replacement by hand: such a plan shows no state to look at.
	if refuse(&resp.Diagnostics, state, "destroyed"); resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, state.Timeouts.Delete, deleteTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Delete, err)
		return
	}
	r.data.Changing()
	err = machine.Delete(ctx, b, backends.ID(deref(state.ID)), state.Shutdown.Options(), backends.DeleteOptions{KeepDisks: kept(state)})
	r.data.AddError(&resp.Diagnostics, tfx.Delete, err)
}

// refuse adds an error where a protected VM would be lost.
func refuse(diags *diag.Diagnostics, state *vmschema.VM, what string) {
	if !deref(state.Protected) {
		return
	}
	diags.AddAttributeError(path.Root("protected"), "This VM is protected",
		fmt.Sprintf("VM %q has protected = true in state, so it cannot be %s. Set protected = false, apply that, and try again.", deref(state.Name), what))
}

// kept are the keys of disks that are detached, not deleted.
func kept(state *vmschema.VM) []string {
	var keys []string
	for key, d := range state.Disks {
		if d != nil && deref(d.KeepOnDestroy) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
