package provider_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

// Identities need Terraform 1.12; this test speaks the protocol itself, so that
// it holds whatever terraform is installed.
func TestImportByIdentity(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	disk, err := m.Backend.CreateDisk(t.Context(), backends.DiskSpec{Name: "data", Disk: backends.Disk{SizeGiB: new(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	vm := m.VM("db-01").ID
	snapshot, err := m.Backend.CreateSnapshot(t.Context(), vm, backends.SnapshotSpec{Name: "before"})
	if err != nil {
		t.Fatal(err)
	}
	s := configured(t, m)
	for resource, want := range map[string]struct{ id, name string }{
		"virtrigaud_disk":     {disk.ID, "data"},
		"virtrigaud_snapshot": {string(vm) + "/" + snapshot, "before"},
	} {
		for _, backend := range []any{"mock", nil} {
			imported, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: resource, Identity: identity(t, want.id, backend)})
			if err != nil || len(imported.Diagnostics) > 0 {
				t.Fatalf("%s: %v %v", resource, err, imported.Diagnostics)
			}
			one := imported.ImportedResources[0]
			read, err := s.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
				TypeName: resource, CurrentState: one.State, CurrentIdentity: one.Identity, Private: one.Private,
			})
			if err != nil || len(read.Diagnostics) > 0 {
				t.Fatalf("%s: %v %v", resource, err, read.Diagnostics)
			}
			state := object(t, read.NewState, schemas(t, s).ResourceSchemas[resource].ValueType())
			if state["id"] != want.id || state["name"] != want.name {
				t.Errorf("%s: imported %v", resource, state)
			}
			if who := object(t, read.NewIdentity.IdentityData, identityType); who["id"] != want.id || who["backend"] != "mock" {
				t.Errorf("%s: the identity is %v", resource, who)
			}
		}
		imported, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: resource, Identity: identity(t, want.id, "libvirt")})
		if err != nil || len(imported.Diagnostics) != 1 || !strings.Contains(imported.Diagnostics[0].Detail, `"libvirt"`) {
			t.Errorf("%s of another hypervisor: %v %v", resource, err, imported.Diagnostics)
		}
	}
}

var identityType = tftypes.Object{AttributeTypes: map[string]tftypes.Type{"id": tftypes.String, "backend": tftypes.String}}

func identity(t *testing.T, id string, backend any) *tfprotov6.ResourceIdentityData {
	t.Helper()
	return &tfprotov6.ResourceIdentityData{IdentityData: dynamic(t, tftypes.NewValue(identityType, map[string]tftypes.Value{
		"id": tftypes.NewValue(tftypes.String, id), "backend": tftypes.NewValue(tftypes.String, backend),
	}))}
}

// configured is the provider for a mock.
func configured(t *testing.T, m *acctest.Mock) tfprotov6.ProviderServer {
	t.Helper()
	s, err := acctest.Factories["virtrigaud"]()
	if err != nil {
		t.Fatal(err)
	}
	block := schemas(t, s).Provider.ValueType().(tftypes.Object)
	inner, outer := nulls(block.AttributeTypes["mock"].(tftypes.Object)), nulls(block)
	inner["state_file"] = tftypes.NewValue(tftypes.String, m.StateFile)
	inner["sample_data"] = tftypes.NewValue(tftypes.Bool, true)
	outer["mock"] = tftypes.NewValue(block.AttributeTypes["mock"], inner)
	resp, err := s.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: dynamic(t, tftypes.NewValue(block, outer))})
	if err != nil || len(resp.Diagnostics) > 0 {
		t.Fatal(err, resp.Diagnostics)
	}
	return s
}

func schemas(t *testing.T, s tfprotov6.ProviderServer) *tfprotov6.GetProviderSchemaResponse {
	t.Helper()
	all, err := s.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func nulls(o tftypes.Object) map[string]tftypes.Value {
	all := map[string]tftypes.Value{}
	for name, typ := range o.AttributeTypes {
		all[name] = tftypes.NewValue(typ, nil)
	}
	return all
}

func dynamic(t *testing.T, v tftypes.Value) *tfprotov6.DynamicValue {
	t.Helper()
	d, err := tfprotov6.NewDynamicValue(v.Type(), v)
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

// object is what an object has as text.
func object(t *testing.T, d *tfprotov6.DynamicValue, typ tftypes.Type) map[string]string {
	t.Helper()
	v, err := d.Unmarshal(typ)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]tftypes.Value
	if err := v.As(&all); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for name, one := range all {
		var s string
		if one.Type().Is(tftypes.String) && one.IsKnown() && !one.IsNull() && one.As(&s) == nil {
			texts[name] = s
		}
	}
	return texts
}
