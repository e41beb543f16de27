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

// Hosts is virtrigaud_hosts.
type Hosts struct{ source }

var _ datasource.DataSourceWithConfigure = (*Hosts)(nil)

// NewHosts returns the data source.
func NewHosts() datasource.DataSource { return &Hosts{source{noun: "hosts"}} }

type hostsModel struct {
	Name    types.String `tfsdk:"name"`
	Cluster types.String `tfsdk:"cluster"`
	Hosts   []hostModel  `tfsdk:"hosts"`
}

type hostModel struct {
	Name      string  `tfsdk:"name"`
	Cluster   *string `tfsdk:"cluster"`
	Online    bool    `tfsdk:"online"`
	CPUs      int64   `tfsdk:"cpus"`
	MemoryMiB int64   `tfsdk:"memory_mib"`
}

// Schema implements datasource.DataSource.
func (d *Hosts) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The machines that run VMs.",
		Attributes: map[string]schema.Attribute{
			"name":    filter("Only the host of this name. The list is empty where there is none."),
			"cluster": filter("Only hosts of this cluster."),
			"hosts": list("The hosts, by name.", map[string]schema.Attribute{
				"name":       told("Name, for `placement.host` of `virtrigaud_vm`."),
				"cluster":    told("Cluster that the host belongs to; null where there are no clusters."),
				"online":     flag("Whether the host can run VMs now."),
				"cpus":       number("Number of logical processors."),
				"memory_mib": number("Memory in MiB."),
			}),
		},
	}
}

// Read implements datasource.DataSource.
func (d *Hosts) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m hostsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	all, ok := ask(ctx, &d.source, &resp.Diagnostics, func(ctx context.Context, b backends.Backend) ([]backends.Host, error) { return b.Hosts(ctx) })
	if !ok {
		return
	}
	m.Hosts = []hostModel{}
	for _, h := range all {
		if asked(m.Name) && h.Name != m.Name.ValueString() || asked(m.Cluster) && h.Cluster != m.Cluster.ValueString() {
			continue
		}
		one := hostModel{Name: h.Name, Online: h.Online, CPUs: h.CPUs, MemoryMiB: h.MemoryMiB}
		if h.Cluster != "" {
			one.Cluster = &h.Cluster
		}
		m.Hosts = append(m.Hosts, one)
	}
	slices.SortFunc(m.Hosts, func(a, b hostModel) int { return cmp.Compare(a.Name, b.Name) })
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}
