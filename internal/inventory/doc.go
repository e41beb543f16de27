// Package inventory is the data sources that list what a hypervisor has:
// virtrigaud_vms, virtrigaud_networks, virtrigaud_storages and virtrigaud_hosts.
// Each is read with few calls, whatever the number of what it lists.
package inventory

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// readTimeout bounds the reading of one list.
const readTimeout = 2 * time.Minute

// source is what all data sources of the package have in common.
type source struct {
	noun string // "networks": the end of the type's name, and the list in it
	data *tfx.ProviderData
}

// Metadata implements datasource.DataSource.
func (s *source) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + s.noun
}

// Configure implements datasource.DataSourceWithConfigure.
func (s *source) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	s.data = tfx.FromConfigure(req.ProviderData, &resp.Diagnostics)
}

// ask reads one list. ok is false where that failed, which is then said.
func ask[T any](ctx context.Context, s *source, diags *diag.Diagnostics, read func(context.Context, backends.Backend) ([]T, error)) (all []T, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	b, _, err := s.data.Connect(ctx)
	if err == nil {
		all, err = read(ctx, b)
	}
	if err != nil {
		s.data.AddError(diags, tfx.Read, backends.Wrap(err, "list "+s.noun, ""))
		return nil, false
	}
	return all, true
}

// asked reports whether a filter is set.
func asked(v types.String) bool { return !v.IsNull() }

func told(doc string) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: doc, Computed: true}
}

func number(doc string) schema.Int64Attribute {
	return schema.Int64Attribute{MarkdownDescription: doc, Computed: true}
}

func flag(doc string) schema.BoolAttribute {
	return schema.BoolAttribute{MarkdownDescription: doc, Computed: true}
}

// filter is text that narrows a list.
func filter(doc string, v ...validator.String) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: doc, Optional: true, Validators: append([]validator.String{stringvalidator.LengthAtLeast(1)}, v...)}
}

// list is what a data source found.
func list(doc string, attributes map[string]schema.Attribute) schema.ListNestedAttribute {
	return schema.ListNestedAttribute{
		MarkdownDescription: doc, Computed: true,
		NestedObject: schema.NestedAttributeObject{Attributes: attributes},
	}
}
