package vmschema

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// The values of on_image_change and on_source_change.
const (
	ImageIgnore  = "ignore"
	ImageReplace = "replace"
)

// Source is what a VM of virtrigaud_vm is made from.
type Source struct {
	Image         *string `tfsdk:"image"`
	Template      *string `tfsdk:"template"`
	OnImageChange *string `tfsdk:"on_image_change"`
}

// Origin is what a VM of virtrigaud_clone is made from.
type Origin struct {
	SourceVM       *string `tfsdk:"source_vm"`
	SourceSnapshot *string `tfsdk:"source_snapshot"`
	OnSourceChange *string `tfsdk:"on_source_change"`
}

// Inherits reports whether the VM is a clone, so that what is not configured is
// its source's.
func (o Origin) Inherits() bool { return o.SourceVM != nil || o.SourceSnapshot != nil }

func sourceAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"image": text("Id of the image that the disk `root` is made from, such as `virtrigaud_image.debian.id`. Without `image` and `template` the disks are blank. See `on_image_change`.",
			stringvalidator.LengthAtLeast(1)),
		"template": text("Name or id of the VM or template that the whole VM is made from; what is unset is then the template's. A VM that serves as one must be stopped where the hypervisor wants that. See `on_image_change`.",
			stringvalidator.LengthAtLeast(1)),
		"linked": flag("Let the disks share the content of `image` or `template` copy-on-write, instead of copying it: made at once, and only what the VM writes takes space. " +
			"What is shared cannot be deleted before the VM. Acts at creation only, see `on_image_change`. " +
			"libvirt makes qcow2 disks above the shared one and refuses other formats; vSphere and Proxmox VE link to templates only. Default: false."),
		"on_image_change": onChange("What another `image`, `template` or `linked` does to the VM that exists: `ignore`, or `replace` to destroy the VM and make it anew. Default: `ignore`."),
	}
}

func originAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"source_vm": schema.StringAttribute{
			MarkdownDescription: "Id or name of the VM or template to clone, such as `virtrigaud_vm.web.id`. It may run: its disks are then cloned as they are after a power cut. " +
				"Exactly one of `source_vm` and `source_snapshot` is set. See `on_source_change`.",
			Optional: true,
			Validators: []validator.String{
				stringvalidator.LengthAtLeast(1),
				stringvalidator.ExactlyOneOf(path.MatchRoot("source_vm"), path.MatchRoot("source_snapshot")),
			},
		},
		"source_snapshot": schema.StringAttribute{
			MarkdownDescription: "Id of the snapshot to clone, such as `virtrigaud_snapshot.before.id`: the VM's id, a slash, and the snapshot's own id. See `on_source_change`.",
			Optional:            true,
			Validators:          []validator.String{matches(`^[^/]+/.+$`, "must be the id of a snapshot: the VM's id, a slash, and the snapshot's own id")},
		},
		"linked": flag("Let the clone's disks share the source's content copy-on-write, instead of copying it: made at once, and only what the clone writes takes space. " +
			"The base that this needs is made with the first clone and removed with the last; the source cannot be deleted before its linked clones. " +
			"Acts at creation only, see `on_source_change`. libvirt freezes the source's disks, and source and clone both go on in layers of their own; " +
			"vSphere makes a snapshot for it; Proxmox VE links to templates only. Default: false."),
		"on_source_change": onChange("What another `source_vm`, `source_snapshot` or `linked` does to the clone that exists: `ignore`, or `replace` to destroy the clone and make it anew. Default: `ignore`."),
	}
}

func onChange(doc string) schema.StringAttribute {
	return schema.StringAttribute{
		MarkdownDescription: doc,
		Optional:            true, Computed: true, Default: stringdefault.StaticString(ImageIgnore), Validators: oneOfOnly(ImageIgnore, ImageReplace),
	}
}
