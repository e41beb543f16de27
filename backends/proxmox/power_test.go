package proxmox

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// What Proxmox VE says of a VM is the state that its user left it in. QEMU also runs for the backup of a VM that is stopped.
func TestPowerOfListedVM(t *testing.T) {
	for want, all := range map[backends.PowerState][]resident{
		backends.Stopped:   {{Status: "stopped", QMP: "stopped"}, {Status: "running", QMP: "prelaunch", Lock: "backup"}},
		backends.Suspended: {{Status: "stopped", Lock: "suspended"}},
		backends.Paused:    {{Status: "running", QMP: "paused"}},
		backends.Running:   {{Status: "running", QMP: "running", Lock: "backup"}, {Status: "running", QMP: "prelaunch", Lock: "migrate"}, {Status: "running", QMP: "paused", Lock: "snapshot"}},
		backends.Unknown:   {{Status: "unknown"}},
	} {
		for _, r := range all {
			if got := r.power(); got != want {
				t.Errorf("%+v is %s, want %s", r, got, want)
			}
		}
	}
}
