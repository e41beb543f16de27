package vm

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// transition is what lies between a prior state and a plan. The plan's checks
// and the apply are both made from it, so they cannot disagree.
type transition struct {
	from, to *backends.VMSpec
	changes  []backends.Change
	status   backends.PowerState // in which the prior state saw the VM
	power    backends.PowerState // that the configuration asks for; "" is unmanaged
	reboot   bool                // the VM runs and is to be restarted, whatever changes
}

func newTransition(prior, plan, config *vmschema.VM) *transition {
	t := &transition{
		from: prior.Spec(), to: plan.Spec(),
		status: backends.PowerState(deref(prior.Status)),
		reboot: backends.PowerState(deref(prior.Status)) == backends.Running && prior.RebootTriggers != nil && plan.RebootTriggers != nil && !maps.Equal(prior.RebootTriggers, plan.RebootTriggers),
	}
	if config != nil {
		t.power = backends.PowerState(deref(config.PowerState))
	}
	// What is taken out of the configuration is taken out of the VM, where nil
	// would mean to leave it alone.
	if t.to.CDROM == nil && t.from.CDROM != nil {
		t.to.CDROM = &backends.CDROM{}
	}
	if t.to.HostDevices == nil && len(t.from.HostDevices) > 0 {
		t.to.HostDevices = map[string]backends.HostDevice{}
	}
	t.changes = backends.Diff(t.from, t.to)
	return t
}

// announce warns of what the changes alone do not tell. seedDropped says that
// the configuration has no cloud_init.
func (t *transition) announce(diags *diag.Diagnostics, seedDropped bool) {
	if t.reboot && t.running() {
		diags.AddAttributeWarning(path.Root("reboot_triggers"), "This change restarts the VM",
			fmt.Sprintf("VM %q: reboot_triggers changed, so the VM is shut down and started again during apply.", t.from.Name))
	}
	if t.from.CloudInit != nil && seedDropped {
		diags.AddAttributeWarning(path.Root("cloud_init"), "The cloud-init data stays with the VM",
			fmt.Sprintf("VM %q: cloud_init is no longer configured, and what the VM has is left as it is: a guest that has booted has used it already. "+
				"It only leaves state; an import finds it again. To empty it, keep cloud_init and set user_data = \"\", users = [] and so on.", t.from.Name))
	}
}

// touches reports whether anything is to be done on the hypervisor.
func (t *transition) touches() bool {
	return len(t.changes) > 0 || t.reboot || t.switches()
}

// switches reports whether the power state is to change.
func (t *transition) switches() bool { return t.power != "" && t.power != t.status }

// running reports whether a change finds the VM running: it runs, or its saved
// memory must be loaded for the change, and it is not about to be stopped.
func (t *transition) running() bool {
	return t.status != backends.Stopped && t.power != backends.Stopped
}

// restarts reports whether the VM is shut down and started on the way.
func (t *transition) restarts(cat backends.Catalogue, policy backends.RestartPolicy) bool {
	if !t.running() {
		return false
	}
	if t.reboot {
		return true
	}
	for _, c := range t.changes {
		if policy != backends.RestartDefer && cat.ImpactOf(t.from, t.to, c).Effect == backends.EffectRestart {
			return true
		}
	}
	return false
}

// rewritesUserData reports whether write-only user data is to be written again.
// Without that the hypervisor keeps what it has, whatever the configuration says.
func (t *transition) rewritesUserData() bool {
	if t.to.CloudInit == nil || t.to.CloudInit.UserDataVersion == nil {
		return false
	}
	had := t.from.CloudInit
	return had == nil || had.UserDataVersion == nil || *had.UserDataVersion != *t.to.CloudInit.UserDataVersion
}

// changesPassword reports whether the console gets another password, likewise.
func (t *transition) changesPassword() bool {
	return slices.ContainsFunc(t.changes, func(c backends.Change) bool { return c.Path == "console.password_wo_version" })
}

// migrates reports whether the VM changes its host.
func (t *transition) migrates() bool {
	return slices.ContainsFunc(t.changes, func(c backends.Change) bool {
		return c.Path == "placement.host" || c.Path == "placement.cluster"
	})
}

// rewires reports whether a network interface comes, goes or changes: that of
// the key, or any where key is "".
func (t *transition) rewires(key string) bool {
	return slices.ContainsFunc(t.changes, func(c backends.Change) bool {
		return c.Path.Steps()[0].Name == "networks" && (key == "" || c.Key == key)
	})
}

// replugs reports whether the disk of a key may be found elsewhere afterwards.
func (t *transition) replugs(key string) bool {
	return slices.ContainsFunc(t.changes, func(c backends.Change) bool {
		switch c.Path.Generic() {
		case "disks", "disks.bus", "disks.storage", "disks.format":
			return c.Key == key
		case "placement.host", "placement.cluster", "placement.storage":
			return true
		}
		return false
	})
}

// readdresses reports whether the VM runs afterwards and may then have other addresses.
func (t *transition) readdresses(cat backends.Catalogue) bool {
	runs := t.power == backends.Running || t.power == "" && t.status == backends.Running
	return runs && (t.switches() || t.rewires("") || t.restarts(cat, backends.RestartWhenRequired))
}

// update is what machine.Apply takes.
func (t *transition) update(plan *vmschema.VM) machine.Update {
	return machine.Update{
		From: t.from, To: t.to, Changes: t.changes,
		Policy: backends.RestartPolicy(deref(plan.RestartPolicy)),
		Stop:   plan.Shutdown.Options(),
		Power:  t.power,
		Reboot: t.reboot,
	}
}
