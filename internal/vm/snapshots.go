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

// warnOfSnapshots says which snapshots go with a VM that is destroyed or replaced.
// What cannot be known is no reason to refuse that.
func (r *Resource) warnOfSnapshots(ctx context.Context, diags *diag.Diagnostics, state *vmschema.VM, replaced bool) {
	if !r.data.Configured() {
		return
	}
	info, err := r.data.Info(ctx)
	if err != nil || !info.Catalogue.Supports(backends.FeatureSnapshotCreate) {
		return
	}
	id, inventory := backends.ID(deref(state.ID)), r.data.Inventory()
	if replaced { // snapshots of this state are planned after their VM
		if all, _ := inventory.Snapshots(ctx, id); len(all) > 0 {
			diags.AddWarning("Snapshots go with the VM",
				fmt.Sprintf("VM %q has snapshots: %s. They are destroyed when it is replaced.", deref(state.Name), strings.Join(names(all), ", ")))
		}
		return
	}
	if lost := inventory.StrangeSnapshots(ctx, id); len(lost) > 0 {
		diags.AddWarning("Snapshots go with the VM",
			fmt.Sprintf("VM %q has snapshots that are not in this state: %s. They are destroyed with it.", deref(state.Name), strings.Join(names(lost), ", ")))
	}
}

func names(snapshots []backends.Snapshot) []string {
	var all []string
	for _, s := range snapshots {
		all = append(all, s.Name)
	}
	return all
}
