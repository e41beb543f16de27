// Package console is the ephemeral resource virtrigaud_console: an address at
// which a VM's console answers. It is a secret that expires, and never enters
// plan or state.
package console

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// openTimeout bounds one look for the console.
const openTimeout = time.Minute

// Resource is virtrigaud_console.
type Resource struct{ data *tfx.ProviderData }

var _ ephemeral.EphemeralResourceWithConfigure = (*Resource)(nil)

// NewResource returns the ephemeral resource.
func NewResource() ephemeral.EphemeralResource { return &Resource{} }

type model struct {
	VMID      types.String `tfsdk:"vm_id"`
	Required  types.Bool   `tfsdk:"required"`
	Type      types.String `tfsdk:"type"`
	URL       types.String `tfsdk:"url"`
	Host      types.String `tfsdk:"host"`
	Port      types.Int64  `tfsdk:"port"`
	Password  types.String `tfsdk:"password"`
	ExpiresAt types.String `tfsdk:"expires_at"`
}

// Metadata implements ephemeral.EphemeralResource.
func (r *Resource) Metadata(_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_console"
}

// Schema implements ephemeral.EphemeralResource.
func (r *Resource) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "An address at which the console of a running VM answers. It is a secret that expires, so it is made anew for each run and never stored in plan or state. " +
			"A VM that does not run has no console: that is an error, unless `required` is false. Needs Terraform 1.10 or OpenTofu 1.11.",
		Attributes: map[string]schema.Attribute{
			"vm_id": schema.StringAttribute{
				MarkdownDescription: "Id of the VM.", Required: true,
				Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"required": schema.BoolAttribute{
				MarkdownDescription: "Whether it is an error that the VM does not run. Terraform opens consoles in every run, a destroy included; with false all values are null where there is none. Default: true.",
				Optional:            true,
			},
			"type": schema.StringAttribute{
				MarkdownDescription: "Kind of console: `vnc`, `spice`, `serial` or `webmks`.", Computed: true,
			},
			"url": schema.StringAttribute{
				MarkdownDescription: "Where it answers, such as `vnc://127.0.0.1:5900`. On Proxmox VE a page for a browser that is logged in there, or with `spice` a data URL with a file for remote-viewer.", Computed: true, Sensitive: true,
			},
			"host": schema.StringAttribute{
				MarkdownDescription: "Host of `url`; null where that names none.", Computed: true,
			},
			"port": schema.Int64Attribute{
				MarkdownDescription: "Port of `url`; null where that names none.", Computed: true,
			},
			"password": schema.StringAttribute{
				MarkdownDescription: "Password that the console asks for; null where it asks for none, or where the hypervisor does not tell.", Computed: true, Sensitive: true,
			},
			"expires_at": schema.StringAttribute{
				MarkdownDescription: "Until when `url` and `password` are good, as RFC 3339 in UTC; null: until the VM stops.", Computed: true,
			},
		},
	}
}

// Configure implements ephemeral.EphemeralResourceWithConfigure.
func (r *Resource) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	r.data = tfx.FromConfigure(req.ProviderData, &resp.Diagnostics)
}

// Open implements ephemeral.EphemeralResource.
func (r *Resource) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Read, err)
		return
	}
	c, err := b.Console(ctx, backends.ID(m.VMID.ValueString()))
	if errors.Is(err, backends.ErrPrecondition) && !m.Required.IsNull() && !m.Required.ValueBool() {
		c, err = backends.Console{}, nil
	}
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Read, backends.Wrap(err, "open the console", backends.VMObject(m.VMID.ValueString())))
		return
	}
	m.show(c)
	resp.Diagnostics.Append(resp.Result.Set(ctx, &m)...)
}

// show takes over what the hypervisor says.
func (m *model) show(c backends.Console) {
	m.Type, m.URL, m.Password = text(c.Type), text(c.URL), text(c.Password)
	m.Host, m.Port, m.ExpiresAt = types.StringNull(), types.Int64Null(), types.StringNull()
	if u, err := url.Parse(c.URL); err == nil {
		m.Host = text(u.Hostname())
		if port, err := strconv.ParseInt(u.Port(), 10, 64); err == nil {
			m.Port = types.Int64Value(port)
		}
	}
	if !c.Expires.IsZero() {
		m.ExpiresAt = types.StringValue(c.Expires.UTC().Format(time.RFC3339))
	}
}

func text(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}
