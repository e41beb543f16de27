package vm

import (
	"context"
	"errors"
	"fmt"
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
	asked, kind := req.ID, ""
	if asked == "" && req.Identity != nil {
		var want identity
		resp.Diagnostics.Append(req.Identity.Get(ctx, &want)...)
		if resp.Diagnostics.HasError() {
			return
		}
		asked, kind = deref(want.ID), deref(want.Backend)
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	b, info, err := r.data.Connect(ctx)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Import, err)
		return
	}
	if kind != "" && kind != string(info.Backend) {
		resp.Diagnostics.AddError("Another hypervisor",
			fmt.Sprintf("The identity names the backend %q, and this provider is connected to %q. Use the provider configuration of that hypervisor.", kind, info.Backend))
		return
	}
	id, err := find(ctx, b, asked)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Import, err)
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), string(id))...)
	identify(ctx, resp.Identity, &resp.Diagnostics, id, info.Backend)
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
