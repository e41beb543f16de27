package capabilities

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type model struct {
	Backend      types.String                     `tfsdk:"backend"`
	Product      types.String                     `tfsdk:"product"`
	Version      types.String                     `tfsdk:"version"`
	Capabilities map[string]capability            `tfsdk:"capabilities"`
	AllBackends  map[string]map[string]capability `tfsdk:"all_backends"`
}

// capability is one feature as one backend has it.
type capability struct {
	Group      types.String `tfsdk:"group"`
	Capability types.String `tfsdk:"capability"`
	Level      types.String `tfsdk:"level"`
	Note       types.String `tfsdk:"note"`
}

func capabilityTypes() map[string]attr.Type {
	return map[string]attr.Type{
		"group":      types.StringType,
		"capability": types.StringType,
		"level":      types.StringType,
		"note":       types.StringType,
	}
}
