package vmschema

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// vSphere takes a key away whose value is empty, which every plan would set again. A custom attribute is there without a value too.
func TestEmptyOptions(t *testing.T) {
	accepted := func(name, text string) bool {
		t.Helper()
		m, ok := vsphereAttribute().(schema.SingleNestedAttribute).Attributes[name].(schema.MapAttribute)
		if !ok {
			t.Fatalf("%s is no map", name)
		}
		value := types.MapValueMust(types.StringType, map[string]attr.Value{"team": types.StringValue(text)})
		var resp validator.MapResponse
		for _, v := range m.Validators {
			v.ValidateMap(t.Context(), validator.MapRequest{Path: path.Root("vsphere").AtName(name), ConfigValue: value}, &resp)
		}
		return !resp.Diagnostics.HasError()
	}
	if accepted("extra_config", "") {
		t.Error("extra_config takes an empty value")
	}
	if !accepted("extra_config", " ") || !accepted("extra_config", "a") || !accepted("custom_attributes", "") {
		t.Error("a value that vSphere keeps is refused")
	}
}
