package vm

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// coder turns raw plans, states and configurations into models and back, and
// collects what goes wrong.
type coder struct {
	schema schema.Schema
	mode   vmschema.Mode
	diags  *diag.Diagnostics
}

func (r *Resource) coder(diags *diag.Diagnostics) coder {
	return coder{schema: r.origin.schema(), mode: r.origin.mode(), diags: diags}
}

// decode reads raw, with null for what is unknown. It returns nil for null.
func (c coder) decode(ctx context.Context, raw tftypes.Value) *vmschema.VM {
	known, _, err := tfx.WithoutUnknowns(raw)
	if err != nil {
		c.fault(err)
		return nil
	}
	if known.IsNull() {
		return nil
	}
	m, diags := c.mode.Decode(ctx, tfsdk.State{Raw: known, Schema: c.schema})
	c.diags.Append(diags...)
	return m
}

// encode is the raw value of m.
func (c coder) encode(ctx context.Context, m *vmschema.VM) tftypes.Value {
	state := tfsdk.State{Raw: tftypes.NewValue(c.schema.Type().TerraformType(ctx), nil), Schema: c.schema}
	c.diags.Append(c.mode.Encode(ctx, m, &state)...)
	return state.Raw
}

func (c coder) fault(err error) {
	c.diags.AddError("Unable to read the plan", err.Error()+"\n\nThis is a fault of the provider; please report it.")
}

// applied is what state shows after an apply: the plan, completed by what the
// hypervisor says now.
func (c coder) applied(ctx context.Context, planned tftypes.Value, vm *backends.VM, kind backends.Kind) tftypes.Value {
	plan := c.decode(ctx, planned)
	if c.diags.HasError() {
		return planned
	}
	raw, err := tfx.Conform(planned, c.encode(ctx, vmschema.Flatten(vm, kind, plan)))
	if err != nil {
		c.fault(err)
	}
	return raw
}

// look reads all that state shows of a VM; the guest is asked once, briefly. What it calls itself, and what it runs, is asked for
// with AspectGuestDetail, because it costs some hypervisors more and changes seldom.
func look(ctx context.Context, b backends.Backend, id backends.ID, more backends.Aspects) (*backends.VM, error) {
	return machine.Get(ctx, b, id, backends.AspectConfig|backends.AspectRuntime|backends.AspectGuest|more)
}

// acquaint asks a guest who it is whose agent answers for the first time, and told no more than addresses. All VMs are refreshed with
// the same aspects, so that their reads can be joined; this is one more question, once.
func acquaint(ctx context.Context, b backends.Backend, vm *backends.VM, prior *vmschema.VM) {
	g := vm.Guest
	if g == nil || !g.AgentRunning || g.Hostname+g.OS+g.AgentVersion != "" || prior.Guest != nil && prior.Guest.OS != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, guestTime)
	defer cancel()
	if more, err := b.GuestInfo(ctx, vm.ID); err == nil {
		g.Hostname, g.OS, g.AgentVersion = more.Hostname, more.OS, more.AgentVersion
	}
}

// withUserData adds to spec the user data that only the configuration holds.
func withUserData(spec *backends.VMSpec, config *vmschema.VM) {
	if spec.CloudInit != nil && config != nil && config.CloudInit != nil && config.CloudInit.UserDataWO != nil {
		spec.CloudInit.UserData = config.CloudInit.UserDataWO
	}
}

// withPassword adds to spec the console's password, likewise.
func withPassword(spec *backends.VMSpec, config *vmschema.VM) {
	if spec.Console != nil && config != nil && config.Console != nil {
		spec.Console.Password = config.Console.PasswordWO
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
