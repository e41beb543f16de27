package vm

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// DataSource is virtrigaud_vm as a data source.
type DataSource struct{ data *tfx.ProviderData }

var (
	_ datasource.DataSourceWithConfigure      = (*DataSource)(nil)
	_ datasource.DataSourceWithValidateConfig = (*DataSource)(nil)
)

// NewDataSource returns the data source.
func NewDataSource() datasource.DataSource { return &DataSource{} }

// Metadata implements datasource.DataSource.
func (d *DataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_vm"
}

// Schema implements datasource.DataSource.
func (d *DataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := vmschema.ObservedAttributes()
	attributes["id"] = schema.StringAttribute{
		MarkdownDescription: "Id of the VM on its hypervisor. Exactly one of `id` and `name` is set.", Optional: true, Computed: true,
	}
	attributes["name"] = schema.StringAttribute{
		MarkdownDescription: "Name of the VM. Exactly one of `id` and `name` is set.", Optional: true, Computed: true,
	}
	attributes["guest"] = richGuest(attributes["guest"])
	resp.Schema = schema.Schema{
		MarkdownDescription: "A virtual machine that exists, whoever made it. The guest agent is asked once, briefly; what it does not tell is null.",
		Attributes:          attributes,
	}
}

// Configure implements datasource.DataSourceWithConfigure.
func (d *DataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.data = tfx.FromConfigure(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig implements datasource.DataSourceWithValidateConfig.
func (d *DataSource) ValidateConfig(ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	var id, name types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("id"), &id)...)
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &name)...)
	switch {
	case !id.IsNull() && !name.IsNull():
		resp.Diagnostics.AddAttributeError(path.Root("id"), "Both id and name are set", "A VM is looked up by its id or by its name; set one of them.")
	case id.IsNull() && name.IsNull():
		resp.Diagnostics.AddAttributeError(path.Root("name"), "Neither id nor name is set", "A VM is looked up by its id or by its name; set one of them.")
	}
}

// Read implements datasource.DataSource.
func (d *DataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var id, name types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("id"), &id)...)
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &name)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	b, info, err := d.data.Connect(ctx)
	if err != nil {
		d.data.AddError(&resp.Diagnostics, tfx.Read, err)
		return
	}
	found := backends.ID(id.ValueString())
	if id.IsNull() {
		found, err = machine.Find(ctx, b, name.ValueString())
	}
	var vm *backends.VM
	if err == nil {
		vm, err = look(ctx, b, found, backends.AspectGuestDetail)
	}
	if err != nil {
		d.data.AddError(&resp.Diagnostics, tfx.Import, err)
		return
	}
	resp.Diagnostics.Append(describe(ctx, &resp.State, vm, info.Backend, askGuest(ctx, b, vm))...)
}
