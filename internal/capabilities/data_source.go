// Package capabilities is the data source virtrigaud_capabilities: what the
// configured hypervisor can do, as found, and what each driver claims, so that
// a module can branch on it.
package capabilities

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// DataSource is virtrigaud_capabilities.
type DataSource struct {
	provider *tfx.ProviderData
}

var _ datasource.DataSourceWithConfigure = (*DataSource)(nil)

// NewDataSource makes the data source.
func NewDataSource() datasource.DataSource { return &DataSource{} }

// Metadata names the data source.
func (d *DataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_capabilities"
}

// Schema describes the data source.
func (d *DataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "What the configured hypervisor can do, narrowed to the version and host that is connected, " +
			"so that a module can branch on it. The tables of all hypervisors are in `all_backends` and in the guide " +
			"[Capabilities](../guides/capabilities.md).",
		Attributes: map[string]schema.Attribute{
			"backend": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Name of the backend: `libvirt`, `vsphere`, `proxmox` or `mock`.",
			},
			"product": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The hypervisor's own name, such as `QEMU`.",
			},
			"version": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Version of the product.",
			},
			"capabilities": schema.MapNestedAttribute{
				Computed: true,
				MarkdownDescription: "What the connected hypervisor can do: a map from the capability's id, such as `disk_resize` or " +
					"`secure_boot`, to its level.",
				NestedObject: capabilityObject(),
			},
			"all_backends": schema.MapAttribute{
				Computed:            true,
				ElementType:         types.MapType{ElemType: types.ObjectType{AttrTypes: capabilityTypes()}},
				MarkdownDescription: "What each driver claims before it is connected: a map from the backend's name to a map like `capabilities`.",
			},
		},
	}
}

func capabilityObject() schema.NestedAttributeObject {
	return schema.NestedAttributeObject{
		Attributes: map[string]schema.Attribute{
			"group": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Group of the capability, such as `Storage Operations`.",
			},
			"capability": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Name of the capability, such as `Disk Expansion`.",
			},
			"level": schema.StringAttribute{
				Computed: true,
				MarkdownDescription: "`full`, `restart` (works, at the price of a restart), `partial` (works within the limits of the note), " +
					"`unsupported` or `not_applicable`.",
			},
			"note": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Why, or within which limits; empty where there is nothing to add.",
			},
		},
	}
}

// Configure takes the connection from the provider.
func (d *DataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.provider = tfx.FromConfigure(req.ProviderData, &resp.Diagnostics)
}

// Read asks the hypervisor what it is.
func (d *DataSource) Read(ctx context.Context, _ datasource.ReadRequest, resp *datasource.ReadResponse) {
	info, err := d.provider.Info(ctx)
	if err != nil {
		d.provider.AddError(&resp.Diagnostics, tfx.Read, err)
		return
	}
	m := model{
		Backend:      types.StringValue(string(info.Backend)),
		Product:      types.StringValue(info.Product),
		Version:      types.StringValue(info.Version),
		Capabilities: table(info.Catalogue),
		AllBackends:  map[string]map[string]capability{},
	}
	for kind, catalogue := range catalogues.All() {
		m.AllBackends[string(kind)] = table(catalogue)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

func table(c backends.Catalogue) map[string]capability {
	t := make(map[string]capability, len(c.Support))
	for _, f := range backends.Features() {
		s := c.For(f.ID)
		t[string(f.ID)] = capability{
			Group:      types.StringValue(f.Group),
			Capability: types.StringValue(f.Name),
			Level:      types.StringValue(string(s.Level)),
			Note:       types.StringValue(s.Note),
		}
	}
	return t
}
