package disk

import (
	"context"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

const description = `A disk with a life of its own. A VM attaches it by ` + "`disks.<key>.volume`" + ` and does not own it: the disk outlives
the VM, and one apply hands it to the VM's successor with what is on it.

The disk is made blank. It grows in place, also while a running VM has it; the guest then grows its file system itself.
It never shrinks. Another ` + "`name`, `storage`, `format`, `provisioning` or `policy`" + ` makes another, blank disk: the plan warns
of the loss, and ` + "`protected`" + ` refuses it.

A disk that a VM has cannot be deleted. The deletion waits for 90 seconds, in case the VM is just being destroyed, and then names the VM.`

// Schema implements resource.Resource.
func (r *Resource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	kept := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	fixed := []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplaceIfConfigured()}
	resp.Schema = schema.Schema{
		MarkdownDescription: description,
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				MarkdownDescription: "Name of the disk on the hypervisor, unique within its storage. Another name makes another disk.",
				Required:            true,
				Validators: []validator.String{
					stringvalidator.LengthBetween(1, 128),
					stringvalidator.RegexMatches(regexp.MustCompile(`^[^/\\\pC]*$`), "must not contain a slash, a backslash or a control character"),
				},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"size_gib": schema.Int64Attribute{
				MarkdownDescription: "Size in GiB. It can grow, also while a running VM has the disk, and never shrink.",
				Required:            true,
				Validators:          []validator.Int64{int64validator.Between(1, 1<<20)},
			},
			"storage": schema.StringAttribute{
				MarkdownDescription: "Storage (pool, datastore) that the disk is on. Unset: the provider's default.",
				Optional:            true, Computed: true,
				Validators:    []validator.String{stringvalidator.LengthAtLeast(1)},
				PlanModifiers: fixed,
			},
			"format": schema.StringAttribute{
				MarkdownDescription: "Format of the disk: `qcow2`, `raw` or `vmdk`. Unset: the hypervisor's choice.",
				Optional:            true, Computed: true,
				Validators:    []validator.String{stringvalidator.OneOf("qcow2", "raw", "vmdk")},
				PlanModifiers: fixed,
			},
			"provisioning": schema.StringAttribute{
				MarkdownDescription: "When the storage spends the space: `thin`, as it is written; `thick`, at once; `eager_zeroed`, at once and overwritten with zeros. Unset: the hypervisor's choice.",
				Optional:            true, Computed: true,
				Validators:    []validator.String{stringvalidator.OneOf("thin", "thick", "eager_zeroed")},
				PlanModifiers: kept, // see ModifyPlan
			},
			"policy": schema.StringAttribute{
				MarkdownDescription: "Storage policy of the disk, where the hypervisor has such.",
				Optional:            true,
				Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"protected": schema.BoolAttribute{
				MarkdownDescription: "Refuse to destroy or replace the disk, at plan. Set it to false and apply before you destroy the disk. Default: false.",
				Optional:            true, Computed: true,
				Default: booldefault.StaticBool(false),
			},
			"timeouts": timeouts.Attributes(ctx, timeouts.Opts{
				Create: true, Read: true, Update: true, Delete: true,
				CreateDescription: "How long the creation may take, such as `30m`. Default: `20m`.",
				ReadDescription:   "How long reading the disk may take. Default: `2m`.",
				UpdateDescription: "How long growing the disk may take. Default: `20m`.",
				DeleteDescription: "How long the deletion may take. Default: `10m`.",
			}),
			"id": schema.StringAttribute{
				MarkdownDescription: "Id of the disk, for `disks.<key>.volume` of `virtrigaud_vm`. On libvirt it is POOL/NAME.",
				Computed:            true, PlanModifiers: kept,
			},
			"path": schema.StringAttribute{
				MarkdownDescription: "Where the hypervisor keeps the disk: a file, a device, a datastore path.",
				Computed:            true, PlanModifiers: kept,
			},
			"attached_to": schema.StringAttribute{
				MarkdownDescription: "Id of the VM that had the disk when Terraform last looked; null when it was free.",
				Computed:            true, PlanModifiers: kept,
			},
		},
	}
}
