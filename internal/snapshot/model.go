package snapshot

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

type model struct {
	VMID             types.String   `tfsdk:"vm_id"`
	Name             types.String   `tfsdk:"name"`
	Description      types.String   `tfsdk:"description"`
	Memory           types.Bool     `tfsdk:"memory"`
	Quiesce          types.Bool     `tfsdk:"quiesce"`
	RemoveChildren   types.Bool     `tfsdk:"remove_children"`
	RevertTriggers   types.Map      `tfsdk:"revert_triggers"`
	RevertPowerState types.String   `tfsdk:"revert_power_state"`
	Timeouts         timeouts.Value `tfsdk:"timeouts"`

	ID         types.String `tfsdk:"id"`
	SnapshotID types.String `tfsdk:"snapshot_id"`
	ParentID   types.String `tfsdk:"parent_id"`
	CreatedAt  types.String `tfsdk:"created_at"`
	SizeBytes  types.Int64  `tfsdk:"size_bytes"`
	Current    types.Bool   `tfsdk:"current"`
}

// vm and snapshot are the two halves of the id.
func (m *model) vm() backends.ID  { return backends.ID(m.VMID.ValueString()) }
func (m *model) snapshot() string { return m.SnapshotID.ValueString() }

// spec is what is asked of the hypervisor.
func (m *model) spec() backends.SnapshotSpec {
	return backends.SnapshotSpec{
		Name: m.Name.ValueString(), Description: m.Description.ValueString(),
		Memory: m.Memory.ValueBool(), Quiesce: m.Quiesce.ValueBool(),
	}
}

// identified is m with the id of a snapshot of which no more is known yet.
func (m model) identified(snapshot string) model {
	m.ID = types.StringValue(join(m.vm(), snapshot))
	m.SnapshotID = types.StringValue(snapshot)
	m.ParentID, m.CreatedAt = types.StringNull(), types.StringNull()
	m.SizeBytes, m.Current = types.Int64Null(), types.BoolNull()
	return m
}

// join makes the id that Terraform knows a snapshot by.
func join(vm backends.ID, snapshot string) string { return string(vm) + "/" + snapshot }

// adopting reports whether a state holds no more than ids: it was imported.
func (m *model) adopting() bool { return m.Name.IsNull() }

// adopt takes over what only a configuration would say otherwise. It is done
// once: another name would make another snapshot, and none is to be lost for that.
func (m *model) adopt(s backends.Snapshot) {
	m.Name = types.StringValue(s.Name)
	m.Memory, m.Quiesce = types.BoolValue(s.Memory), types.BoolValue(s.Quiesced)
	m.RemoveChildren = types.BoolValue(false)
}

// observe takes over what the hypervisor says.
func (m *model) observe(s backends.Snapshot) {
	if m.Description.ValueString() != s.Description { // "" is as good as none
		m.Description = text(s.Description)
	}
	m.ParentID = text(s.Parent)
	m.CreatedAt = types.StringNull()
	if !s.CreatedAt.IsZero() {
		m.CreatedAt = types.StringValue(s.CreatedAt.UTC().Format(time.RFC3339))
	}
	m.SizeBytes = types.Int64Null()
	if s.SizeBytes >= 0 {
		m.SizeBytes = types.Int64Value(s.SizeBytes)
	}
	m.Current = types.BoolValue(s.Current)
}

// reverts reports whether the step from prior to m reverts the VM. What is not
// known yet may.
func (m *model) reverts(prior *model) bool {
	return !prior.RevertTriggers.IsNull() && !m.RevertTriggers.IsNull() && !m.RevertTriggers.Equal(prior.RevertTriggers)
}

func text(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}
