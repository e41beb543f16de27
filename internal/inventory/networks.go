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

// Networks is virtrigaud_networks.
type Networks struct{ source }

var _ datasource.DataSourceWithConfigure = (*Networks)(nil)

// NewNetworks returns the data source.
func NewNetworks() datasource.DataSource { return &Networks{source{noun: "networks"}} }

type networksModel struct {
	Name     types.String   `tfsdk:"name"`
	Kind     types.String   `tfsdk:"kind"`
	Networks []networkModel `tfsdk:"networks"`
}

type networkModel struct {
	Name   string `tfsdk:"name"`
	Kind   string `tfsdk:"kind"`
	VLAN   *int64 `tfsdk:"vlan"`
	Active bool   `tfsdk:"active"`
}

// Schema implements datasource.DataSource.
func (d *Networks) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "What network interfaces can be connected to.",
		Attributes: map[string]schema.Attribute{
			"name": filter("Only the network of this name. The list is empty where there is none."),
			"kind": filter("Only networks of this kind."),
			"networks": list("The networks, by name.", map[string]schema.Attribute{
				"name":   told("Name, for `networks.<key>.network` of `virtrigaud_vm`."),
				"kind":   told("Kind of network, such as `network`, `bridge` or `distributed`."),
				"vlan":   number("VLAN id of the network itself, 1 to 4094; null where it has none."),
				"active": flag("Whether the network is up."),
			}),
		},
	}
}

// Read implements datasource.DataSource.
func (d *Networks) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m networksModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	all, ok := ask(ctx, &d.source, &resp.Diagnostics, func(ctx context.Context, b backends.Backend) ([]backends.Network, error) { return b.Networks(ctx) })
	if !ok {
		return
	}
	m.Networks = []networkModel{}
	for _, n := range all {
		if asked(m.Name) && n.Name != m.Name.ValueString() || asked(m.Kind) && n.Kind != m.Kind.ValueString() {
			continue
		}
		one := networkModel{Name: n.Name, Kind: n.Kind, Active: n.Active}
		if n.VLAN != 0 {
			one.VLAN = &n.VLAN
		}
		m.Networks = append(m.Networks, one)
	}
	slices.SortFunc(m.Networks, func(a, b networkModel) int { return cmp.Compare(a.Name, b.Name) })
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}
