package vm_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// Identities need Terraform 1.12; these tests speak the protocol themselves, so
// that they hold whatever terraform is installed.

var identityType = tftypes.Object{AttributeTypes: map[string]tftypes.Type{"id": tftypes.String, "backend": tftypes.String}}

// server is the provider, configured for a mock.
func server(t *testing.T, m *acctest.Mock) (tfprotov6.ProviderServer, tftypes.Type) {
	t.Helper()
	s, err := acctest.Factories["virtrigaud"]()
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := s.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	block := schemas.Provider.ValueType().(tftypes.Object)
	inner, outer := nulls(block.AttributeTypes["mock"].(tftypes.Object)), nulls(block)
	inner["state_file"] = tftypes.NewValue(tftypes.String, m.StateFile)
	inner["sample_data"] = tftypes.NewValue(tftypes.Bool, true)
	outer["mock"] = tftypes.NewValue(block.AttributeTypes["mock"], inner)
	config := dynamic(t, tftypes.NewValue(block, outer))
	resp, err := s.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: &config})
	if err != nil || len(resp.Diagnostics) > 0 {
		t.Fatal(err, said(resp.Diagnostics))
	}
	return s, schemas.ResourceSchemas["virtrigaud_vm"].ValueType()
}

func nulls(o tftypes.Object) map[string]tftypes.Value {
	all := map[string]tftypes.Value{}
	for name, typ := range o.AttributeTypes {
		all[name] = tftypes.NewValue(typ, nil)
	}
	return all
}

func dynamic(t *testing.T, v tftypes.Value) tfprotov6.DynamicValue {
	t.Helper()
	d, err := tfprotov6.NewDynamicValue(v.Type(), v)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func identityData(t *testing.T, id string, backend any) *tfprotov6.ResourceIdentityData {
	t.Helper()
	d := dynamic(t, tftypes.NewValue(identityType, map[string]tftypes.Value{
		"id": tftypes.NewValue(tftypes.String, id), "backend": tftypes.NewValue(tftypes.String, backend),
	}))
	return &tfprotov6.ResourceIdentityData{IdentityData: &d}
}

func said(diags []*tfprotov6.Diagnostic) string {
	text := ""
	for _, d := range diags {
		text += d.Summary + ": " + d.Detail + "\n"
	}
	return text
}

// fields reads an object of texts.
func fields(t *testing.T, d *tfprotov6.DynamicValue, typ tftypes.Type, names ...string) []string {
	t.Helper()
	v, err := d.Unmarshal(typ)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]tftypes.Value
	if err := v.As(&all); err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(names))
	for i, name := range names {
		var s *string
		if err := all[name].As(&s); err != nil {
			t.Fatal(err)
		}
		if s != nil {
			out[i] = *s
		}
	}
	return out
}

func TestImportByIdentity(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	s, stateType := server(t, m)
	id := string(m.VM("db-01").ID)
	for name, backend := range map[string]any{"with its backend": "mock", "without": nil} {
		t.Run(name, func(t *testing.T) {
			imported, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{
				TypeName: "virtrigaud_vm", Identity: identityData(t, id, backend),
			})
			if err != nil || len(imported.Diagnostics) > 0 {
				t.Fatal(err, said(imported.Diagnostics))
			}
			one := imported.ImportedResources[0]
			read, err := s.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
				TypeName: "virtrigaud_vm", CurrentState: one.State, CurrentIdentity: one.Identity, Private: one.Private,
			})
			if err != nil || len(read.Diagnostics) > 0 {
				t.Fatal(err, said(read.Diagnostics))
			}
			if got := fields(t, read.NewState, stateType, "id", "name", "backend", "restart_policy"); got[0] != id || got[1] != "db-01" || got[2] != "mock" || got[3] != "when_required" {
				t.Errorf("imported %v", got)
			}
			if got := fields(t, read.NewIdentity.IdentityData, identityType, "id", "backend"); got[0] != id || got[1] != "mock" {
				t.Errorf("identity %v", got)
			}
		})
	}
}

func TestImportByIdentityOfAnotherHypervisor(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	s, _ := server(t, m)
	imported, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{
		TypeName: "virtrigaud_vm", Identity: identityData(t, string(m.VM("db-01").ID), "libvirt"),
	})
	if err != nil || len(imported.Diagnostics) != 1 || !strings.Contains(imported.Diagnostics[0].Detail, `"libvirt"`) {
		t.Fatal(err, said(imported.Diagnostics))
	}
}

// A VM that is gone leaves state, and only then.
func TestReadOfWhatIsGone(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	s, stateType := server(t, m)
	state := nulls(stateType.(tftypes.Object))
	state["id"] = tftypes.NewValue(tftypes.String, "00000000-0000-0000-0000-000000000000")
	state["name"] = tftypes.NewValue(tftypes.String, "gone")
	current := dynamic(t, tftypes.NewValue(stateType, state))
	read, err := s.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
		TypeName: "virtrigaud_vm", CurrentState: &current, CurrentIdentity: identityData(t, "00000000-0000-0000-0000-000000000000", "mock"),
	})
	if err != nil || len(read.Diagnostics) > 0 {
		t.Fatal(err, said(read.Diagnostics))
	}
	now, err := read.NewState.Unmarshal(stateType)
	if err != nil || !now.IsNull() {
		t.Errorf("state still has %v, error %v", now, err)
	}
}
