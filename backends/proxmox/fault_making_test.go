package proxmox_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

const cloning = "POST /nodes/{node}/qemu/{vmid}/clone"

// A creation that is refused, or fails, does not take a VM for its own that somebody else is making with the VMID.
func TestSomebodyElseMakesTheVM(t *testing.T) {
	for name, fault := range map[string]pvesim.Fault{
		"refused": {Route: creation, Status: http.StatusForbidden, Reason: "Permission check failed (/storage/local, Datastore.AllocateSpace)", Times: 1},
		"failed":  {Route: creation, Status: http.StatusInternalServerError, Reason: "unable to create VM 100 - no space left on device", Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
			c.task(http.MethodPost, "/nodes/pve1/qemu", map[string]any{"vmid": 100})
			c.sim.SetLock(100, "create")
			c.sim.Fault(fault)
			spec := small("web")
			spec.Proxmox = &backends.ProxmoxOptions{VMID: new(int64(100))}
			id, err := c.CreateVM(t.Context(), spec)
			if err == nil || id != "" {
				t.Errorf("%q, which is another's, and %v", id, err)
			}
		})
	}
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	source := c.create(small("golden"))
	c.task(http.MethodPost, "/nodes/pve1/qemu", map[string]any{"vmid": 500})
	c.sim.SetLock(500, "clone")
	c.sim.Fault(pvesim.Fault{Route: cloning, Status: http.StatusForbidden, Reason: "Permission check failed (/storage/local, Datastore.AllocateSpace)", Times: 1})
	spec := backends.VMSpec{Name: "copy", CreateToken: "t", Proxmox: &backends.ProxmoxOptions{VMID: new(int64(500))}}
	if id, err := c.CloneVM(t.Context(), &backends.CloneSpec{Spec: spec, Source: source}); err == nil || id != "" {
		t.Errorf("%q, which is another's, and %v", id, err)
	}
}

// The answer to a creation or a clone is lost while it goes on, for longer than anybody waits: the next try finds it, and makes no other.
func TestTryAgainWhileItIsMade(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	source := c.create(small("golden"))
	c.Backend = middleware.Retry(c.Backend, middleware.RetryPolicy{First: time.Millisecond, Most: 20 * time.Millisecond, Transient: time.Minute})
	c.sim.SetTaskTime(700 * time.Millisecond)
	for name, f := range map[string]func(name string) (backends.ID, error){
		"made": func(name string) (backends.ID, error) { return c.CreateVM(t.Context(), small(name)) },
		"copy": func(name string) (backends.ID, error) {
			return c.CloneVM(t.Context(), &backends.CloneSpec{Spec: backends.VMSpec{Name: name, CreateToken: name}, Source: source})
		},
	} {
		route := map[string]string{"made": creation, "copy": cloning}[name]
		c.sim.Fault(pvesim.Fault{Route: route, Drop: true, After: true, Times: 1})
		id, err := f(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if vm := c.mustRead(id); vm.Config.Name != name {
			t.Errorf("%s is %q", id, vm.Config.Name)
		}
	}
	if all := c.vms(); len(all) != 3 {
		t.Errorf("VMs %v", all)
	}
}

// Nobody knows what became of a creation, for its node is away: the next try asks before it makes another VM elsewhere.
func TestTryAgainWhileTheNodeIsAway(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{})
	spec := small("web")
	spec.Placement.Host = new("pve2")
	c.sim.SetTaskTime(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		until(t, "request", func() bool { return len(c.vms()) > 0 })
		c.sim.SetNodeOnline("pve2", false)
		cancel()
	}()
	first, err := c.CreateVM(ctx, spec)
	wants(t, err, backends.Canceled, "")
	if first == "" {
		t.Fatal("a VM that may be there is forgotten")
	}
	spec.Placement.Host = nil
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	id, err := c.CreateVM(ctx, spec)
	if err == nil || id != "" || len(c.vms()) != 1 {
		t.Errorf("%q is made beside %q: %v", id, first, err)
	}
}

// A lock, a broken connection and somebody else's change while a copy becomes what is wanted do not cost the copy.
func TestCopyIsNotMadeAgain(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	source := c.create(small("golden"))
	c.Backend = middleware.Retry(c.Backend, middleware.RetryPolicy{First: time.Millisecond, Most: 10 * time.Millisecond, Transient: 10 * time.Second})
	c.sim.Fault(pvesim.Fault{Route: configure, Status: 500, Reason: "VM is locked (backup)", Times: 1})
	c.sim.Fault(pvesim.Fault{Route: configure, Drop: true, Times: 1})
	c.sim.Fault(pvesim.Fault{Route: configure, Status: 500, Reason: "checksum mismatch (file change by other user?)", Times: 1})
	spec := backends.VMSpec{Name: "copy", CreateToken: "t", CPU: backends.CPU{Cores: new(int64(3))}}
	id, err := c.CloneVM(t.Context(), &backends.CloneSpec{Spec: spec, Source: source})
	if err != nil {
		t.Fatal(err)
	}
	if vm := c.mustRead(id); *vm.Config.CPU.Cores != 3 || c.sim.Requests()[cloning] != 1 || len(c.vms()) != 2 {
		t.Errorf("%d cores, %d copies, VMs %v", *vm.Config.CPU.Cores, c.sim.Requests()[cloning], c.vms())
	}
}
