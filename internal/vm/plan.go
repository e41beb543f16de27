package vm

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfx"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// ModifyPlan implements resource.ResourceWithModifyPlan. It holds the changes
// against the hypervisor's catalogue, which is asked for once, and says of the
// computed values which the changes may alter; all others stay known. Terraform
// calls it again during apply, where it must come to the same plan.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	c := r.coder(&resp.Diagnostics)
	if req.Plan.Raw.IsNull() {
		r.planDestruction(ctx, c.diags, c.decode(ctx, req.State.Raw))
		return
	}
	if req.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	info, connected := r.hypervisor(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if req.State.Raw.IsNull() {
		r.planCreation(ctx, c, req, resp, info, connected)
		return
	}
	r.planUpdate(ctx, c, req, resp, info, connected)
}

func (r *Resource) planDestruction(ctx context.Context, diags *diag.Diagnostics, state *vmschema.VM) {
	if diags.HasError() {
		return
	}
	if refuse(diags, state, "destroyed"); !diags.HasError() {
		r.warnOfSnapshots(ctx, diags, state, false)
	}
}

func (r *Resource) planCreation(ctx context.Context, c coder, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse, info backends.Info, connected bool) {
	planned := c.settle(req.Plan.Raw, req.Config.Raw, req.State.Raw, unset(req.Plan.Raw, req.Config.Raw, req.State.Raw))
	resp.Plan.Raw = planned
	plan := c.decode(ctx, planned)
	if !connected || c.diags.HasError() {
		return
	}
	spec := plan.Spec()
	asked := r.origin.requirements(plan, spec)
	tfx.AddFindings(c.diags, backends.Check(info.Catalogue, &backends.VMSpec{}, spec, asked, backends.CheckOptions{}))
	from := r.lookUp(ctx, r.origin.ancestor(req.Config.Raw))
	checkNewDisks(c.diags, asked, spec, req.Config.Raw, from)
	r.checkLinked(ctx, c.diags, info.Catalogue, asked, spec, from)
	checkFamily(c.diags, info.Backend, spec, from)
	if !c.diags.HasError() {
		r.checkInventory(ctx, c.diags, asked, spec, from)
		r.checkPlace(ctx, c.diags, spec.Placement)
	}
}

func (r *Resource) planUpdate(ctx context.Context, c coder, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse, info backends.Info, connected bool) {
	config, prior := c.decode(ctx, req.Config.Raw), c.decode(ctx, req.State.Raw)
	settled := c.settle(req.Plan.Raw, req.Config.Raw, req.State.Raw, unset(req.Plan.Raw, req.Config.Raw, req.State.Raw))
	plan := c.decode(ctx, settled)
	if c.diags.HasError() {
		return
	}
	id := backends.ID(deref(prior.ID))
	r.data.Managed(id)
	if replaced := replacement(req.State.Raw, settled, r.origin.decisive(plan)); len(replaced) > 0 {
		if refuse(c.diags, prior, "replaced"); !c.diags.HasError() {
			r.warnOfSnapshots(ctx, c.diags, prior, true)
		}
		resp.RequiresReplace = append(resp.RequiresReplace, replaced...)
		return
	}
	step := newTransition(prior, plan, config)
	r.data.Powering(id, step.power)
	policy := backends.RestartPolicy(deref(plan.RestartPolicy))
	if connected {
		opts := backends.CheckOptions{Running: step.running(), Policy: policy, Snapshots: r.obstacles(ctx, info.Catalogue, id, step.changes)}
		tfx.AddFindings(c.diags, backends.Check(info.Catalogue, step.from, step.to, step.changes, opts))
		checkNewDisks(c.diags, step.changes, step.to, req.Config.Raw, ancestor{})
		r.checkGrowth(ctx, c.diags, info.Catalogue, id, step.changes)
		if !c.diags.HasError() {
			r.checkInventory(ctx, c.diags, step.changes, &backends.VMSpec{}, ancestor{})
			if slices.ContainsFunc(step.changes, func(c backends.Change) bool { return strings.HasPrefix(string(c.Path), "placement.") }) {
				r.checkPlace(ctx, c.diags, step.to.Placement)
			}
		}
		step.announce(c.diags, attribute(req.Config.Raw, "cloud_init").IsNull())
	}
	resp.Plan.Raw = c.settle(req.Plan.Raw, req.Config.Raw, req.State.Raw,
		renewing(unset(req.Plan.Raw, req.Config.Raw, req.State.Raw), step, info.Catalogue, policy, !req.Config.Raw.IsFullyKnown()))
}

// hypervisor returns what the hypervisor says of itself; ok is false where the
// provider is not configured yet, so that there is nothing to check against.
func (r *Resource) hypervisor(ctx context.Context, diags *diag.Diagnostics) (info backends.Info, ok bool) {
	if !r.data.Configured() {
		return backends.Info{}, false
	}
	info, err := r.data.Info(ctx)
	if err != nil && !r.data.Repeated(err) {
		r.data.AddError(diags, tfx.Plan, err)
	}
	return info, err == nil
}

func (c coder) settle(planned, config, prior tftypes.Value, rule func(backends.Path) tfx.Unset) tftypes.Value {
	v, err := tfx.Settle(planned, config, prior, rule)
	if err != nil {
		c.fault(err)
	}
	return v
}

