package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// ValidateConfig makes sure that the image has one source.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	const summary = "An image has one source"
	switch {
	case m.URL.IsNull() && m.LocalPath.IsNull():
		resp.Diagnostics.AddError(summary, "The configuration has neither url nor local_path. Set one of them.")
	case !m.URL.IsNull() && !m.LocalPath.IsNull() && !m.URL.IsUnknown() && !m.LocalPath.IsUnknown():
		resp.Diagnostics.AddAttributeError(path.Root("local_path"), summary, "The configuration has both url and local_path. Remove one of them.")
	}
}

type urlValidator struct{}

func (urlValidator) Description(context.Context) string { return "must be an http or https URL" }

func (v urlValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (urlValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := diskimage.ValidateURL(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid URL", upperFirst(err.Error())+".")
	}
}

type checksumValidator struct{}

func (checksumValidator) Description(context.Context) string {
	return "must be ALGORITHM:DIGEST, or file: and the location of a list of checksums"
}

func (v checksumValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (checksumValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	text := req.ConfigValue.ValueString()
	if text == "" {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid checksum", "An empty checksum checks nothing. Leave it out, or write sha256:DIGEST.")
		return
	}
	if _, err := diskimage.ParseChecksum(text); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid checksum", upperFirst(err.Error())+".")
	}
}
