package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Read asks the hypervisor for the image, and looks at a local file only as far
// as it takes to know it again at the next plan.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	r.provider.Identify(ctx, resp.Identity, &resp.Diagnostics, state.ID.ValueString())
	if !r.provider.Configured() { // nothing to ask: what state says stays
		return
	}
	bounded, cancel := tfx.Within(ctx, &resp.Diagnostics, state.Timeouts.Read, readTimeout)
	defer cancel()

	img, err := r.get(bounded, state.ID.ValueString())
	if err == nil {
		err = reused(r.provider.Kind(), img, &state)
	}
	switch {
	case backends.CodeOf(err) == backends.NotFound:
		resp.State.RemoveResource(ctx)
		return
	case err != nil:
		r.provider.AddError(&resp.Diagnostics, tfx.Read, named(err, "read", &state))
		return
	}
	state.adopted(img)
	state.observed(img)
	if now := img.Fingerprint; now != "" && (state.Fingerprint.IsNull() || comparable(now, state.Fingerprint.ValueString())) {
		state.Fingerprint = text(digest(now))
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)

	if !state.LocalPath.IsNull() && state.Checksum.IsNull() {
		previous, diags := localFingerprint(ctx, req.Private)
		resp.Diagnostics.Append(diags...)
		// A file that is gone or unreadable is no fault of the image.
		if local, err := diskimage.Fingerprint(ctx, diskimage.Source{Path: state.LocalPath.ValueString()}, previous); err == nil && local != previous {
			resp.Diagnostics.Append(keepLocalFingerprint(ctx, resp.Private, local)...)
		}
	}
}

// reused refuses an image that has the id of the one in state and is another: on Proxmox VE an image is a VM, whose number is given to a new one
// when it was removed. An image keeps its name.
func reused(kind backends.Kind, img backends.Image, state *model) error {
	name := state.Name.ValueString()
	if kind != backends.Proxmox || name == "" || img.Name == "" || img.Name == name {
		return nil
	}
	return backends.Errorf(backends.Conflict, "", "", "the id %s belongs to another image now, %q", img.ID, img.Name).
		Advise("If the image was removed and its VMID given to another one, take it out of state (terraform state rm ADDRESS): the next apply imports it anew. " +
			"If somebody renamed the template, give it its name back, or take it out of state and import it.")
}

func (r *Resource) get(ctx context.Context, id string) (backends.Image, error) {
	backend, _, err := r.provider.Connect(ctx)
	if err != nil {
		return backends.Image{}, err
	}
	img, err := backend.GetImage(ctx, id)
	if err != nil {
		return backends.Image{}, backends.Wrap(err, "read", backends.ImageObject(id))
	}
	return img, nil
}
