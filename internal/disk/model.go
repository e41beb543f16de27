package disk

import (
	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

type model struct {
	Name         types.String   `tfsdk:"name"`
	SizeGiB      types.Int64    `tfsdk:"size_gib"`
	Storage      types.String   `tfsdk:"storage"`
	Format       types.String   `tfsdk:"format"`
	Provisioning types.String   `tfsdk:"provisioning"`
	Policy       types.String   `tfsdk:"policy"`
	Protected    types.Bool     `tfsdk:"protected"`
	Timeouts     timeouts.Value `tfsdk:"timeouts"`

	ID         types.String `tfsdk:"id"`
	Path       types.String `tfsdk:"path"`
	AttachedTo types.String `tfsdk:"attached_to"`
}

// spec is what is asked of the hypervisor.
func (m *model) spec() backends.DiskSpec {
	return backends.DiskSpec{Name: m.Name.ValueString(), Disk: backends.Disk{
		SizeGiB:      m.SizeGiB.ValueInt64Pointer(),
		Storage:      asked(m.Storage),
		Format:       asked(m.Format),
		Provisioning: asked(m.Provisioning),
		Policy:       asked(m.Policy),
	}}
}

// complete fills in what the plan or an import left open.
func (m *model) complete(v backends.Volume) {
	m.ID = types.StringValue(v.ID)
	m.Name = settle(m.Name, &v.Name)
	m.Storage = settle(m.Storage, v.Disk.Storage)
	m.Format = settle(m.Format, v.Disk.Format)
	m.Provisioning = settle(m.Provisioning, v.Disk.Provisioning)
	if m.SizeGiB.IsNull() || m.SizeGiB.IsUnknown() {
		m.SizeGiB = types.Int64PointerValue(v.Disk.SizeGiB)
	}
	if m.Protected.IsNull() {
		m.Protected = types.BoolValue(false)
	}
	m.Path = settle(m.Path, &v.Path)
	if m.AttachedTo.IsUnknown() {
		m.AttachedTo = free(v.AttachedTo)
	}
}

// observe takes over what may differ from one read to the next.
func (m *model) observe(v backends.Volume) {
	m.SizeGiB = types.Int64PointerValue(v.Disk.SizeGiB)
	m.Path = types.StringValue(v.Path)
	m.AttachedTo = free(v.AttachedTo)
}

func free(id backends.ID) types.String {
	if id == "" {
		return types.StringNull()
	}
	return types.StringValue(string(id))
}

// settle is v, or value where v says nothing.
func settle(v types.String, value *string) types.String {
	if v.IsNull() || v.IsUnknown() {
		return types.StringPointerValue(value)
	}
	return v
}

// asked is what the configuration says, nil where it says nothing.
func asked(v types.String) *string {
	if v.IsUnknown() {
		return nil
	}
	return v.ValueStringPointer()
}
