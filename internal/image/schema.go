package image

import (
	"context"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/boolplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

const description = `A disk image, an ISO image, a virtual appliance (OVA, OVF) or a template on the hypervisor: brought there from a URL or
a local file, made from a virtual machine, or taken from a content library.

A file is streamed: it is decompressed (gzip, xz, zstd, bzip2), checked and, where the hypervisor wants another format,
converted on its way or on the hypervisor. It is never stored on the machine that runs Terraform. Content that the storage
has already is not transferred again (` + "`cached`" + `). When a transfer fails or is interrupted, nothing is left behind.

What comes of it, by ` + "`kind`" + `:

* ` + "`disk`" + `: for ` + "`image`" + ` of ` + "`virtrigaud_vm`" + `; of a VM (` + "`vm_id`" + `) it is a copy of the disk ` + "`root`" + `;
* ` + "`iso`" + `: for ` + "`cdrom`" + ` of ` + "`virtrigaud_vm`" + `;
* ` + "`ova`" + `: a virtual machine that never runs, with the hardware that the package asks for (processors, memory, firmware, guest OS, disks,
  interfaces) and its disks converted. Its id serves as ` + "`template`" + ` of ` + "`virtrigaud_vm`" + ` and ` + "`source_vm`" + ` of ` + "`virtrigaud_clone`" + `. The manifest of the
  package is checked, its certificate is not; its properties, licence texts and further configurations are not taken over;
* ` + "`template`" + `: the same, as a copy of the whole VM ` + "`vm_id`" + `, or from a content library.

What makes Terraform replace an image:

* a changed ` + "`checksum`" + `: the content is another;
* a local file whose content changed. Size and time of modification are compared at plan, and the file is read only
  when they changed. Once the image exists the file may be gone. An ` + "`.ovf`" + ` file stands for the whole package;
* another ` + "`url`" + ` or ` + "`local_path`" + `, unless the checksum shows that the content is the same;
* another ` + "`vm_id`" + ` or ` + "`content_library`" + `. What becomes of the VM after the copy was made does not matter.

What a URL answers is not looked at by ` + "`terraform plan`" + `: its content is taken as fixed until ` + "`checksum`" + ` or ` + "`url`" + ` changes.
Two of these resources with one name and the same content on one storage share one image of the hypervisor (` + "`cached`" + `): to destroy one of them
takes it from the other, too, so give each its own name or let one be used by all.

Virtual machines made from an image are not touched when it is replaced, see ` + "`on_image_change`" + ` of ` + "`virtrigaud_vm`" + `.`

// Schema describes the resource.
func (r *Resource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: description,
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				MarkdownDescription: "Name of the image on the hypervisor, unique within its storage. Another name makes another image.",
				Required:            true,
				Validators: []validator.String{
					stringvalidator.LengthBetween(1, 128),
					stringvalidator.RegexMatches(regexp.MustCompile(`^[^/\\\pC]*$`), "must not contain a slash, a backslash or a control character"),
				},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"url": schema.StringAttribute{
				MarkdownDescription: "Where the image is downloaded from: `http://` or `https://`. Exactly one of `url`, `local_path`, `vm_id` and `content_library` is set. " +
					"The files of an `.ovf` are fetched from beside it. " +
					"A user name and password in it are sent to that host only; like the whole URL they are stored in the state. " +
					"Of the environment only the proxy variables are used.",
				Optional:   true,
				Validators: []validator.String{urlValidator{}},
			},
			"local_path": schema.StringAttribute{
				MarkdownDescription: "Path of a file on the machine that runs Terraform. It must exist at plan unless the image exists already. " +
					"Where another resource writes the file, refer to an attribute of that resource which is known only after it was made.",
				Optional:   true,
				Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"vm_id": schema.StringAttribute{
				MarkdownDescription: "Id of the VM that the image is made from, as it is when the image is made: its disk `root` for the kind `disk`, all of it for the kind `template`. " +
					"The VM may run; its disks are then as after a power cut.",
				Optional:   true,
				Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"content_library": schema.StringAttribute{
				MarkdownDescription: "Item of a content library that the image is made from, as `LIBRARY/ITEM`.",
				Optional:            true,
				Validators:          []validator.String{stringvalidator.RegexMatches(regexp.MustCompile(`^[^/]+/[^/]+$`), "must be LIBRARY/ITEM")},
			},
			"checksum": schema.StringAttribute{
				MarkdownDescription: "What the file as published, before decompression, must have: `sha256:DIGEST` (also `sha512`, `sha384`, `sha1`, `md5`), " +
					"or `file:` and the URL or path of a list such as `SHA256SUMS` that names the file. Unset: nothing but the length is checked, and the manifest of a package. " +
					"For an `.ovf` it is that of the descriptor. Only with `url` and `local_path`. " +
					"A list is read at creation, and at plan only where `checksum`, `url` or `local_path` changed.",
				Optional:   true,
				Validators: []validator.String{checksumValidator{}},
			},
			"format": schema.StringAttribute{
				MarkdownDescription: "Format of the file: `qcow2`, `raw`, `vmdk`, `vdi`, `vhd`, `vhdx` or `iso`. Unset: found by content, or, where the content was on the hypervisor already and the file was not read, that of the image there. " +
					"Set: the content must be in this format; `raw` and `iso` also override what the content looks like, since a raw disk may hold anything. " +
					"Only for the kinds `disk` and `iso` with `url` or `local_path`.",
				Optional:      true,
				Computed:      true,
				Validators:    []validator.String{stringvalidator.OneOf("qcow2", "raw", "vmdk", "vdi", "vhd", "vhdx", "iso")},
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplaceIfConfigured()},
			},
			"target_format": schema.StringAttribute{
				MarkdownDescription: "Format to store the image in: `qcow2`, `raw` or `vmdk`; for the kinds `ova` and `template` that of the disks. Unset: the format of the file where " +
					"the hypervisor runs VMs from it, else the one that it prefers. Another one needs the capability `image_conversion`.",
				Optional:      true,
				Computed:      true,
				Validators:    []validator.String{stringvalidator.OneOf("qcow2", "raw", "vmdk")},
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplaceIfConfigured()},
			},
			"storage": schema.StringAttribute{
				MarkdownDescription: "Storage (pool, datastore) to keep the image in. Unset: the provider's default.",
				Optional:            true,
				Computed:            true,
				Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplaceIfConfigured()},
			},
			"kind": schema.StringAttribute{
				MarkdownDescription: "What the image is: `disk`, `iso`, `ova` or `template`, see above. Unset: `ova` where the name of the file ends in `.ova` or `.ovf`, `template` for an item of " +
					"a content library, else `disk`.",
				Optional:   true,
				Computed:   true,
				Validators: []validator.String{stringvalidator.OneOf(kindDisk, kindISO, kindOVA, kindTemplate)},
			},
			"timeouts": timeouts.Attributes(ctx, timeouts.Opts{
				Create: true, Read: true, Delete: true,
				CreateDescription: "How long the transfer may take, such as `90m`. Default `1h`.",
				ReadDescription:   "How long a refresh may take. Default `2m`.",
				DeleteDescription: "How long the deletion may take. Default `10m`.",
			}),
			"id": schema.StringAttribute{
				MarkdownDescription: "Id of the image, for `image` and `cdrom` of `virtrigaud_vm`. For the kinds `ova` and `template` it is that of a VM, for `template` of `virtrigaud_vm` and `source_vm` of `virtrigaud_clone`.",
				Computed:            true,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"size_bytes": schema.Int64Attribute{
				MarkdownDescription: "Size in bytes that a guest sees; of the kinds `ova` and `template`, of all disks.",
				Computed:            true,
				PlanModifiers:       []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			},
			"path": schema.StringAttribute{
				MarkdownDescription: "Where the hypervisor keeps the image. Null where that is no single place.",
				Computed:            true,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"cached": schema.BoolAttribute{
				MarkdownDescription: "Whether the content was found on the hypervisor at creation, under this or another name, so that nothing was transferred.",
				Computed:            true,
				PlanModifiers:       []planmodifier.Bool{boolplanmodifier.UseStateForUnknown()},
			},
			"fingerprint": schema.StringAttribute{
				MarkdownDescription: "What tells versions of the content apart: the digest of the file, or what the server said of it (ETag, time of modification). " +
					"Null where nothing is known.",
				Computed: true,
			},
		},
	}
}
