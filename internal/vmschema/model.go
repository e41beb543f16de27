package vmschema

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
)

// VM is a managed VM, whatever it was made from: of Source and Origin one is
// always empty.
type VM struct {
	Common
	Source
	Origin
	Managed
}

// defined is VM in the shape of virtrigaud_vm's schema.
type defined struct {
	Common
	Source
	Managed
}

// inherited is VM in the shape of virtrigaud_clone's schema.
type inherited struct {
	Common
	Origin
	Managed
}

// Decode reads a VM out of a state, whose schema is that of the mode.
func (mode Mode) Decode(ctx context.Context, state tfsdk.State) (*VM, diag.Diagnostics) {
	if mode == Inherit {
		var m inherited
		diags := state.Get(ctx, &m)
		return &VM{Common: m.Common, Origin: m.Origin, Managed: m.Managed}, diags
	}
	var m defined
	diags := state.Get(ctx, &m)
	return &VM{Common: m.Common, Source: m.Source, Managed: m.Managed}, diags
}

// Encode writes a VM to a state, whose schema is that of the mode.
func (mode Mode) Encode(ctx context.Context, m *VM, state *tfsdk.State) diag.Diagnostics {
	if mode == Inherit {
		return state.Set(ctx, &inherited{Common: m.Common, Origin: m.Origin, Managed: m.Managed})
	}
	return state.Set(ctx, &defined{Common: m.Common, Source: m.Source, Managed: m.Managed})
}
