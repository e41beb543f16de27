package snapshot

import (
	"context"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// narrow is a hypervisor that lacks one feature.
type narrow struct {
	backends.Unimplemented
	lacks backends.Feature
}

func (n narrow) Info(context.Context) (backends.Info, error) {
	return backends.Info{Backend: backends.Mock, Catalogue: catalogues.Mock().Narrow(n.lacks, backends.Unavailable, "Too old.")}, nil
}

func TestPlanOfWhatIsNotSupported(t *testing.T) {
	triggers := types.MapValueMust(types.StringType, map[string]attr.Value{"at": types.StringValue("1")})
	for _, tt := range []struct {
		lacks backends.Feature
		plan  model
		at    string
	}{
		{backends.FeatureSnapshotCreate, model{}, "name"},
		{backends.FeatureSnapshotMemory, model{Memory: types.BoolValue(true)}, "memory"},
		{backends.FeatureSnapshotQuiesce, model{Quiesce: types.BoolValue(true)}, "quiesce"},
		{backends.FeatureSnapshotRevert, model{RevertTriggers: triggers}, "revert_triggers"},
		{backends.FeatureSnapshotMemory, model{}, ""},
		{backends.FeatureSnapshotRevert, model{}, ""},
	} {
		tt.plan.VMID = types.StringUnknown()
		r := &Resource{data: tfx.NewProviderData(backends.Mock, "test", func(context.Context) (backends.Backend, error) {
			return narrow{lacks: tt.lacks}, nil
		})}
		var diags diag.Diagnostics
		r.check(t.Context(), &diags, &tt.plan, true)
		if tt.at == "" {
			if len(diags) > 0 {
				t.Errorf("without %s, which is not asked for: %v", tt.lacks, diags)
			}
			continue
		}
		if len(diags) != 1 {
			t.Errorf("without %s: %v", tt.lacks, diags)
			continue
		}
		if d, ok := diags[0].(diag.DiagnosticWithPath); !ok || d.Severity() != diag.SeverityError || !d.Path().Equal(path.Root(tt.at)) {
			t.Errorf("without %s: %v, want an error at %s", tt.lacks, diags[0], tt.at)
		}
	}
}
