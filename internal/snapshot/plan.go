package snapshot

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if config.Memory.ValueBool() && config.Quiesce.ValueBool() {
		resp.Diagnostics.AddAttributeError(path.Root("quiesce"), "Both memory and quiesce are set",
			"A snapshot with memory holds what the guest has not written yet, so there is nothing to flush. Set one of the two.")
	}
}

// ModifyPlan implements resource.ResourceWithModifyPlan: it refuses what the
// hypervisor lacks and what the VM's state forbids, and says of a revert what it
// loses.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if !req.State.Raw.IsNull() { // so that its VM's plan need not warn of it
		var id types.String
		resp.Diagnostics.Append(req.State.GetAttribute(ctx, path.Root("id"), &id)...)
		r.data.ManagedSnapshot(id.ValueString())
	}
	var plan, prior model
	diags := &resp.Diagnostics
	creating := req.State.Raw.IsNull()
	if !creating {
		diags.Append(req.State.Get(ctx, &prior)...)
		r.data.ManagedSnapshot(prior.ID.ValueString())
	}
	if req.Plan.Raw.IsNull() || req.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	diags.Append(req.Plan.Get(ctx, &plan)...)
	if diags.HasError() || !creating && plan.replaces(&prior) {
		return // for a replacement Terraform asks once more, as for a creation
	}
	if r.data.Configured() {
		r.check(ctx, diags, &plan, creating)
	}
	if creating || diags.HasError() {
		return
	}
	switch {
	case plan.reverts(&prior):
		// Only the VM knows what these are then.
		diags.Append(resp.Plan.SetAttribute(ctx, path.Root("current"), types.BoolUnknown())...)
		diags.Append(resp.Plan.SetAttribute(ctx, path.Root("size_bytes"), types.Int64Unknown())...)
		r.announce(ctx, diags, &plan)
	case prior.RevertTriggers.IsNull() && !plan.RevertTriggers.IsNull():
		diags.AddAttributeWarning(path.Root("revert_triggers"), "Nothing is reverted yet",
			"The first values of revert_triggers are only remembered. The VM is reverted when they change.")
	}
}

// replaces reports whether m is another snapshot than prior.
func (m *model) replaces(prior *model) bool {
	return !m.VMID.Equal(prior.VMID) || !m.Name.Equal(prior.Name) || !m.Memory.Equal(prior.Memory) || !m.Quiesce.Equal(prior.Quiesce)
}

// requirements is what a snapshot asks of the hypervisor.
func (m *model) requirements(creating bool) []backends.Change {
	var all []backends.Change
	need := func(at backends.Path, f backends.Feature) {
		all = append(all, backends.Change{Path: at, Action: backends.Add, Feature: f})
	}
	if creating {
		need("name", backends.FeatureSnapshotCreate)
		if m.Memory.ValueBool() {
			need("memory", backends.FeatureSnapshotMemory)
		}
		if m.Quiesce.ValueBool() {
			need("quiesce", backends.FeatureSnapshotQuiesce)
		}
	}
	if !m.RevertTriggers.IsNull() {
		need("revert_triggers", backends.FeatureSnapshotRevert)
	}
	return all
}

// check holds the snapshot against the catalogue and, where it is to be taken,
// against the VM.
func (r *Resource) check(ctx context.Context, diags *diag.Diagnostics, plan *model, creating bool) {
	b, info, err := r.data.Connect(ctx)
	if err != nil {
		if !r.data.Repeated(err) {
			r.data.AddError(diags, tfx.Plan, err)
		}
		return
	}
	tfx.AddFindings(diags, backends.Check(info.Catalogue, &backends.VMSpec{}, &backends.VMSpec{}, plan.requirements(creating), backends.CheckOptions{}))
	if f, bad := info.Catalogue.CheckSpelling(backends.SnapshotName, "name", plan.Name.ValueString()); bad && creating {
		tfx.AddFindings(diags, []backends.Finding{f})
	}
	if !creating || diags.HasError() || plan.VMID.IsUnknown() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	vm, err := machine.Get(ctx, b, plan.vm(), backends.AspectRuntime)
	switch {
	case errors.Is(err, backends.ErrNotFound):
		diags.AddAttributeError(path.Root("vm_id"), "No such VM",
			fmt.Sprintf("%s has no VM with the id %q. vm_id is what virtrigaud_vm has as id.", info.Backend, plan.VMID.ValueString()))
	case err == nil && plan.Memory.ValueBool() && r.stopped(vm):
		diags.AddAttributeError(path.Root("memory"), "The VM does not run",
			fmt.Sprintf("VM %q is stopped then, so it has no memory to keep. Start it, or leave memory out.", vm.Config.Name))
	}
}

// stopped reports whether a VM is stopped when the snapshot is taken. The plan may
// switch it before.
func (r *Resource) stopped(vm *backends.VM) bool {
	planned := r.data.Inventory().Powered(vm.ID)
	return planned == backends.Stopped || planned == "" && vm.Power == backends.Stopped
}

// announce says what a revert loses.
func (r *Resource) announce(ctx context.Context, diags *diag.Diagnostics, plan *model) {
	name := plan.VMID.ValueString()
	if r.data.Configured() {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		if b, _, err := r.data.Connect(ctx); err == nil {
			if vm, err := machine.Get(ctx, b, plan.vm(), backends.AspectRuntime); err == nil {
				name = vm.Config.Name
			}
		}
	}
	since, then := "", "It is then in the state that it has now, running or stopped."
	if at := plan.CreatedAt.ValueString(); at != "" {
		since = " of " + at
	}
	switch {
	case plan.RevertPowerState.IsUnknown():
		then = "It is then as revert_power_state says."
	case !plan.RevertPowerState.IsNull():
		then = fmt.Sprintf("It is then %s.", plan.RevertPowerState.ValueString())
	case plan.Memory.ValueBool():
		then = "It then runs, with the memory that it had."
	}
	diags.AddAttributeWarning(path.Root("revert_triggers"), fmt.Sprintf("This change reverts VM %q", name),
		fmt.Sprintf("VM %q returns to snapshot %q%s. What was written to its disks since then is lost, and so is what it has in memory. "+
			"Disks that the VM got since then, and that are its own, are destroyed. "+
			"Its configuration goes back too; the next plan shows what then differs from yours. Disks attached by volume and other snapshots stay as they are. %s",
			name, plan.Name.ValueString(), since, then))
}
