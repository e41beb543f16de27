package proxmox_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// manage gives a VM to high availability.
func (c *cluster) manage(id backends.ID, state string) {
	c.Helper()
	if err := c.hand.Post(c.Context(), "/cluster/ha/resources", map[string]any{"sid": "vm:" + string(id), "state": state}, nil); err != nil {
		c.Fatal(err)
	}
}

// managed is what high availability has a VM in, and what it is to have it in.
func (c *cluster) managed(node string, id backends.ID) (is, asked string) {
	c.Helper()
	var now struct {
		HA struct{ State pve.Text }
	}
	var r struct{ State pve.Text }
	if err := c.hand.Get(c.Context(), pve.Path("nodes", node, "qemu", id, "status", "current"), nil, &now); err != nil {
		c.Fatal(err)
	}
	if err := c.hand.Get(c.Context(), "/cluster/ha/resources/vm:"+string(id), nil, &r); err != nil {
		c.Fatal(err)
	}
	return string(now.HA.State), string(r.State)
}

// ran reports whether a node has a task of a kind.
func (c *cluster) ran(node, kind, source string) bool {
	var rows []struct{ Type pve.Text }
	if err := c.hand.Get(c.Context(), pve.Path("nodes", node, "tasks"), url.Values{"source": {source}}, &rows); err != nil {
		c.Error(err)
	}
	for _, r := range rows {
		if string(r.Type) == kind {
			return true
		}
	}
	return false
}

// A guest ignores the shutdown that high availability asks it for: a stop does not get in its way, for it would give the VM up.
func TestManagedGuestIgnoresShutdown(t *testing.T) {
	c := clusterOf(t, pvesim.Options{ShutdownWait: 400 * time.Millisecond}, proxmox.Defaults{})
	id := c.create(small("web"))
	c.manage(id, "started")
	if err := c.WaitPower(t.Context(), id, backends.Running); err != nil {
		t.Fatal(err)
	}
	c.sim.Guest(100).RefuseShutdown(true)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if err := c.SetPower(ctx, id, backends.Shutdown); err != nil {
		t.Fatal(err)
	}
	until(t, "shutdown by high availability", func() bool { return c.ran("pve1", "qmshutdown", "active") })
	c.power(id, backends.PowerOff)
	if is, asked := c.managed("pve1", id); is == "error" || asked != "stopped" {
		t.Errorf("it is in the state %q and is to be in %q", is, asked)
	}
	c.power(id, backends.PowerOn)
}

// A VM is in the state that is asked for, and high availability is about to bring it out of that: it is told not to.
func TestManagedVMToStay(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.create(small("web"))
	c.sim.SetTaskTime(300 * time.Millisecond)
	c.manage(id, "started")
	until(t, "start by high availability", func() bool {
		is, _ := c.managed("pve1", id)
		return is == "started"
	})
	if now := c.mustRead(id).Power; now != backends.Stopped {
		t.Fatalf("it is %s already", now)
	}
	c.power(id, backends.PowerOff)
	if now := c.mustRead(id).Power; now != backends.Stopped {
		t.Errorf("it is %s", now)
	}
	if is, asked := c.managed("pve1", id); is == "started" || asked != "stopped" {
		t.Errorf("it is in the state %q and is to be in %q", is, asked)
	}
}

// High availability that does not do as it was asked is named.
func TestManagerDoesNothing(t *testing.T) {
	c := clusterOf(t, pvesim.Options{HARound: -1}, proxmox.Defaults{})
	id := c.create(small("web"))
	c.power(id, backends.PowerOn)
	c.manage(id, "started")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wants(t, c.SetPower(ctx, id, backends.PowerOff), backends.Timeout, "", "high availability", "running", "ha-manager status")
}

// High availability tries to move a VM and cannot: that is told, and not waited for.
func TestManagedVMStaysWhereItIs(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}, HARound: 100 * time.Millisecond}, proxmox.Defaults{Node: "pve1", Storage: "shared"})
	spec := small("web")
	spec.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("shared")}
	id := c.create(spec)
	c.manage(id, "started")
	if err := c.WaitPower(t.Context(), id, backends.Running); err != nil {
		t.Fatal(err)
	}
	go func() {
		until(t, "request", func() bool { return c.ran("pve1", "hamigrate", "all") })
		c.sim.SetLock(100, "backup") // what high availability asks for fails
	}()
	err := c.Migrate(t.Context(), id, backends.PlacementSpec{Host: new("pve2")})
	wants(t, err, backends.Precondition, "placement.host", "high availability", `"pve1"`)
}
