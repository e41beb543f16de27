package inventory_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Whatever the number of VMs, they are listed by one call.
func TestVMsAreListedAtOnce(t *testing.T) {
	b, err := mock.New(mock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	const many = 20
	for i := range many {
		if _, err := b.CreateVM(t.Context(), &backends.VMSpec{Name: fmt.Sprintf("vm-%02d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var calls []string
	spied := middleware.Around(b, func(ctx context.Context, c middleware.Call, next func(context.Context) error) error {
		mu.Lock()
		calls = append(calls, c.Method)
		mu.Unlock()
		return next(ctx)
	})
	d := inventory.NewVMs()
	var configured datasource.ConfigureResponse
	d.(datasource.DataSourceWithConfigure).Configure(t.Context(), datasource.ConfigureRequest{
		ProviderData: tfx.NewProviderData(backends.Mock, "test", func(context.Context) (backends.Backend, error) { return spied, nil }),
	}, &configured)
	var described datasource.SchemaResponse
	d.Schema(t.Context(), datasource.SchemaRequest{}, &described)
	object := described.Schema.Type().TerraformType(t.Context()).(tftypes.Object)
	nulls := map[string]tftypes.Value{}
	for name, typ := range object.AttributeTypes {
		nulls[name] = tftypes.NewValue(typ, nil)
	}
	raw := tftypes.NewValue(object, nulls)
	resp := datasource.ReadResponse{State: tfsdk.State{Schema: described.Schema, Raw: raw}}
	d.Read(t.Context(), datasource.ReadRequest{Config: tfsdk.Config{Schema: described.Schema, Raw: raw}}, &resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	var state map[string]tftypes.Value
	var vms []tftypes.Value
	if err := resp.State.Raw.As(&state); err != nil {
		t.Fatal(err)
	}
	if err := state["vms"].As(&vms); err != nil || len(vms) != many {
		t.Errorf("%d VMs are listed, error %v", len(vms), err)
	}
	if want := []string{"Info", "ListVMs"}; !slices.Equal(calls, want) {
		t.Errorf("the hypervisor was asked %q, want %q", calls, want)
	}
}
