package vm

import (
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vmschema"
)

// reused refuses a VM that has the id of the one in state and is another: Proxmox VE gives the numbers of VMs that were removed to new ones.
// It is no reason to forget the one in state, which may have been given another UUID, and none to touch the other.
func reused(kind backends.Kind, vm *backends.VM, prior *vmschema.VM) error {
	if kind != backends.Proxmox || vm.UUID == "" || deref(prior.UUID) == "" || strings.EqualFold(vm.UUID, *prior.UUID) {
		return nil
	}
	return backends.Errorf(backends.Conflict, "read", backends.VMObject(deref(prior.Name)),
		"the id %s belongs to another VM now, %q with the UUID %s; the one in state had the UUID %s", vm.ID, vm.Config.Name, vm.UUID, *prior.UUID).
		Advise("If the VM was removed and its VMID given to another one, take it out of state (terraform state rm ADDRESS): the next apply makes it anew. " +
			"If somebody gave the VM itself another UUID, take it out of state and import it.")
}
