// Package image is the resource and the data source virtrigaud_image: a disk or ISO
// image, a virtual appliance or a template. Files are streamed to the hypervisor, verified on the
// way, and not transferred again while their content stays the same.
package image

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// How long operations may take where timeouts does not say.
const (
	createTimeout = time.Hour
	readTimeout   = 2 * time.Minute
	deleteTimeout = 10 * time.Minute
)

// Resource is virtrigaud_image.
type Resource struct {
	provider *tfx.ProviderData
}

var (
	_ resource.ResourceWithConfigure      = (*Resource)(nil)
	_ resource.ResourceWithIdentity       = (*Resource)(nil)
	_ resource.ResourceWithImportState    = (*Resource)(nil)
	_ resource.ResourceWithModifyPlan     = (*Resource)(nil)
	_ resource.ResourceWithValidateConfig = (*Resource)(nil)
)

// NewResource makes the resource.
func NewResource() resource.Resource { return &Resource{} }

// Metadata names the resource.
func (r *Resource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_image"
}

// Configure takes the connection from the provider.
func (r *Resource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.provider = tfx.FromConfigure(req.ProviderData, &resp.Diagnostics)
}

// IdentitySchema implements resource.ResourceWithIdentity.
func (r *Resource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = tfx.IdentitySchema("the image")
}