// unset is what a plan shows of values that are not configured, before it is
// known what changes.
func unset(planned, config, prior tftypes.Value) func(backends.Path) tfx.Unset {
	version := attribute(config, "cloud_init", "user_data_wo_version")
	altered := func(path ...string) bool { return !attribute(planned, path...).Equal(attribute(prior, path...)) }
	reset := func(path ...string) bool { // it is configured, and anew
		now := attribute(config, path...)
		return !now.IsNull() && !now.Equal(attribute(prior, path...))
	}
	bootless := map[string]bool{"vsphere": bootsFromGone(config, prior, "vsphere"), "proxmox": bootsFromGone(config, prior, "proxmox")}
	exchanged := exchanges(config, prior)
	return func(p backends.Path) tfx.Unset {
		switch {
		case p == "cloud_init.user_data" && !version.IsKnown():
			return tfx.Renew
		case p == "cloud_init.user_data" && !version.IsNull():
			return tfx.Clear // a secret that became write-only must not stay in state
		case p == "cpu.max_cores" && altered("cpu", "cores"), p == "memory.max_mib" && altered("memory", "size_mib"):
			return tfx.Renew // by default it follows the size
		case p == "cpu.hot_add" && reset("cpu", "max_cores"), p == "memory.hot_add" && reset("memory", "max_mib"):
			return tfx.Renew // a maximum may need it
		case p.Generic() == "disks.slot" && reset("disks", p.Steps()[1].Name, "bus"),
			p.Generic() == "networks.vlan" && reset("networks", p.Steps()[1].Name, "network"),
			(p == "placement.host" || p == "placement.resource_pool") && reset("placement", "cluster"),
			(p == "placement.cluster" || p == "placement.resource_pool") && reset("placement", "host"),
			(p == "placement.cluster" || p == "placement.host") && reset("placement", "resource_pool"):
			return tfx.Renew // it belongs to the other
		case (p == "vsphere" || p == "vsphere.boot_order") && bootless["vsphere"],
			(p == "proxmox" || p == "proxmox.boot_order") && bootless["proxmox"]:
			return tfx.Renew // it names what goes
		case p.Generic() == "disks.volume" && exchanged[p.Steps()[1].Name]:
			return released(config, p.Steps()[1].Name)
		case ofTheDisk(p) && exchanged[p.Steps()[1].Name]:
			return tfx.Renew
		case vmschema.InputOnly(p):
			return tfx.Omit
		}
		return tfx.Keep
	}
}

// renewing adds to rule what a transition may alter. With open questions in the
// configuration nobody knows, and Terraform will ask again during apply, where
// nothing may be unknown that is known now.
func renewing(rule func(backends.Path) tfx.Unset, t *transition, cat backends.Catalogue, policy backends.RestartPolicy, open bool) func(backends.Path) tfx.Unset {
	anew := t.switches() || t.restarts(cat, policy)
	return func(p backends.Path) tfx.Unset {
		altered, volatile := false, true
		switch p.Generic() {
		case "status":
			altered = t.switches()
		case "host":
			altered = anew || t.migrates()
		case "guest":
			altered = anew
		case "ip_address", "ip_addresses":
			altered = anew || t.rewires("")
		case "networks.ip_addresses":
			altered = anew || t.rewires(p.Steps()[1].Name)
		case "disks.device", "disks.path":
			altered = t.replugs(p.Steps()[1].Name)
		default:
			volatile = false
		}
		if altered || open && volatile {
			return tfx.Renew
		}
		return rule(p)
	}
}

// bootsFromGone tells whether the prior boot order of a hypervisor's options names a disk or an interface
// that the configuration no longer has.
func bootsFromGone(config, prior tftypes.Value, options string) bool {
	var order []tftypes.Value
	if v := attribute(prior, options, "boot_order"); !v.IsKnown() || v.IsNull() || v.As(&order) != nil {
		return false
	}
	for _, name := range []string{"disks", "networks"} {
		now := attribute(config, name)
		if now.IsNull() {
			continue
		}
		left := keys(now)
		for _, key := range keys(attribute(prior, name)) {
			if slices.Contains(left, key) {
				continue
			}
			if slices.ContainsFunc(order, func(v tftypes.Value) bool { return v.Equal(tftypes.NewValue(tftypes.String, key)) }) {
				return true
			}
		}
	}
	return false
}

// keys are those of a map, sorted; none where it is null or unknown.
func keys(v tftypes.Value) []string {
	var all map[string]tftypes.Value
	if !v.IsKnown() || v.IsNull() || v.As(&all) != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(all))
}

// attribute is the value at a path of attribute names, null where an object on
// the way is null, and unknown where one is unknown.
func attribute(v tftypes.Value, names ...string) tftypes.Value {
	for _, name := range names {
		var all map[string]tftypes.Value
		if !v.IsKnown() || v.IsNull() || v.As(&all) != nil {
			break
		}
		v = all[name]
	}
	switch {
	case !v.IsKnown():
		return tftypes.NewValue(tftypes.DynamicPseudoType, tftypes.UnknownValue)
	case v.IsNull():
		return tftypes.NewValue(tftypes.DynamicPseudoType, nil)
	}
	return v
}
