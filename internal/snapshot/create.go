package snapshot

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
)

// Create implements resource.Resource. As soon as the snapshot exists its id is
// in state.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := tfx.Within(ctx, &resp.Diagnostics, plan.Timeouts.Create, createTimeout)
	defer cancel()
	b, _, err := r.data.Connect(ctx)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Create, err)
		return
	}
	r.data.Changing()
	id, err := b.CreateSnapshot(ctx, plan.vm(), plan.spec())
	if id != "" {
		plan = plan.identified(id)
		resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
		r.data.Identify(ctx, resp.Identity, &resp.Diagnostics, plan.ID.ValueString())
	}
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Create, blame(err, &plan))
		return
	}
	taken, err := find(ctx, b, plan.vm(), id)
	if err != nil {
		r.data.AddError(&resp.Diagnostics, tfx.Create, err)
		return
	}
	plan.observe(taken)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// blame says of an error which snapshot was to be made and, where the driver
// did not, which attribute it is about.
func blame(err error, m *model) error {
	err = backends.Wrap(err, "create "+object(m.Name.ValueString()), backends.VMObject(m.VMID.ValueString()))
	var e *backends.Error
	if !errors.As(err, &e) || e.Path != "" {
		return err
	}
	switch {
	case e.Code == backends.NotFound:
		return e.At("vm_id")
	case e.Code == backends.Conflict:
		return e.At("name")
	case e.Code == backends.Precondition && m.Memory.ValueBool():
		return e.At("memory")
	case e.Code == backends.Precondition && m.Quiesce.ValueBool():
		return e.At("quiesce")
	}
	return err
}

// object names a snapshot in errors.
func object(name string) string { return fmt.Sprintf("snapshot %q", name) }

// find reads one snapshot of a VM. NotFound where VM or snapshot are gone.
func find(ctx context.Context, b backends.Backend, vm backends.ID, snapshot string) (backends.Snapshot, error) {
	all, err := b.ListSnapshots(ctx, vm)
	if err != nil {
		return backends.Snapshot{}, backends.Wrap(err, "list snapshots", backends.VMObject(string(vm)))
	}
	for _, s := range all {
		if s.ID == snapshot {
			return s, nil
		}
	}
	return backends.Snapshot{}, backends.Errorf(backends.NotFound, "find", object(snapshot), "VM %s has no such snapshot", vm)
}
