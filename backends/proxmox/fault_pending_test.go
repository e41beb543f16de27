package proxmox_test

import (
	"context"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// The answer to a change that a running VM does not take is lost: who tries again is told, and nothing waits.
func TestRefusalWithoutAnswer(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	spec := small("web")
	spec.Networks = map[string]backends.NIC{"lan": {}}
	id := c.create(spec)
	c.set("pve1", id, map[string]any{"hotplug": "0"})
	c.power(id, backends.PowerOn)
	c.Backend = middleware.Retry(c.Backend, middleware.RetryPolicy{First: time.Millisecond, Most: 10 * time.Millisecond, Transient: 10 * time.Second})
	c.sim.Fault(pvesim.Fault{Route: configure, Drop: true, After: true, Times: 1})
	err := c.change(id, backends.Live, func(s *backends.VMSpec) { s.Networks["dmz"] = backends.NIC{} })
	wants(t, err, backends.Precondition, "", "net1", "hotplug")
	if w := c.waiting("pve1", id); len(w) > 0 {
		t.Errorf("%v waits", w)
	}
}

// Ctrl-C while a running VM is changed: what it did not take does not wait for its next start.
func TestInterruptedRefusal(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	spec := small("web")
	spec.Networks = map[string]backends.NIC{"lan": {}}
	id := c.create(spec)
	c.set("pve1", id, map[string]any{"hotplug": "0"})
	c.power(id, backends.PowerOn)
	vm, to := c.mustRead(id), c.mustRead(id).Config
	to.Networks["dmz"] = backends.NIC{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.sim.Fault(pvesim.Fault{Route: configure, Hang: true, After: true, Times: 1})
	before := c.sim.Requests()[configure]
	go func() {
		until(t, "write", func() bool { return c.sim.Requests()[configure] > before && len(c.waiting("pve1", id)) > 0 })
		cancel()
	}()
	err := c.Reconfigure(ctx, id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&vm.Config, &to), Mode: backends.Live})
	wants(t, err, backends.Canceled, "")
	if w := c.waiting("pve1", id); len(w) > 0 {
		t.Errorf("%v waits", w)
	}
}

// A new disk that a running VM does not take leaves no volume behind.
func TestRefusedDiskLeavesNothing(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.create(small("web"))
	c.set("pve1", id, map[string]any{"hotplug": "network"})
	c.power(id, backends.PowerOn)
	err := c.change(id, backends.Live, func(s *backends.VMSpec) {
		s.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("local")}
	})
	wants(t, err, backends.Precondition, "", "scsi1", "hotplug")
	if w := c.waiting("pve1", id); len(w) > 0 {
		t.Errorf("%v waits", w)
	}
	if v := c.sim.Volumes("pve1", "local"); len(v) != 1 {
		t.Errorf("volumes %v, configuration %v", v, c.config("pve1", id))
	}
}
