package vm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// obstacles are the names of a VM's snapshots, where one of the changes is of a
// kind that snapshots are in the way of. Otherwise nobody is asked.
func (r *Resource) obstacles(ctx context.Context, cat backends.Catalogue, id backends.ID, changes []backends.Change) []string {
	if !slices.ContainsFunc(changes, func(c backends.Change) bool { return cat.FrozenBy(c) != "" }) {
		return nil
	}
	all, _ := r.data.Inventory().Snapshots(ctx, id)
	return names(all)
}

// warnOfSnapshots says which snapshots go with a VM that is destroyed. Those that
// Terraform has in state are in the plan themselves.
func (r *Resource) warnOfSnapshots(ctx context.Context, diags *diag.Diagnostics, state *vmschema.VM) {
	if !r.data.Configured() {
		return
	}
	info, err := r.data.Info(ctx)
	if err != nil || !info.Catalogue.Supports(backends.FeatureSnapshotCreate) {
		return // what cannot be known is no reason to refuse a destruction
	}
	lost := names(r.data.Inventory().StrangeSnapshots(ctx, backends.ID(deref(state.ID))))
	if len(lost) == 0 {
		return
	}
	diags.AddWarning("Snapshots go with the VM",
		fmt.Sprintf("VM %q has snapshots that are not in this state: %s. They are destroyed with it.", deref(state.Name), strings.Join(lost, ", ")))
}

func names(snapshots []backends.Snapshot) []string {
	var all []string
	for _, s := range snapshots {
		all = append(all, s.Name)
	}
	return all
}
