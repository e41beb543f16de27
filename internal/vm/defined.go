package vm

import (
	"context"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// NewResource returns the resource virtrigaud_vm.
func NewResource() resource.Resource { return &Resource{origin: defined{}} }

// defined is the origin of virtrigaud_vm: an image, a template or nothing.
type defined struct{}

func (defined) typeName() string    { return "vm" }
func (defined) mode() vmschema.Mode { return vmschema.Define }

func (defined) schema() schema.Schema { return definedSchema() }

// definedSchema is the schema, made once: a plan of a thousand VMs asks for it
// thousands of times.
var definedSchema = sync.OnceValue(func() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "A virtual machine. The same block applies on every hypervisor; what one cannot do is an error at plan time, on the attribute that asks for it.\n\n" +
			"What is unset is the hypervisor's choice, is read into state, and never shows as a difference. " +
			"Changes are made while the VM runs where the hypervisor can, else with a restart that the plan announces; " +
			"the VM is never replaced unless `on_image_change` asks for it.",
		Attributes: vmschema.Attributes(context.Background(), vmschema.Define),
	}
})

func (defined) validate(v validation, config tftypes.Value) {
	v.image(attribute(config, "disks").IsFullyKnown())
	// Without firmware of its own it has the template's.
	v.firmware(attribute(config, "firmware").IsKnown() && (v.m.Firmware != nil || attribute(config, "template").IsNull()))
	if deref(v.m.Linked) && attribute(config, "image").IsNull() && attribute(config, "template").IsNull() {
		v.errorf(path.Root("linked"), "Nothing to link to", "linked = true shares the content of image or template, and neither is set.")
	}
}

func (defined) requirements(_ *vmschema.VM, spec *backends.VMSpec) []backends.Change {
	return backends.Requirements(spec)
}

func (defined) ancestor(config tftypes.Value) ancestor {
	if attribute(config, "template").IsNull() {
		return ancestor{}
	}
	return ancestor{at: "template", name: text(config, "template")}
}

func (defined) clone(context.Context, backends.Backend, *vmschema.VM, *backends.VMSpec) (*backends.CloneSpec, error) {
	return nil, nil //nolint:nilnil // it is no clone
}

func (defined) decisive(plan *vmschema.VM) []string {
	if deref(plan.OnImageChange) != vmschema.ImageReplace {
		return nil
	}
	return []string{"image", "template", "linked"}
}
