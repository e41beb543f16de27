package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// ValidateConfig makes sure that the image has one source, and nothing that another one would need.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	m.oneSource(&resp.Diagnostics)
	m.consistent(&resp.Diagnostics)
}

func (m *model) oneSource(diags *diag.Diagnostics) {
	const summary, all = "An image has one source", "url, local_path, vm_id and content_library"
	var known []string
	unknown := false
	for _, s := range []struct {
		name  string
		value types.String
	}{{"url", m.URL}, {"local_path", m.LocalPath}, {"vm_id", m.VMID}, {"content_library", m.LibraryItem}} {
		switch {
		case s.value.IsUnknown():
			unknown = true
		case !s.value.IsNull():
			known = append(known, s.name)
		}
	}
	switch {
	case len(known) > 1:
		last := len(known) - 1
		diags.AddAttributeError(path.Root(known[last]), summary,
			fmt.Sprintf("The configuration has both %s and %s. Of %s set exactly one.", strings.Join(known[:last], ", "), known[last], all))
	case len(known) == 0 && !unknown:
		diags.AddError(summary, "The configuration has none of "+all+". Set one of them.")
	}
}

// consistent refuses attributes that mean nothing for the source or the kind.
func (m *model) consistent(diags *diag.Diagnostics) {
	refuse := func(at, format string, args ...any) {
		diags.AddAttributeError(path.Root(at), "This does not fit the image's source", fmt.Sprintf(format, args...))
	}
	kind := m.Kind.ValueString()
	other := "" // than a file
	switch {
	case !m.VMID.IsNull():
		other = "vm_id"
	case !m.LibraryItem.IsNull():
		other = "content_library"
	}
	if other != "" {
		for _, a := range []struct {
			name  string
			value types.String
		}{{"checksum", m.Checksum}, {"format", m.Format}} {
			if !a.value.IsNull() {
				refuse(a.name, "%s is about a file, and the image is made from %s. Remove %[1]s.", a.name, other)
			}
		}
	}
	switch {
	case !m.VMID.IsNull() && kind != "" && kind != kindDisk && kind != kindTemplate:
		refuse("kind", `An image of kind %q cannot be made from a VM. Set kind = "disk" for the VM's disk "root", or "template" for all of it.`, kind)
	case other != "" && kind == kindOVA:
		refuse("kind", `An image of kind "ova" comes from a file: set url or local_path.`)
	case other == "" && kind == kindTemplate && m.file():
		refuse("kind", `A template is made from a VM or an item of a content library: set vm_id or content_library. For an OVA or OVF file set kind = "ova".`)
	case kind == kindOVA && !m.Format.IsNull():
		refuse("format", `A package says itself what its disks are. Remove format; target_format chooses what they become.`)
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
