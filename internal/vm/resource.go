// Package vm is the resources virtrigaud_vm and virtrigaud_clone, and the data source
// virtrigaud_vm.
package vm

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// The default timeouts, as the schema documents them.
const (
	createTimeout = 20 * time.Minute
	readTimeout   = 5 * time.Minute
	updateTimeout = 20 * time.Minute
	deleteTimeout = 10 * time.Minute
)

// Resource is virtrigaud_vm or virtrigaud_clone.
type Resource struct {
	data   *tfx.ProviderData
	origin origin
}

var (
	_ resource.ResourceWithConfigure      = (*Resource)(nil)
	_ resource.ResourceWithIdentity       = (*Resource)(nil)
	_ resource.ResourceWithImportState    = (*Resource)(nil)
	_ resource.ResourceWithModifyPlan     = (*Resource)(nil)
	_ resource.ResourceWithValidateConfig = (*Resource)(nil)
)

// Metadata implements resource.Resource.
func (r *Resource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + r.origin.typeName()
}

// Schema implements resource.Resource.
func (r *Resource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = r.origin.schema()
}

// IdentitySchema implements resource.ResourceWithIdentity.
func (r *Resource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = tfx.IdentitySchema("the VM")
}

// Configure implements resource.ResourceWithConfigure.
func (r *Resource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.data = tfx.FromConfigure(req.ProviderData, &resp.Diagnostics)
}
