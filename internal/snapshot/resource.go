// Package snapshot is the resource virtrigaud_snapshot: a point in a VM's life
// to which it can return.
package snapshot

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// How long operations may take where timeouts does not say.
const (
	createTimeout = 20 * time.Minute
	readTimeout   = 2 * time.Minute
	updateTimeout = 20 * time.Minute
	deleteTimeout = 30 * time.Minute
)

// Resource is virtrigaud_snapshot.
type Resource struct{ data *tfx.ProviderData }

var (
	_ resource.ResourceWithConfigure      = (*Resource)(nil)
	_ resource.ResourceWithIdentity       = (*Resource)(nil)
	_ resource.ResourceWithImportState    = (*Resource)(nil)
	_ resource.ResourceWithModifyPlan     = (*Resource)(nil)
	_ resource.ResourceWithValidateConfig = (*Resource)(nil)
)

// NewResource returns the resource.
func NewResource() resource.Resource { return &Resource{} }

// Metadata implements resource.Resource.
func (r *Resource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_snapshot"
}

// IdentitySchema implements resource.ResourceWithIdentity.
func (r *Resource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = tfx.IdentitySchema("the snapshot, VM/SNAPSHOT,")
}

// Configure implements resource.ResourceWithConfigure.
func (r *Resource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.data = tfx.FromConfigure(req.ProviderData, &resp.Diagnostics)
}
