package vm

import (
	"context"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// NewCloneResource returns the resource virtrigaud_clone.
func NewCloneResource() resource.Resource { return &Resource{origin: cloned{}} }

// cloned is the origin of virtrigaud_clone: another VM, or a snapshot of it.
type cloned struct{}

func (cloned) typeName() string    { return "clone" }
func (cloned) mode() vmschema.Mode { return vmschema.Inherit }

func (cloned) schema() schema.Schema { return clonedSchema() }

var clonedSchema = sync.OnceValue(func() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "A virtual machine made from another one, from a template, or from a snapshot; all of it or, `linked`, sharing what it does not change. " +
			"Once made it is a VM like those of `virtrigaud_vm`: it is changed, started, imported and destroyed the same way, and its source can change without touching it.\n\n" +
			"What is unset is inherited from the source, when the clone is made. `disks` or `networks`, where set, name all of the clone's: " +
			"those whose key the source has are made from it, others are new, and the source's others are left out. " +
			"The clone has a UUID, MAC addresses, firmware variables and a TPM of its own. " +
			"Also not inherited are static addresses, `cloud_init.hostname`, `cloud_init.instance_id`, `cloud_init.network_config`, `customization`, `placement.host`, `keep_on_destroy`, and a console's port and password, nor, where the source's console asks for a password and the clone's does not, an address that other hosts reach. " +
			"A source with cloud-init data gives it to the clone, with an instance id of its own: cloud-init runs again, and the guest gets the clone's name, new SSH host keys and its own addresses. " +
			"Without cloud-init the clone's guest has the source's host name and keys.",
		Attributes: vmschema.Attributes(context.Background(), vmschema.Inherit),
	}
})

func (cloned) validate(v validation, config tftypes.Value) {
	// An unset firmware is the source's, which may well be UEFI.
	v.firmware(attribute(config, "firmware").IsKnown() && v.m.Firmware != nil)
}

func (cloned) requirements(plan *vmschema.VM, spec *backends.VMSpec) []backends.Change {
	c := cloneSpec(plan, spec)
	c.Source = backends.ID(deref(plan.SourceVM))
	return backends.CloneRequirements(c)
}

func (cloned) ancestor(config tftypes.Value) ancestor {
	if attribute(config, "source_snapshot").IsNull() {
		return ancestor{at: "source_vm", name: text(config, "source_vm")}
	}
	vm, snapshot, _ := strings.Cut(text(config, "source_snapshot"), "/")
	return ancestor{at: "source_snapshot", name: vm, snapshot: snapshot}
}

func (cloned) clone(ctx context.Context, b backends.Backend, plan *vmschema.VM, spec *backends.VMSpec) (*backends.CloneSpec, error) {
	c := cloneSpec(plan, spec)
	if plan.SourceVM == nil {
		return c, nil
	}
	id, err := find(ctx, b, *plan.SourceVM)
	if err != nil {
		return nil, blame("source_vm", err)
	}
	c.Source = id
	return c, nil
}

// cloneSpec is what a plan asks for, other than the VM that source_vm names.
func cloneSpec(plan *vmschema.VM, spec *backends.VMSpec) *backends.CloneSpec {
	c := &backends.CloneSpec{Linked: spec.Linked, Spec: *spec}
	c.Spec.Linked = false
	if plan.SourceSnapshot != nil {
		vm, snapshot, _ := strings.Cut(*plan.SourceSnapshot, "/")
		c.Source, c.Snapshot = backends.ID(vm), snapshot
	}
	return c
}

func (cloned) decisive(plan *vmschema.VM) []string {
	if deref(plan.OnSourceChange) != vmschema.ImageReplace {
		return nil
	}
	return []string{"source_vm", "source_snapshot", "linked"}
}
