package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// CDROM is what lies in a VM's drive.
type CDROM struct {
	ISO *string `tfsdk:"iso"`
}

func cdromAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		MarkdownDescription: "A CD drive. The medium is changed while the VM runs; removing `cdrom` ejects it.",
		Optional:            true,
		Attributes: map[string]schema.Attribute{
			"iso": schema.StringAttribute{
				MarkdownDescription: "Id of an ISO image, such as `virtrigaud_image.rescue.id`. Unset: the drive is empty.",
				Optional:            true,
			},
		},
	}
}

func (m *CDROM) expand(spec *backends.VMSpec) {
	if m != nil {
		spec.CDROM = &backends.CDROM{ISO: value(m.ISO)}
	}
}

// flattenCDROM shows a drive only where one is managed, or holds something when
// the VM is seen for the first time: every VM may have an empty drive.
func flattenCDROM(c *backends.CDROM, prior *CDROM, adopting bool) *CDROM {
	switch {
	case c == nil:
		return prior
	case prior != nil || adopting && c.ISO != "":
		return &CDROM{ISO: some(c.ISO)}
	}
	return nil
}
