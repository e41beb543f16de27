package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Create streams the image to the hypervisor. A driver returns an image only
// when it is complete, and removes what it has transferred before it fails, so
// there is no half-made image to keep in state.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, plan.Timeouts.Create, createTimeout)
	defer cancel()

	local, err := r.create(ctx, &plan)
	if err != nil {
		r.provider.AddError(&resp.Diagnostics, tfx.Create, named(err, "create", &plan))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	r.provider.Identify(ctx, resp.Identity, &resp.Diagnostics, plan.ID.ValueString())
	resp.Diagnostics.Append(keepLocalFingerprint(ctx, resp.Private, local)...)
}

// create makes the image and completes plan. local is the fingerprint of the
// local file, "" where there is none.
func (r *Resource) create(ctx context.Context, plan *model) (local string, err error) {
	backend, info, err := r.provider.Connect(ctx)
	if err != nil {
		return "", err
	}
	if plan.Kind.IsUnknown() {
		plan.Kind = plan.defaultKind()
	}
	r.provider.Changing()
	if !plan.file() {
		img, err := backend.ImportImage(logProgress(ctx), plan.spec(""), backends.ImageSource{
			VM: backends.ID(plan.VMID.ValueString()), LibraryItem: plan.LibraryItem.ValueString(),
		})
		if err != nil {
			return "", err
		}
		plan.created(img, "", img.Fingerprint)
		return "", nil
	}
	s, err := plan.source()
	if err != nil {
		return "", err
	}
	s.catalogue = info.Catalogue
	fingerprint, err := s.identify(ctx, "")
	if err != nil {
		return "", err
	}
	img, err := backend.ImportImage(logProgress(ctx), plan.spec(fingerprint), s.imageSource())
	if err != nil {
		if backends.CodeOf(err) == backends.Canceled || backends.CodeOf(err) == backends.Timeout {
			return "", err
		}
		return "", s.blame(err)
	}
	plan.created(img, s.found, fingerprint)
	return s.local, nil
}

// imageSource is how a driver gets at the file.
func (s *source) imageSource() backends.ImageSource {
	if s.kind == kindOVA {
		return backends.ImageSource{OpenAppliance: s.openPackage}
	}
	from := backends.ImageSource{URL: s.URL, Open: s.open}
	if !s.Checksum.IsZero() {
		from.Checksum = s.Checksum.String()
	}
	return from
}
