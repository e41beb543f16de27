package libvirt

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

// TestStartRefused starts VMs that the host cannot run: each is told what it lacks and what helps, and none
// is a fault of the provider.
func TestStartRefused(t *testing.T) {
	l := libvirtlab.Shared(t)
	b := openLab(t, l)
	l.Define(t, "net", `<network><name>fleeting</name><bridge name='virbr9' stp='off' delay='0'/></network>`)
	l.Virsh(t, "net-start", "fleeting")
	t.Cleanup(func() { _, _ = l.TryVirsh(context.WithoutCancel(t.Context()), "net-undefine", "fleeting") })
	onNetwork := func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"lan": {Network: ptr("fleeting")}} }
	for _, c := range []struct {
		name   string
		edit   func(*backends.VMSpec)
		before func(vm *backends.VM)
		code   backends.Code
		text   string // in the message
		remedy string
	}{
		{
			name: "memory", edit: func(s *backends.VMSpec) { s.Memory.SizeMiB = ptr(int64(64 << 20)) },
			code: backends.Exhausted, text: "Cannot allocate memory", remedy: "free memory",
		},
		{
			name: "address", edit: func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Address: ptr("203.0.113.7")} },
			code: backends.Precondition, text: "Cannot assign requested address", remedy: "console.address",
		},
		{
			name: "processors", edit: func(s *backends.VMSpec) { s.CPU.Affinity = ptr("4000") },
			code: backends.Precondition, text: "cpuset", remedy: "cpu.affinity",
		},
		{
			name: "damaged disk", edit: func(*backends.VMSpec) {},
			before: func(vm *backends.VM) {
				if err := os.WriteFile(vm.Disks["root"].Path, make([]byte, 1<<20), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			code: backends.Precondition, text: "not in qcow2 format", remedy: "damaged",
		},
		{
			name: "sleeping network", edit: onNetwork,
			before: func(*backends.VM) { l.Virsh(t, "net-destroy", "fleeting") },
			code:   backends.Precondition, text: "fleeting", remedy: "net-start",
		},
		{
			name: "no network", edit: onNetwork,
			before: func(*backends.VM) {
				_, _ = l.TryVirsh(t.Context(), "net-destroy", "fleeting")
				l.Virsh(t, "net-undefine", "fleeting")
			},
			code: backends.Precondition, text: "fleeting",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := blank("refused")
			c.edit(spec)
			if c.name == "no network" { // the one before left it asleep
				l.Virsh(t, "net-start", "fleeting")
			}
			id := create(t, b, spec)
			if c.before != nil {
				c.before(get(t, b, id))
			}
			e := wantCode(t, b.SetPower(t.Context(), id, backends.PowerOn), c.code)
			if !strings.Contains(e.Error(), c.text) || !strings.Contains(e.Remedy, c.remedy) {
				t.Errorf("message %q, remedy %q", e, e.Remedy)
			}
			if vm := get(t, b, id); vm.Power != backends.Stopped {
				t.Errorf("afterwards the VM is %s", vm.Power)
			}
		})
	}

	// A port that another VM has.
	spec := blank("first")
	spec.Console = &backends.ConsoleSpec{Port: ptr(int64(5966))}
	power(t, b, create(t, b, spec), backends.PowerOn)
	spec.Name = "second"
	second := create(t, b, spec)
	if e := wantCode(t, b.SetPower(t.Context(), second, backends.PowerOn), backends.Conflict); !strings.Contains(e.Error(), "5966") {
		t.Errorf("the message is %q", e)
	}
}
