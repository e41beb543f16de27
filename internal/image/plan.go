package image

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// ModifyPlan refuses what cannot come true and decides whether the content is
// another one. It transfers nothing: of a local file it reads the beginning, or
// all of it where size or time say that it changed; of a URL nothing.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() { // destroy
		return
	}
	var plan, prior model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	creating := req.State.Raw.IsNull()
	if !creating {
		resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if !r.planKind(ctx, req, resp, &plan, &prior, creating) {
		return
	}
	if creating {
		r.planCreation(ctx, &plan, &resp.Diagnostics)
		return
	}
	// For a replacement Terraform asks once more, as for a creation.
	previous, diags := localFingerprint(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	d, err := decide(ctx, &prior, &plan, previous)
	if err != nil {
		r.provider.AddError(&resp.Diagnostics, tfx.Plan, named(err, "plan", &plan))
		return
	}
	if d.replace != "" {
		resp.RequiresReplace = append(resp.RequiresReplace, tfx.Path(d.replace))
	}
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("fingerprint"), d.fingerprint)...)
}

// planKind settles the kind, which the configuration may leave to the name of the file. Another kind is
// another image.
func (r *Resource) planKind(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse, plan, prior *model, creating bool) (ok bool) {
	var configured types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("kind"), &configured)...)
	if resp.Diagnostics.HasError() {
		return false
	}
	if configured.IsNull() {
		if plan.Kind = plan.defaultKind(); plan.Kind.IsUnknown() && !creating {
			plan.Kind = prior.Kind
		}
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("kind"), plan.Kind)...)
	}
	if !creating && !plan.Kind.IsUnknown() && !prior.Kind.IsNull() && !plan.Kind.Equal(prior.Kind) {
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("kind"))
	}
	return !resp.Diagnostics.HasError()
}

// decision is what becomes of the content.
type decision struct {
	replace     backends.Path // the attribute that forces a new image, or ""
	fingerprint types.String  // to plan
}

// decide holds the image in state against the planned source. previous is the
// fingerprint of the local file as it was last read.
//
// Content that is known to differ makes a new image. Where that cannot be known,
// another source does, except after an import: then the configuration tells for
// the first time where the image came from.
func decide(ctx context.Context, prior, plan *model, previous string) (decision, error) {
	same := decision{fingerprint: prior.Fingerprint}
	moved := firstChanged(prior, plan)
	if at := firstUnknown(plan); at != "" {
		if prior.imported() {
			return same, nil
		}
		return decision{replace: at, fingerprint: types.StringUnknown()}, nil
	}
	now, err := present(ctx, plan, moved != "", previous)
	if err != nil {
		return same, err
	}
	was := prior.Fingerprint.ValueString()
	if now != "" && comparable(was, now) {
		if diskimage.SameContent(was, now) {
			return same, nil
		}
		if moved == "" {
			moved = "fingerprint"
		}
		return decision{replace: moved, fingerprint: text(now)}, nil
	}
	kept := same
	if now != "" {
		kept.fingerprint = text(now)
	}
	switch {
	case moved == "":
		return same, nil
	case prior.imported(), moved == "checksum" && plan.Checksum.IsNull():
		return kept, nil
	}
	return decision{replace: moved, fingerprint: types.StringUnknown()}, nil
}

// present is the fingerprint of the planned source as far as it can be had
// without a transfer: "" where only that would tell.
func present(ctx context.Context, plan *model, moved bool, previous string) (string, error) {
	if !plan.file() {
		return "", nil
	}
	s, err := plan.source()
	if err != nil {
		return "", err
	}
	switch {
	case s.Checksum.Hex != "":
		return s.Checksum.String(), nil
	case s.Checksum.List != "":
		if !moved {
			return "", nil
		}
		return s.identify(ctx, "")
	case s.Path == "":
		return "", nil
	}
	fingerprint, err := s.identify(ctx, previous)
	if err != nil && !moved {
		// The file has done its work. Whoever plans elsewhere, or has cleaned
		// up, need not have it.
		return "", nil //nolint:nilerr // see above
	}
	return fingerprint, err
}

func firstChanged(prior, plan *model) backends.Path {
	switch {
	case !prior.URL.Equal(plan.URL) && !plan.URL.IsNull():
		return "url"
	case !prior.LocalPath.Equal(plan.LocalPath) && !plan.LocalPath.IsNull():
		return "local_path"
	case !prior.VMID.Equal(plan.VMID) && !plan.VMID.IsNull():
		return "vm_id"
	case !prior.LibraryItem.Equal(plan.LibraryItem) && !plan.LibraryItem.IsNull():
		return "content_library"
	case !prior.Checksum.Equal(plan.Checksum):
		return "checksum"
	}
	return ""
}

