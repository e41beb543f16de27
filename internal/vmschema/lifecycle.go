package vmschema

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Lifecycle is how Terraform treats a VM; nothing of it reaches the hypervisor.
type Lifecycle struct {
	RestartPolicy  *string           `tfsdk:"restart_policy"`
	RebootTriggers map[string]string `tfsdk:"reboot_triggers"`
	Protected      *bool             `tfsdk:"protected"`
	Timeouts       timeouts.Value    `tfsdk:"timeouts"`
}

func lifecycleAttributes(ctx context.Context) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"restart_policy": schema.StringAttribute{
			MarkdownDescription: "What to do with a change that a running VM cannot take: `when_required` shuts it down, changes it and starts it, `never` refuses the change at plan, " +
				"`defer` keeps the change for the next start, where the hypervisor can. The plan says which changes those are. Default: `when_required`.",
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(backends.RestartWhenRequired)),
			Validators: oneOfOnly(string(backends.RestartWhenRequired), string(backends.RestartNever), string(backends.RestartDefer)),
		},
		"reboot_triggers": schema.MapAttribute{
			MarkdownDescription: "Values of your choice; when one changes, the VM is shut down and started again if it runs.",
			Optional:            true, ElementType: types.StringType, Validators: []validator.Map{mapvalidator.NoNullValues()},
		},
		"protected": schema.BoolAttribute{
			MarkdownDescription: "Refuse to destroy or replace the VM, at plan. Set it to false and apply before you destroy the VM. Default: false.",
			Optional:            true, Computed: true, Default: booldefault.StaticBool(false),
		},
		"timeouts": timeouts.Attributes(ctx, timeouts.Opts{
			Create: true, Read: true, Update: true, Delete: true,
			CreateDescription: "How long the creation may take, with all that `wait_for` waits for, such as `30m`. Default: `20m`.",
			ReadDescription:   "How long reading the VM may take. Default: `5m`.",
			UpdateDescription: "How long a change may take, restart and waiting included. Default: `20m`.",
			DeleteDescription: "How long the destruction may take, shutdown included. Default: `10m`.",
		}),
	}
}
