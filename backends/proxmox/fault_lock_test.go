package proxmox_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// A lock that outlasts the time allowed is named, and who holds it.
func TestLockThatStays(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{Node: "pve1"})
	id := c.create(small("web"))
	c.sim.SetLock(100, "backup")
	vm := c.mustRead(id)
	to := vm.Config
	to.CPU.Cores = new(int64(2))
	b := middleware.Retry(c.Backend, middleware.RetryPolicy{First: time.Millisecond, Most: 10 * time.Millisecond})
	for name, f := range map[string]func(ctx context.Context) error{
		"delete": func(ctx context.Context) error { return b.DeleteVM(ctx, id, backends.DeleteOptions{}) },
		"change": func(ctx context.Context) error {
			return b.Reconfigure(ctx, id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&vm.Config, &to), Mode: backends.Cold})
		},
		"start":   func(ctx context.Context) error { return b.SetPower(ctx, id, backends.PowerOn) },
		"migrate": func(ctx context.Context) error { return b.Migrate(ctx, id, backends.PlacementSpec{Host: new("pve2")}) },
		"snapshot": func(ctx context.Context) error {
			_, err := b.CreateSnapshot(ctx, id, backends.SnapshotSpec{Name: "before"})
			return err
		},
		"clone": func(ctx context.Context) error {
			_, err := b.CloneVM(ctx, &backends.CloneSpec{Spec: backends.VMSpec{Name: "copy"}, Source: id})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err := f(ctx)
			wants(t, err, backends.CodeOf(err), "", `lock "backup"`, "no task", "pve1", "qm unlock 100")
		})
	}
	c.sim.SetLock(100, "")

	// A task at work.
	c.sim.SetTaskTime(5 * time.Second)
	var upid pve.Text
	if err := c.hand.Put(t.Context(), pve.Path("nodes", "pve1", "qemu", id, "resize"), map[string]any{"disk": "scsi0", "size": "2G"}, &upid); err != nil {
		t.Fatal(err)
	}
	c.sim.Fault(pvesim.Fault{Route: deletion, Status: 500, Reason: "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"})
	wants(t, c.DeleteVM(t.Context(), id, backends.DeleteOptions{}), backends.Locked, "", string(upid), "Wait until that task has ended")
}

// A creation was killed, and its lock is all that is left: a removal says how that goes away, and does not wait for it.
func TestLockOfKilledCreation(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	c.task(http.MethodPost, "/nodes/pve1/qemu", map[string]any{"vmid": 100})
	c.sim.SetLock(100, "create")
	b := middleware.Retry(c.Backend, middleware.DefaultRetry)
	wants(t, b.DeleteVM(t.Context(), "100", backends.DeleteOptions{}), backends.Precondition, "", `lock "create"`, "qm unlock 100", "pve1")
}
