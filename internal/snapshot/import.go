package snapshot

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// ImportState implements resource.ResourceWithImportState: by VM and snapshot,
// each by its id or its name, or by identity. Only the id goes into state; Read
// adopts the rest.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	asked := r.data.Imported(ctx, req, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	var id string
	if err == nil {
		id, err = resolve(ctx, b, asked)
	}
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Import, err)
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
	r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, id)
}

// resolve returns the id of the snapshot that asked means.
func resolve(ctx context.Context, b backends.Backend, asked string) (string, error) {
	vm, snapshot, ok := strings.Cut(asked, "/")
	if !ok || vm == "" || snapshot == "" {
		return "", backends.Errorf(backends.Invalid, "find", object(asked), "this is not VM/SNAPSHOT").
			Advise("Import by the id or name of the VM, a slash, and the id or name of the snapshot.")
	}
	id, err := vmOf(ctx, b, vm)
	if err != nil {
		return "", err
	}
	all, err := b.ListSnapshots(ctx, id)
	if err != nil {
		return "", backends.Wrap(err, "list snapshots", backends.VMObject(vm))
	}
	var named []string
	for _, s := range all {
		if s.ID == snapshot {
			return join(id, s.ID), nil
		}
		if s.Name == snapshot {
			named = append(named, s.ID)
		}
	}
	switch len(named) {
	case 0:
		return "", backends.Errorf(backends.NotFound, "find", object(snapshot), "VM %q has no snapshot with this id or name", vm)
	case 1:
		return join(id, named[0]), nil
	}
	return "", backends.Errorf(backends.Conflict, "find", object(snapshot), "%d snapshots of VM %q have this name: %v", len(named), vm, named).
		Advise("Use the id of the one that is meant.")
}

// vmOf returns the id of the VM that asked means: an id, else a name.
func vmOf(ctx context.Context, b backends.Backend, asked string) (backends.ID, error) {
	vm, err := machine.Get(ctx, b, backends.ID(asked), backends.AspectRuntime)
	if err == nil {
		return vm.ID, nil
	}
	// A driver may say that what looks like a name cannot be an id.
	if code := backends.CodeOf(err); code != backends.NotFound && code != backends.Invalid {
		return "", err
	}
	return machine.Find(ctx, b, asked)
}
