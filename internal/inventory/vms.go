package inventory

import (
	"context"
	"fmt"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// VMs is virtrigaud_vms.
type VMs struct{ source }

var _ datasource.DataSourceWithConfigure = (*VMs)(nil)

// NewVMs returns the data source.
func NewVMs() datasource.DataSource { return &VMs{source{noun: "vms"}} }

type vmsModel struct {
	Names      []string     `tfsdk:"names"`
	NameRegex  types.String `tfsdk:"name_regex"`
	Tags       []string     `tfsdk:"tags"`
	PowerState types.String `tfsdk:"power_state"`
	Host       types.String `tfsdk:"host"`
	Template   types.Bool   `tfsdk:"template"`
	Owned      types.Bool   `tfsdk:"owned"`
	VMs        []vmModel    `tfsdk:"vms"`
}

type vmModel struct {
	ID         string   `tfsdk:"id"`
	Name       string   `tfsdk:"name"`
	Host       *string  `tfsdk:"host"`
	PowerState string   `tfsdk:"power_state"`
	Tags       []string `tfsdk:"tags"`
	Owned      bool     `tfsdk:"owned"`
	Template   bool     `tfsdk:"template"`
}

// Schema implements datasource.DataSource.
func (d *VMs) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	texts := func(doc string) schema.SetAttribute {
		return schema.SetAttribute{
			MarkdownDescription: doc, Optional: true, ElementType: types.StringType,
			Validators: []validator.Set{setvalidator.NoNullValues()},
		}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "The virtual machines and templates that exist, whoever made them. All filters that are set must hold. " +
			"The list is read with few calls, whatever its length; `virtrigaud_vm` tells more of one VM.",
		Attributes: map[string]schema.Attribute{
			"names":       texts("Only VMs with one of these names; an empty set finds none."),
			"name_regex":  filter("Only VMs whose name this regular expression matches (RE2 syntax, anywhere in the name).", regexValidator{}),
			"tags":        texts("Only VMs that have all of these tags."),
			"power_state": filter("Only VMs in this state: `running`, `stopped`, `suspended` or `paused`.", stringvalidator.OneOf("running", "stopped", "suspended", "paused")),
			"host":        filter("Only VMs on this host."),
			"template":    schema.BoolAttribute{MarkdownDescription: "Only templates (true), or only VMs that can run (false).", Optional: true},
			"owned":       schema.BoolAttribute{MarkdownDescription: "Only VMs that this provider made (true), or only others (false).", Optional: true},
			"vms": list("The VMs, by name, then id.", map[string]schema.Attribute{
				"id":          told("Id of the VM on its hypervisor, also for an import."),
				"name":        told("Name of the VM."),
				"host":        told("Host that the VM is on; null where that is not known."),
				"power_state": told("Whether the VM runs: `running`, `stopped`, `suspended`, `paused` or `unknown`."),
				"tags":        schema.ListAttribute{MarkdownDescription: "Tags of the VM, sorted.", Computed: true, ElementType: types.StringType},
				"owned":       flag("Whether this provider made the VM: it carries its mark."),
				"template":    flag("Whether it is a template, which never runs and from which VMs are made."),
			}),
		},
	}
}

// Read implements datasource.DataSource.
func (d *VMs) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m vmsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	all, ok := ask(ctx, &d.source, &resp.Diagnostics, func(ctx context.Context, b backends.Backend) ([]backends.VMSummary, error) {
		if m.Names != nil && len(m.Names) == 0 {
			return nil, nil
		}
		return b.ListVMs(ctx, backends.VMFilter{
			Names: m.Names, Tags: m.Tags, Power: backends.PowerState(m.PowerState.ValueString()), Host: m.Host.ValueString(),
		})
	})
	if !ok {
		return
	}
	matches := func(string) bool { return true }
	if asked(m.NameRegex) {
		matches = regexp.MustCompile(m.NameRegex.ValueString()).MatchString // validated
	}
	m.VMs = []vmModel{}
	for _, vm := range all { // sorted by name, then id
		if matches(vm.Name) && is(m.Template, vm.Template) && is(m.Owned, vm.Owned) {
			m.VMs = append(m.VMs, flatten(vm))
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// is reports whether a filter lets a value through.
func is(want types.Bool, have bool) bool { return want.IsNull() || want.ValueBool() == have }

func flatten(vm backends.VMSummary) vmModel {
	one := vmModel{
		ID: string(vm.ID), Name: vm.Name, PowerState: string(vm.Power), Tags: vm.Tags, Owned: vm.Owned, Template: vm.Template,
	}
	if one.Tags == nil {
		one.Tags = []string{}
	}
	if vm.Host != "" {
		one.Host = &vm.Host
	}
	return one
}

// regexValidator demands a regular expression.
type regexValidator struct{}

// Description implements validator.Describer.
func (regexValidator) Description(context.Context) string {
	return "value must be a regular expression"
}

// MarkdownDescription implements validator.Describer.
func (v regexValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (regexValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := regexp.Compile(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Not a regular expression", fmt.Sprintf("%q cannot be used: %s.", req.ConfigValue.ValueString(), err))
	}
}
