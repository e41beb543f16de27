package tfx

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
)

// IdentitySchema is that of an object which its id and the kind of its
// hypervisor name. what is the object, such as "the disk".
func IdentitySchema(what string) identityschema.Schema {
	return identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"id":      identityschema.StringAttribute{RequiredForImport: true, Description: "Id of " + what + " on its hypervisor."},
		"backend": identityschema.StringAttribute{OptionalForImport: true, Description: "Kind of hypervisor; it must be the configured one."},
	}}
}

// identity is the model of IdentitySchema.
type identity struct {
	ID      *string `tfsdk:"id"`
	Backend *string `tfsdk:"backend"`
}

// Identify writes who an object is. Terraform before 1.12 knows no identities
// and ignores it: to is nil there.
func (d *ProviderData) Identify(ctx context.Context, to *tfsdk.ResourceIdentity, diags *diag.Diagnostics, id string) {
	if to == nil || d == nil {
		return
	}
	kind := string(d.Kind())
	diags.Append(to.Set(ctx, identity{ID: &id, Backend: &kind})...)
}

// Imported returns what an import asks for: its id, or that of its identity,
// which must be of the configured hypervisor.
func (d *ProviderData) Imported(ctx context.Context, req resource.ImportStateRequest, diags *diag.Diagnostics) string {
	if req.ID != "" || req.Identity == nil {
		return req.ID
	}
	var want identity
	diags.Append(req.Identity.Get(ctx, &want)...)
	if diags.HasError() {
		return ""
	}
	if want.Backend != nil && d.Configured() && *want.Backend != string(d.Kind()) {
		diags.AddError("Another hypervisor",
			fmt.Sprintf("The identity names the backend %q, and this provider is configured for %q. Use the provider configuration of that hypervisor.", *want.Backend, d.Kind()))
	}
	if want.ID == nil {
		return ""
	}
	return *want.ID
}
