package image

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// While the provider's configuration is not known yet, what state says stays.
func TestReadBeforeTheProviderIsConfigured(t *testing.T) {
	r := NewResource()
	var s resource.SchemaResponse
	r.Schema(t.Context(), resource.SchemaRequest{}, &s)
	object := s.Schema.Type().TerraformType(t.Context()).(tftypes.Object)
	values := map[string]tftypes.Value{}
	for name, typ := range object.AttributeTypes {
		values[name] = tftypes.NewValue(typ, nil)
	}
	values["id"] = tftypes.NewValue(tftypes.String, "default/x")
	state := tfsdk.State{Raw: tftypes.NewValue(object, values), Schema: s.Schema}
	resp := resource.ReadResponse{State: state}
	r.Read(t.Context(), resource.ReadRequest{State: state}, &resp)
	if resp.Diagnostics.HasError() || !resp.State.Raw.Equal(state.Raw) {
		t.Errorf("diagnostics %v, state %v", resp.Diagnostics, resp.State.Raw)
	}
}
