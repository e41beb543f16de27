package snapshot

import (
	"context"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/boolplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const description = `A snapshot of a virtual machine: its hardware and the content of its disks, with its memory where that is asked.

A change of ` + "`revert_triggers`" + ` returns the VM to the snapshot, in place; the plan warns of it and says what is lost. Disks of the VM's own that
were added since the snapshot are destroyed. The VM's configuration goes back too: where it was changed since, the next plan shows that change of ` + "`virtrigaud_vm`" + ` again.

Disks that are attached by ` + "`disks.<key>.volume`" + ` have a life of their own and are left out. A new snapshot becomes a child of the one that the VM's
present state was made from. Several snapshots of one VM are taken one after the other; where their order matters, say so with ` + "`depends_on`" + `.

Destroying a snapshot leaves the VM as it is. Snapshots are no backups: they live on the VM's storage and go with the VM.`

// Schema implements resource.Resource.
func (r *Resource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	attributes := arguments()
	attributes["timeouts"] = timeouts.Attributes(ctx, timeouts.Opts{
		Create: true, Read: true, Update: true, Delete: true,
		CreateDescription: "How long taking the snapshot may take, such as `30m`. Default: `20m`.",
		ReadDescription:   "How long reading the snapshot may take. Default: `2m`.",
		UpdateDescription: "How long a revert may take. Default: `20m`.",
		DeleteDescription: "How long the deletion may take, which may have to copy what was written since. Default: `30m`.",
	})
	kept := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	told := func(doc string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: doc, Computed: true, PlanModifiers: kept}
	}
	attributes["id"] = told("Id of the snapshot: that of the VM, a slash, and `snapshot_id`. It serves as `source_snapshot` of `virtrigaud_clone`.")
	attributes["snapshot_id"] = told("Id of the snapshot on its hypervisor, unique within the VM.")
	attributes["parent_id"] = told("`snapshot_id` of the snapshot that this one was taken on top of; null where there is none.")
	attributes["created_at"] = told("When the snapshot was taken, as RFC 3339 in UTC.")
	attributes["size_bytes"] = schema.Int64Attribute{
		MarkdownDescription: "Bytes that the snapshot takes beside the VM when Terraform last looked; null where the hypervisor does not tell.",
		Computed:            true, PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
	}
	attributes["current"] = schema.BoolAttribute{
		MarkdownDescription: "Whether the VM's present state was made from this snapshot, rather than from another one, when Terraform last looked.",
		Computed:            true, PlanModifiers: []planmodifier.Bool{boolplanmodifier.UseStateForUnknown()},
	}
	resp.Schema = schema.Schema{MarkdownDescription: description, Attributes: attributes}
}

func arguments() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"vm_id": schema.StringAttribute{
			MarkdownDescription: "Id of the VM. Another VM makes another snapshot.",
			Required:            true,
			Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
			PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"name": schema.StringAttribute{
			MarkdownDescription: "Name of the snapshot, unique within the VM. Another name makes another snapshot, of what the VM is then.",
			Required:            true,
			Validators: []validator.String{
				stringvalidator.LengthBetween(1, 80),
				stringvalidator.RegexMatches(regexp.MustCompile(`^[^/\\\pC]*$`), "must not contain a slash, a backslash or a control character"),
			},
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"description": schema.StringAttribute{
			MarkdownDescription: "What the snapshot is for. It can be changed in place.",
			Optional:            true,
			Validators:          []validator.String{stringvalidator.LengthAtMost(1024)},
		},
		"memory": schema.BoolAttribute{
			MarkdownDescription: "Keep the VM's memory too, so that a revert leaves the guest running where it was. The VM must run, and must have no disk attached by `volume`. " +
				"Without it, a revert is to the guest like a power cut. Default: false.",
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			PlanModifiers: []planmodifier.Bool{boolplanmodifier.RequiresReplace()},
		},
		"quiesce": schema.BoolAttribute{
			MarkdownDescription: "Have the guest agent flush and hold the file systems for the moment of the snapshot. The VM must run and its agent answer. Not together with `memory`. Default: false.",
			Optional:            true, Computed: true, Default: booldefault.StaticBool(false),
			PlanModifiers: []planmodifier.Bool{boolplanmodifier.RequiresReplace()},
		},
		"remove_children": schema.BoolAttribute{
			MarkdownDescription: "Delete the snapshots that were taken on top of this one with it. Unset they stay, and become those of its parent. Default: false.",
			Optional:            true, Computed: true, Default: booldefault.StaticBool(false),
		},
		"revert_triggers": schema.MapAttribute{
			MarkdownDescription: "Values of your choice; when one changes, the VM is reverted to this snapshot. To set them for the first time, or to remove them, reverts nothing.",
			Optional:            true, ElementType: types.StringType, Validators: []validator.Map{mapvalidator.NoNullValues()},
		},
		"revert_power_state": schema.StringAttribute{
			MarkdownDescription: "State that a revert leaves the VM in: `running` or `stopped`. Unset: running after a snapshot with memory, else the state that the VM had before the revert.",
			Optional:            true,
			Validators:          []validator.String{stringvalidator.OneOf(string(backends.Running), string(backends.Stopped))},
		},
	}
}
