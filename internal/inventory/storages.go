package inventory

import (
	"cmp"
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Storages is virtrigaud_storages.
type Storages struct{ source }

var _ datasource.DataSourceWithConfigure = (*Storages)(nil)

// NewStorages returns the data source.
func NewStorages() datasource.DataSource { return &Storages{source{noun: "storages"}} }

type storagesModel struct {
	Name     types.String   `tfsdk:"name"`
	Kind     types.String   `tfsdk:"kind"`
	Storages []storageModel `tfsdk:"storages"`
}

type storageModel struct {
	Name          string `tfsdk:"name"`
	Kind          string `tfsdk:"kind"`
	CapacityBytes int64  `tfsdk:"capacity_bytes"`
	FreeBytes     int64  `tfsdk:"free_bytes"`
	Active        bool   `tfsdk:"active"`
	Shared        bool   `tfsdk:"shared"`
}

// Schema implements datasource.DataSource.
func (d *Storages) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "What disks and images can be placed on.",
		Attributes: map[string]schema.Attribute{
			"name": filter("Only the storage of this name. The list is empty where there is none."),
			"kind": filter("Only storages of this kind."),
			"storages": list("The storages, by name.", map[string]schema.Attribute{
				"name":           told("Name, for `storage` of disks, images and `placement`."),
				"kind":           told("Kind of storage, such as `dir`, `logical` or `vmfs`."),
				"capacity_bytes": number("Size in bytes; 0 while the storage is not active."),
				"free_bytes":     number("Bytes that are free when Terraform looks; 0 while the storage is not active."),
				"active":         flag("Whether the storage can be used."),
				"shared":         flag("Whether several hosts have it."),
			}),
		},
	}
}

// Read implements datasource.DataSource.
func (d *Storages) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m storagesModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	all, ok := ask(ctx, &d.source, &resp.Diagnostics, func(ctx context.Context, b backends.Backend) ([]backends.Storage, error) { return b.Storages(ctx) })
	if !ok {
		return
	}
	m.Storages = []storageModel{}
	for _, s := range all {
		if asked(m.Name) && s.Name != m.Name.ValueString() || asked(m.Kind) && s.Kind != m.Kind.ValueString() {
			continue
		}
		m.Storages = append(m.Storages, storageModel(s))
	}
	slices.SortFunc(m.Storages, func(a, b storageModel) int { return cmp.Compare(a.Name, b.Name) })
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}
