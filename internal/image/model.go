package image

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// The kinds of images.
const (
	kindDisk     = "disk"
	kindISO      = "iso"
	kindOVA      = "ova"
	kindTemplate = "template"
)

type model struct {
	Name         types.String   `tfsdk:"name"`
	URL          types.String   `tfsdk:"url"`
	LocalPath    types.String   `tfsdk:"local_path"`
	VMID         types.String   `tfsdk:"vm_id"`
	LibraryItem  types.String   `tfsdk:"content_library"`
	Checksum     types.String   `tfsdk:"checksum"`
	Format       types.String   `tfsdk:"format"`
	TargetFormat types.String   `tfsdk:"target_format"`
	Storage      types.String   `tfsdk:"storage"`
	Kind         types.String   `tfsdk:"kind"`
	Timeouts     timeouts.Value `tfsdk:"timeouts"`

	ID          types.String `tfsdk:"id"`
	SizeBytes   types.Int64  `tfsdk:"size_bytes"`
	Path        types.String `tfsdk:"path"`
	Cached      types.Bool   `tfsdk:"cached"`
	Fingerprint types.String `tfsdk:"fingerprint"`
}

// imported reports whether the source of the image in state is not known:
// nobody but an import leaves it out.
func (m *model) imported() bool {
	return m.URL.IsNull() && m.LocalPath.IsNull() && m.VMID.IsNull() && m.LibraryItem.IsNull()
}

// file reports whether the image comes from a file, which is transferred.
func (m *model) file() bool { return !m.URL.IsNull() || !m.LocalPath.IsNull() }

// defaultKind is the kind of an image whose configuration does not say it: for files their names
// tell an appliance from a disk. It is unknown where the source is.
func (m *model) defaultKind() types.String {
	switch {
	case m.URL.IsUnknown(), m.LocalPath.IsUnknown():
		return types.StringUnknown()
	case m.file() && isPackage(diskimage.Source{URL: m.URL.ValueString(), Path: m.LocalPath.ValueString()}):
		return types.StringValue(kindOVA)
	case !m.LibraryItem.IsNull():
		return types.StringValue(kindTemplate)
	}
	return types.StringValue(kindDisk)
}

// isPackage reports whether a file is a virtual appliance, by its name.
func isPackage(s diskimage.Source) bool {
	name := strings.ToLower(s.BaseName())
	for _, end := range []string{".gz", ".xz", ".zst", ".bz2"} {
		name = strings.TrimSuffix(name, end)
	}
	return strings.HasSuffix(name, ".ova") || strings.HasSuffix(name, ".ovf")
}

// spec is what is asked of the hypervisor.
func (m *model) spec(fingerprint string) backends.ImageSpec {
	return backends.ImageSpec{
		Name:        m.Name.ValueString(),
		Storage:     optional(m.Storage),
		Kind:        m.Kind.ValueString(),
		Format:      optional(m.TargetFormat),
		Fingerprint: fingerprint,
	}
}

// created takes over what the hypervisor says of a new image, where the plan
// left it open. format is that of the file, "" where it was not read.
func (m *model) created(img backends.Image, format, fingerprint string) {
	if format == "" {
		format = img.Format
	}
	m.Kind = settle(m.Kind, img.Kind)
	m.Format = settle(m.Format, format)
	m.TargetFormat = settle(m.TargetFormat, img.Format)
	m.Storage = settle(m.Storage, img.Storage)
	m.ID = types.StringValue(img.ID)
	m.Cached = types.BoolValue(img.Cached)
	m.Fingerprint = text(fingerprint)
	m.observed(img)
}

// observed takes over what may differ from one read to the next.
func (m *model) observed(img backends.Image) {
	m.SizeBytes = types.Int64Value(img.SizeBytes)
	m.Path = text(img.Path)
}

// adopted fills in what an import does not know. A configured value of state is
// never overwritten: an image does not change its name or storage.
func (m *model) adopted(img backends.Image) {
	m.Name = settle(m.Name, img.Name)
	m.Format = settle(m.Format, img.Format)
	m.TargetFormat = settle(m.TargetFormat, img.Format)
	m.Storage = settle(m.Storage, img.Storage)
	m.Kind = settle(m.Kind, img.Kind)
	if m.Cached.IsNull() {
		m.Cached = types.BoolValue(false)
	}
}

// settle is v, or value where v says nothing.
func settle(v types.String, value string) types.String {
	if v.IsNull() || v.IsUnknown() {
		return text(value)
	}
	return v
}

func text(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

func optional(v types.String) *string {
	if v.IsNull() || v.IsUnknown() {
		return nil
	}
	s := v.ValueString()
	return &s
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
