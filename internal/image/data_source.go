package image

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// DataSource is virtrigaud_image as a data source.
type DataSource struct{ provider *tfx.ProviderData }

var (
	_ datasource.DataSourceWithConfigure      = (*DataSource)(nil)
	_ datasource.DataSourceWithValidateConfig = (*DataSource)(nil)
)

// NewDataSource makes the data source.
func NewDataSource() datasource.DataSource { return &DataSource{} }

type observation struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Storage     types.String `tfsdk:"storage"`
	Kind        types.String `tfsdk:"kind"`
	Format      types.String `tfsdk:"format"`
	SizeBytes   types.Int64  `tfsdk:"size_bytes"`
	Path        types.String `tfsdk:"path"`
	Fingerprint types.String `tfsdk:"fingerprint"`
}

// Metadata names the data source.
func (d *DataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_image"
}

// Configure takes the connection from the provider.
func (d *DataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.provider = tfx.FromConfigure(req.ProviderData, &resp.Diagnostics)
}

// Schema describes the data source.
func (d *DataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	asked := func(description string) schema.StringAttribute {
		return schema.StringAttribute{
			MarkdownDescription: description, Optional: true, Computed: true,
			Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
		}
	}
	told := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "An image, appliance or template that exists on the hypervisor, whoever brought it there. By name only those are found that were made as images; " +
			"by id whatever the hypervisor can use as one.",
		Attributes: map[string]schema.Attribute{
			"id":          asked("Id of the image. Exactly one of `id` and `name` is set."),
			"name":        asked("Name of the image. Exactly one of `id` and `name` is set; a name that several images have needs `storage` too."),
			"storage":     asked("Storage that keeps the image. With `name`: only an image there."),
			"kind":        told("`disk`, `iso`, `ova` or `template`, see the resource."),
			"format":      told("Format that the image is stored in. Null where its disks have several."),
			"size_bytes":  schema.Int64Attribute{MarkdownDescription: "Size in bytes that a guest sees.", Computed: true},
			"path":        told("Where the hypervisor keeps the image. Null where that is no single place."),
			"fingerprint": told("What tells versions of the content apart, as it was when the image was made. Null where nothing is known."),
		},
	}
}

// ValidateConfig makes sure that it is said which image is meant.
func (d *DataSource) ValidateConfig(ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	var m observation
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	switch {
	case !m.ID.IsNull() && !m.Name.IsNull():
		resp.Diagnostics.AddAttributeError(path.Root("id"), "Both id and name are set", "An image is looked up by its id or by its name; set one of them.")
	case m.ID.IsNull() && m.Name.IsNull():
		resp.Diagnostics.AddAttributeError(path.Root("name"), "Neither id nor name is set", "An image is looked up by its id or by its name; set one of them.")
	case !m.ID.IsNull() && !m.Storage.IsNull():
		resp.Diagnostics.AddAttributeError(path.Root("storage"), "Both id and storage are set", "An id needs no storage. Remove storage.")
	}
}

// Read asks the hypervisor.
func (d *DataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m observation
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	b, _, err := d.provider.Connect(ctx)
	var img backends.Image
	if err == nil {
		img, err = m.find(ctx, b)
	}
	if err != nil {
		d.provider.AddError(&resp.Diagnostics, tfx.Import, err)
		return
	}
	m = observation{
		ID: types.StringValue(img.ID), Name: types.StringValue(img.Name), Storage: text(img.Storage), Kind: text(img.Kind), Format: text(img.Format),
		SizeBytes: types.Int64Value(img.SizeBytes), Path: text(img.Path), Fingerprint: text(img.Fingerprint),
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

func (m *observation) find(ctx context.Context, b backends.Backend) (backends.Image, error) {
	if !m.ID.IsNull() {
		img, err := b.GetImage(ctx, m.ID.ValueString())
		return img, at(backends.Wrap(err, "find", backends.ImageObject(m.ID.ValueString())), "id")
	}
	name := m.Name.ValueString()
	all, err := b.ListImages(ctx, m.Storage.ValueString())
	if err != nil {
		return backends.Image{}, backends.Wrap(err, "find", backends.ImageObject(name))
	}
	return byName(all, name)
}

// byName picks the image that has a name.
func byName(all []backends.Image, name string) (backends.Image, error) {
	var found []backends.Image
	var ids []string
	for _, img := range all {
		if img.Name == name {
			found, ids = append(found, img), append(ids, fmt.Sprintf("%q", img.ID))
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		e := backends.Errorf(backends.NotFound, "find", backends.ImageObject(name), "there is no image with this name").At("name")
		if near := nearest(all, name); len(near) > 0 {
			return backends.Image{}, e.Advise("Similar names are %s.", strings.Join(near, ", "))
		}
		return backends.Image{}, e.Advise("An image that was not made by this provider is found by its id.")
	}
	return backends.Image{}, backends.Errorf(backends.Conflict, "find", backends.ImageObject(name), "%d images have this name: %s", len(found), strings.Join(ids, ", ")).
		At("name").Advise("Set storage too, or use the id of the one that is meant.")
}

// nearest are the names that can be meant, the likeliest first, at most five.
func nearest(all []backends.Image, name string) []string {
	type candidate struct {
		name string
		far  int
	}
	var near []candidate
	for _, img := range all {
		far := distance(strings.ToLower(img.Name), strings.ToLower(name))
		if strings.Contains(img.Name, name) || strings.Contains(name, img.Name) {
			far = min(far, 1)
		}
		if far <= max(2, len(name)/3) {
			near = append(near, candidate{fmt.Sprintf("%q", img.Name), far})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name)) })
	var names []string
	for _, c := range slices.Compact(near) {
		names = append(names, c.name)
	}
	return names[:min(len(names), 5)]
}

// distance is how many letters make one name the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
