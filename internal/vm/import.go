package vm

import (
	"context"
	"errors"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// ImportState implements resource.ResourceWithImportState: by id, by name, as
// `name=NAME` where a name looks like an id, or by identity. Only the id goes
// into state; Read adopts the rest.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	asked := r.data.Imported(ctx, req, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Import, err)
		return
	}
	id, err := find(ctx, b, asked)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Import, err)
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), string(id))...)
	r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, string(id))
}

// find returns the id of the VM that asked means: an id, else a name.
func find(ctx context.Context, b backends.Backend, asked string) (backends.ID, error) {
	if name, ok := strings.CutPrefix(asked, "name="); ok {
		return machine.Find(ctx, b, name)
	}
	vm, err := machine.Get(ctx, b, backends.ID(asked), backends.AspectRuntime)
	if err == nil {
		return vm.ID, nil
	}
	// A driver may say that what looks like a name cannot be an id.
	if code := backends.CodeOf(err); code != backends.NotFound && code != backends.Invalid {
		return "", err
	}
	id, err := machine.Find(ctx, b, asked)
	if errors.Is(err, backends.ErrNotFound) {
		return "", backends.Errorf(backends.NotFound, "find", backends.VMObject(asked), "no VM has this id or name").
			Advise("Give the VM's id, or its name; as name=NAME where the name looks like an id.")
	}
	return id, err
}

// blame is err at an attribute.
func blame(at backends.Path, err error) error {
	var e *backends.Error
	if errors.As(err, &e) {
		return e.At(at)
	}
	return err
}
