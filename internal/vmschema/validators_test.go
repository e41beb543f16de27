package vmschema

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func accepts(t *testing.T, v validator.String, s string) bool {
	t.Helper()
	var resp validator.StringResponse
	v.ValidateString(t.Context(), validator.StringRequest{Path: path.Root("x"), ConfigValue: types.StringValue(s)}, &resp)
	return !resp.Diagnostics.HasError()
}

func TestDurations(t *testing.T) {
	for s, valid := range map[string]bool{"90s": true, "1h30m": true, "0s": false, "-1s": false, "90": false, "": false} {
		if got := accepts(t, duration{}, s); got != valid {
			t.Errorf("duration %q accepted: %v, want %v", s, got, valid)
		}
	}
	if !accepts(t, duration{zero: true}, "0s") {
		t.Error("0s is refused where it means not to wait")
	}
}