func firstUnknown(plan *model) backends.Path {
	switch {
	case plan.URL.IsUnknown():
		return "url"
	case plan.LocalPath.IsUnknown():
		return "local_path"
	case plan.VMID.IsUnknown():
		return "vm_id"
	case plan.LibraryItem.IsUnknown():
		return "content_library"
	case plan.Checksum.IsUnknown():
		return "checksum"
	}
	return ""
}

// planCreation checks an image that is to be made.
func (r *Resource) planCreation(ctx context.Context, plan *model, diags *diag.Diagnostics) {
	if !r.provider.Configured() {
		return
	}
	backend, info, err := r.provider.Connect(ctx)
	if err != nil {
		r.provider.AddError(diags, tfx.Plan, err)
		return
	}
	r.planVM(ctx, plan, diags)
	findings := backends.Check(info.Catalogue, &backends.VMSpec{}, &backends.VMSpec{}, plan.requirements(), backends.CheckOptions{})
	tfx.AddFindings(diags, findings)
	if err := storageExists(ctx, backend, plan.Storage); err != nil {
		r.provider.AddError(diags, tfx.Plan, named(err, "plan", plan))
	}
	if err := plan.inspect(ctx, info.Catalogue); err != nil {
		r.provider.AddError(diags, tfx.Plan, named(err, "plan", plan))
	}
}

// planVM finds the VM that the image is made from.
func (r *Resource) planVM(ctx context.Context, plan *model, diags *diag.Diagnostics) {
	if plan.VMID.IsNull() || plan.VMID.IsUnknown() {
		return
	}
	if _, missing := r.provider.Inventory().VM(ctx, plan.VMID.ValueString()); missing {
		diags.AddAttributeError(path.Root("vm_id"), "There is no such VM",
			fmt.Sprintf("The hypervisor has no VM %q, which image %q is to be made from. Give the id of a VM, such as virtrigaud_vm.NAME.id.", plan.VMID.ValueString(), plan.Name.ValueString()))
	}
}

// requirements is what the image asks of the hypervisor.
func (m *model) requirements() []backends.Change {
	var all []backends.Change
	need := func(at backends.Path, f backends.Feature) {
		all = append(all, backends.Change{Path: at, Action: backends.Add, Feature: f})
	}
	at := m.attribute()
	switch {
	case at == "vm_id":
		need(at, backends.FeatureImageFromVM)
	case at == "content_library":
		need(at, backends.FeatureContentLibrary)
	case m.Kind.ValueString() == kindOVA:
		need(at, backends.FeatureOVAImport)
	default:
		need(at, backends.FeatureImageDownload)
	}
	if m.Kind.ValueString() == kindISO {
		need("kind", backends.FeatureCDROM)
	}
	return all
}

// inspect looks at the beginning of a local file, which says its format.
func (m *model) inspect(ctx context.Context, cat backends.Catalogue) error {
	if m.LocalPath.IsNull() || firstUnknown(m) != "" || m.Kind.IsUnknown() {
		return m.convertible(cat)
	}
	s, err := m.source()
	if err != nil {
		return err
	}
	s.catalogue = cat
	s.Checksum = diskimage.Checksum{} // nothing is transferred, so nothing can be checked
	if s.kind == kindOVA {
		a, err := s.openPackage(ctx)
		if err != nil {
			return err
		}
		return a.Close()
	}
	content, err := s.open(ctx)
	if err != nil {
		return err
	}
	return content.Reader.Close()
}

// convertible refuses a conversion where the configuration says both formats.
func (m *model) convertible(cat backends.Catalogue) error {
	if m.Format.IsNull() || m.Format.IsUnknown() {
		return nil
	}
	s := source{found: m.Format.ValueString(), targetFormat: m.TargetFormat.ValueString(), catalogue: cat}
	s.URL, s.Path = m.URL.ValueString(), m.LocalPath.ValueString()
	return s.convertible()
}

// storageExists finds a storage by name. A hypervisor that lists none is asked
// at apply.
func storageExists(ctx context.Context, b backends.Backend, name types.String) error {
	if name.IsNull() || name.IsUnknown() {
		return nil
	}
	all, err := b.Storages(ctx)
	if err != nil {
		if backends.CodeOf(err) == backends.Unsupported {
			return nil
		}
		return err
	}
	names := make([]string, len(all))
	for i, s := range all {
		if s.Name == name.ValueString() {
			return nil
		}
		names[i] = fmt.Sprintf("%q", s.Name)
	}
	slices.Sort(names)
	e := invalid("storage", "there is no storage %q", name.ValueString())
	if len(names) == 0 {
		return e.Advise("The hypervisor has no storage at all.")
	}
	return e.Advise("There are %s.", strings.Join(names, ", "))
}
