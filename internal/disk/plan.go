package disk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// ModifyPlan implements resource.ResourceWithModifyPlan: it refuses what the
// hypervisor lacks and what would lose data, and warns of a replacement.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var plan, prior model
	diags := &resp.Diagnostics
	if !req.State.Raw.IsNull() {
		diags.Append(req.State.Get(ctx, &prior)...)
	}
	if req.Plan.Raw.IsNull() {
		refuse(diags, &prior, "destroyed")
		return
	}
	diags.Append(req.Plan.Get(ctx, &plan)...)
	if diags.HasError() || req.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	if req.State.Raw.IsNull() {
		r.check(ctx, diags, plan.requirements())
		if !diags.HasError() {
			r.checkStorage(ctx, diags, &plan)
		}
		return
	}
	guessed, bad := req.Private.GetKey(ctx, guessedKey)
	diags.Append(bad...)
	if why := replacement(&prior, &plan, string(guessed) == "true"); why != "" {
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root(why))
		refuse(diags, &prior, "replaced")
		announce(diags, &prior, why)
		return
	}
	if !plan.Provisioning.Equal(prior.Provisioning) {
		diags.AddAttributeWarning(path.Root("provisioning"), "The disk stays as it is",
			fmt.Sprintf("Disk %q was imported, and that it is %s was concluded from the space that it takes. What the configuration says is believed instead, and nothing is changed. "+
				"To have the disk made anew, without its data, use -replace.", prior.Name.ValueString(), prior.Provisioning.ValueString()))
	}
	switch size, had := plan.SizeGiB, prior.SizeGiB.ValueInt64(); {
	case size.IsUnknown():
	case size.ValueInt64() < had:
		diags.AddAttributeError(path.Root("size_gib"), "A disk cannot shrink",
			fmt.Sprintf("Disk %q has %d GiB, and %d GiB would cut off data. To get a smaller disk, make another one and move the data.",
				prior.Name.ValueString(), had, size.ValueInt64()))
	case size.ValueInt64() > had:
		r.check(ctx, diags, []backends.Change{{
			Path: "size_gib", Action: backends.Grow, Feature: backends.FeatureDiskResize, From: had, To: size.ValueInt64(),
		}})
	}
}

// refuse adds an error where a protected disk would be lost.
func refuse(diags *diag.Diagnostics, state *model, what string) {
	if !state.Protected.ValueBool() {
		return
	}
	diags.AddAttributeError(path.Root("protected"), "This disk is protected",
		fmt.Sprintf("Disk %q has protected = true in state, so it cannot be %s. Set protected = false, apply that, and try again.", state.Name.ValueString(), what))
}

// announce warns of what a replacement loses.
func announce(diags *diag.Diagnostics, prior *model, why string) {
	detail := fmt.Sprintf("Disk %q cannot change its %s in place: it is deleted with all that is on it, and a blank disk is made.", prior.Name.ValueString(), why)
	if !prior.AttachedTo.IsNull() {
		detail += fmt.Sprintf(" VM %s had it when Terraform last looked; the deletion fails while that is so.", prior.AttachedTo.ValueString())
	}
	diags.AddAttributeWarning(path.Root(why), "This change loses the disk's data", detail)
}

// guessedKey is where Read notes of an imported disk that its provisioning was
// concluded from the space that it takes. A configuration that says otherwise is
// believed: no disk is to be lost for a guess.
const guessedKey = "provisioning_guessed"

// replacement returns the attribute that makes another disk, or "".
func replacement(prior, plan *model, guessed bool) string {
	for _, a := range []struct {
		name     string
		was, now attr.Value
	}{
		{"name", prior.Name, plan.Name},
		{"storage", prior.Storage, plan.Storage},
		{"format", prior.Format, plan.Format},
		{"provisioning", prior.Provisioning, plan.Provisioning},
		{"policy", prior.Policy, plan.Policy},
	} {
		if !a.now.Equal(a.was) && (!guessed || a.name != "provisioning") {
			return a.name
		}
	}
	return ""
}

// slot stands for the disk where the rules of a VM's disks are applied to it.
const slot = "disk"

// requirements is what a new disk asks of the hypervisor, with the paths of a
// VM's disk of the key slot.
func (m *model) requirements() []backends.Change {
	changes := backends.Requirements(&backends.VMSpec{Disks: map[string]backends.Disk{slot: m.spec().Disk}})
	whole := backends.Path("disks").Key(slot)
	changes = slices.DeleteFunc(changes, func(c backends.Change) bool { return c.Path == whole })
	return append(changes, backends.Change{Path: "name", Action: backends.Add, Feature: backends.FeatureDiskVolume})
}

// check holds changes against the catalogue, which knows a disk's attributes by
// the names that they have in a VM.
func (r *Resource) check(ctx context.Context, diags *diag.Diagnostics, changes []backends.Change) {
	if !r.data.Configured() {
		return
	}
	info, err := r.data.Info(ctx)
	if err != nil {
		if !r.data.Repeated(err) {
			r.data.AddError(diags, tfx.Plan, err)
		}
		return
	}
	findings := backends.Check(info.Catalogue, &backends.VMSpec{}, &backends.VMSpec{}, changes, backends.CheckOptions{})
	inVM := string(backends.Path("disks").Key(slot)) + "."
	for i, f := range findings {
		findings[i].Path = backends.Path(strings.TrimPrefix(string(f.Path), inVM))
		findings[i].Detail = strings.ReplaceAll(f.Detail, inVM, "")
	}
	tfx.AddFindings(diags, findings)
}

// checkStorage warns of a storage that does not exist now. It is no error: the
// same apply may make it through another provider.
func (r *Resource) checkStorage(ctx context.Context, diags *diag.Diagnostics, plan *model) {
	want := asked(plan.Storage)
	if want == nil || !r.data.Configured() {
		return
	}
	all, ok := r.data.Inventory().Storages(ctx)
	if !ok || slices.ContainsFunc(all, func(s backends.Storage) bool { return s.Name == *want }) {
		return
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = fmt.Sprintf("%q", s.Name)
	}
	slices.Sort(names)
	has := "It has none at all."
	if len(names) > 0 {
		has = "It has " + strings.Join(names, ", ") + "."
	}
	diags.AddAttributeWarning(path.Root("storage"), "No such storage",
		fmt.Sprintf("%s has no storage %q now. The apply fails unless it is made before the disk. %s", r.data.Kind(), *want, has))
}
