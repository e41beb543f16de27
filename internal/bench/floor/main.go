// Command floor is a provider that does nothing: it knows the schemas of the
// real one, believes the state, and answers from memory. What terraform needs
// with it is what terraform needs at least.
package main

import (
	"context"
	"log"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"

	virtrigaud "github.com/virtrigaud/terraform-provider-virtrigaud/internal/provider"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vm"
)

func main() {
	if err := virtrigaud.Tune(); err != nil {
		log.Fatal(err)
	}
	err := providerserver.Serve(context.Background(), func() provider.Provider { return &floor{real: virtrigaud.New("floor")} },
		providerserver.ServeOpts{Address: "registry.terraform.io/virtrigaud/virtrigaud"})
	if err != nil {
		log.Fatal(err)
	}
}

// floor takes the real provider's configuration and ignores it.
type floor struct{ real provider.Provider }

func (f *floor) Metadata(ctx context.Context, req provider.MetadataRequest, resp *provider.MetadataResponse) {
	f.real.Metadata(ctx, req, resp)
}

func (f *floor) Schema(ctx context.Context, req provider.SchemaRequest, resp *provider.SchemaResponse) {
	f.real.Schema(ctx, req, resp)
}

func (f *floor) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (f *floor) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (f *floor) Resources(context.Context) []func() resource.Resource {
	if os.Getenv("FLOOR_TINY") != "" {
		return []func() resource.Resource{func() resource.Resource { return tiny{} }}
	}
	return []func() resource.Resource{func() resource.Resource { return echo{} }}
}

// echo is virtrigaud_vm without a hypervisor.
type echo struct{ nothing }

func (echo) Schema(ctx context.Context, req resource.SchemaRequest, resp *resource.SchemaResponse) {
	vm.NewResource().Schema(ctx, req, resp)
}

// tiny is virtrigaud_vm with no more than a name and an id.
type tiny struct{ nothing }

func (tiny) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"name": schema.StringAttribute{Required: true},
		"id": schema.StringAttribute{Computed: true, PlanModifiers: []planmodifier.String{
			stringplanmodifier.UseStateForUnknown(),
		}},
	}}
}

func (tiny) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m struct {
		Name string  `tfsdk:"name"`
		ID   *string `tfsdk:"id"`
	}
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	m.ID = &m.Name
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// nothing is a resource that keeps what it is given.
type nothing struct{}

func (nothing) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_vm"
}

func (nothing) Create(_ context.Context, _ resource.CreateRequest, resp *resource.CreateResponse) {
	resp.Diagnostics.AddError("Nothing is created here", "The state comes from the real provider.")
}

func (nothing) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (nothing) Update(_ context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.State.Raw = req.Plan.Raw
}

func (nothing) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}
