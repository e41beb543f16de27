package vmschema

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
)

// Shutdown is how a running VM is stopped.
type Shutdown struct {
	Timeout *string `tfsdk:"timeout" json:"timeout,omitempty"`
	Force   *bool   `tfsdk:"force" json:"force,omitempty"`
}

func powerAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"power_state": text("State to keep the VM in: `running`, `stopped` or `suspended`. Unset: the VM is started once, at its creation, and not managed then: "+
			"stopping it by hand is no difference.", oneOf("running", "stopped", "suspended")),
		"shutdown": schema.SingleNestedAttribute{
			MarkdownDescription: "How the VM is stopped when a change, `power_state` or its destruction needs it: the guest is asked, then the VM is switched off.",
			Optional:            true,
			Attributes: map[string]schema.Attribute{
				"timeout": schema.StringAttribute{
					MarkdownDescription: "How long the guest has to shut down, such as `90s`. `0s` does not ask the guest. Default: `1m`.",
					Optional:            true, Validators: []validator.String{duration{zero: true}},
				},
				"force": schema.BoolAttribute{
					MarkdownDescription: "Switch the VM off when the guest did not shut down in time; otherwise that is an error. Destruction always does. Default: true.",
					Optional:            true,
				},
			},
		},
	}
}

// Options are m's values over the defaults.
func (m *Shutdown) Options() machine.Shutdown {
	stop := machine.DefaultShutdown
	if m == nil {
		return stop
	}
	if d, err := time.ParseDuration(value(m.Timeout)); err == nil {
		stop.Timeout = d
	}
	if m.Force != nil {
		stop.Force = *m.Force
	}
	return stop
}

// duration validates strings such as "90s" or "1h30m".
type duration struct{ zero bool }

func (v duration) Description(context.Context) string {
	if v.zero {
		return `must be a duration such as "90s" or "1h30m", or "0s"`
	}
	return `must be a duration such as "90s" or "1h30m", more than none`
}

func (v duration) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v duration) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	d, err := time.ParseDuration(req.ConfigValue.ValueString())
	if err != nil || d < 0 || d == 0 && !v.zero {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid duration",
			fmt.Sprintf("%s %s, not %q.", req.Path, v.Description(ctx), req.ConfigValue.ValueString()))
	}
}
