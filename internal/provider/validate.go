package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// ValidateConfig implements provider.ProviderWithValidateConfig: two blocks
// would leave open where a VM lives.
func (p *Provider) ValidateConfig(ctx context.Context, req provider.ValidateConfigRequest, resp *provider.ValidateConfigResponse) {
	first := ""
	for _, name := range []string{"libvirt", "vsphere", "proxmox", "mock"} {
		var block types.Object
		resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root(name), &block)...)
		switch {
		case resp.Diagnostics.HasError():
			return
		case block.IsNull():
		case first == "":
			first = name
		default:
			resp.Diagnostics.AddAttributeError(path.Root(name), "More than one hypervisor",
				fmt.Sprintf("Both %s and %s are set; a provider block has exactly one. Use a second provider block with an alias for the other.", first, name))
		}
	}
}

// duration validates strings such as "30s".
type duration struct{ zero bool }

func (v duration) Description(context.Context) string {
	return `must be a duration such as "30s" or "1m30s"`
}

func (v duration) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v duration) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := v.check(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid duration", fmt.Sprintf("%s %s: %s.", req.Path, v.Description(ctx), err))
	}
}

func (v duration) check(s string) error {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return fmt.Errorf("%q is none", s)
	case d < 0 || d == 0 && !v.zero:
		return fmt.Errorf("%q is too short", s)
	}
	return nil
}

type probability struct{}

func (probability) Description(context.Context) string {
	return "must be above 0 and at most 1"
}

func (v probability) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v probability) ValidateFloat64(ctx context.Context, req validator.Float64Request, resp *validator.Float64Response) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if f := req.ConfigValue.ValueFloat64(); f <= 0 || f > 1 {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid probability", fmt.Sprintf("%s %s, not %v.", req.Path, v.Description(ctx), f))
	}
}
