package vm

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// origin is what the VMs of a resource are made of, which is all in which
// virtrigaud_vm and virtrigaud_clone differ. Once made, a VM is a VM.
type origin interface {
	// typeName is that of the resource, after the provider's.
	typeName() string
	mode() vmschema.Mode
	schema() schema.Schema

	// validate finds mistakes that need no hypervisor to be seen. Of config the
	// model has what is known.
	validate(v validation, config tftypes.Value)
	// requirements are what a new VM asks for, as changes from nothing.
	requirements(plan *vmschema.VM, spec *backends.VMSpec) []backends.Change
	// ancestor is the VM that the whole of a new one is made from.
	ancestor(config tftypes.Value) ancestor
	// clone is how to make the VM of spec from another; nil makes it by CreateVM.
	clone(ctx context.Context, b backends.Backend, plan *vmschema.VM, spec *backends.VMSpec) (*backends.CloneSpec, error)
	// decisive are the attributes of which another value makes the VM anew, none
	// where the plan ignores that.
	decisive(plan *vmschema.VM) []string
}

// ancestor is a VM or template that new ones are made from, as far as a plan
// knows it. The zero value is none.
type ancestor struct {
	at       backends.Path // the attribute that names it, "" where there is none
	name     string        // id or name, "" while it is not known
	snapshot string        // of it, "" for its present state
	vm       *backends.VM  // nil where nobody knows
	missing  bool          // the hypervisor says that there is none
}

// has reports whether the ancestor has a disk of a key, or may have one.
func (a ancestor) has(key string) bool {
	if a.at == "" {
		return false
	}
	if a.vm == nil || a.snapshot != "" {
		return true
	}
	_, ok := a.vm.Config.Disks[key]
	return ok
}

// bytes is the size of its disk of a key, 0 where that is not known. A snapshot
// may be older than the size.
func (a ancestor) bytes(key string) int64 {
	if a.vm == nil || a.snapshot != "" {
		return 0
	}
	if n := a.vm.Disks[key].SizeBytes; n > 0 {
		return n
	}
	return deref(a.vm.Config.Disks[key].SizeGiB) << 30
}

// replacement returns the attributes of a plan that make the VM anew.
func replacement(prior, planned tftypes.Value, decisive []string) path.Paths {
	var paths path.Paths
	for _, name := range decisive {
		was, is := attribute(prior, name), attribute(planned, name)
		if name != "linked" && was.IsNull() || was.Equal(is) || isFalse(was) && isFalse(is) {
			continue
		}
		paths = append(paths, path.Root(name))
	}
	return paths
}

// isFalse reports whether a flag is off, which it also is unset.
func isFalse(v tftypes.Value) bool {
	if !v.IsKnown() {
		return false
	}
	var on *bool
	return v.IsNull() || v.As(&on) == nil && !deref(on)
}

// text is the string at a path, "" where it is null or not known.
func text(v tftypes.Value, names ...string) string {
	var s *string
	if a := attribute(v, names...); a.IsKnown() && !a.IsNull() && a.As(&s) == nil {
		return deref(s)
	}
	return ""
}
