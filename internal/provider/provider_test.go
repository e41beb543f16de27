package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

func descriptions(all map[string]schema.Attribute) string {
	text := ""
	for _, a := range all {
		text += a.GetMarkdownDescription() + "\n"
		switch a := a.(type) {
		case schema.SingleNestedAttribute:
			text += descriptions(a.Attributes)
		case schema.ListNestedAttribute:
			text += descriptions(a.NestedObject.Attributes)
		}
	}
	return text
}

// configure runs Configure with a block whose mock has the state file.
func configure(t *testing.T, file any) (*Provider, provider.ConfigureResponse) {
	t.Helper()
	p := New("1.2.3")
	var s provider.SchemaResponse
	p.Schema(t.Context(), provider.SchemaRequest{}, &s)
	block := s.Schema.Type().TerraformType(t.Context()).(tftypes.Object)
	mock := block.AttributeTypes["mock"].(tftypes.Object)
	null := func(o tftypes.Object) map[string]tftypes.Value {
		all := map[string]tftypes.Value{}
		for name, typ := range o.AttributeTypes {
			all[name] = tftypes.NewValue(typ, nil)
		}
		return all
	}
	inner, outer := null(mock), null(block)
	inner["state_file"] = tftypes.NewValue(tftypes.String, file)
	outer["mock"] = tftypes.NewValue(mock, inner)
	req := provider.ConfigureRequest{Config: tfsdk.Config{Raw: tftypes.NewValue(block, outer), Schema: s.Schema}}
	var resp provider.ConfigureResponse
	p.Configure(t.Context(), req, &resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	return p, resp
}

func TestConfigure(t *testing.T) {
	p, resp := configure(t, t.TempDir()+"/mock.json")
	data, ok := resp.ResourceData.(*tfx.ProviderData)
	if !ok || data.Kind() != backends.Mock || data.Version() != "1.2.3" || resp.DataSourceData != resp.ResourceData {
		t.Errorf("resources get %+v", resp.ResourceData)
	}
	if _, err := data.Info(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// A configuration that is not known yet must not stop a plan.
func TestConfigureWithUnknowns(t *testing.T) {
	p, resp := configure(t, tftypes.UnknownValue)
	if resp.ResourceData != nil || resp.DataSourceData != nil {
		t.Errorf("resources get %+v", resp.ResourceData)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
