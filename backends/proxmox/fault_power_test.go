package proxmox_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// Every transition leads to the state that it promises, is nothing where the VM is in it, and is refused where the state forbids it.
func TestTransitions(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.create(small("web"))
	bring := map[backends.PowerState][]backends.PowerAction{
		backends.Stopped:   nil,
		backends.Running:   {backends.PowerOn},
		backends.Paused:    {backends.PowerOn, backends.Pause},
		backends.Suspended: {backends.PowerOn, backends.Suspend},
	}
	for from, actions := range bring {
		for action, want := range map[backends.PowerAction]map[backends.PowerState]backends.PowerState{ // "" is refused
			backends.PowerOn:  {"": backends.Running},
			backends.PowerOff: {"": backends.Stopped},
			backends.Resume:   {backends.Running: backends.Running, backends.Paused: backends.Running, backends.Suspended: backends.Running},
			backends.Suspend:  {backends.Running: backends.Suspended, backends.Paused: backends.Suspended, backends.Suspended: backends.Suspended},
			backends.Pause:    {backends.Running: backends.Paused, backends.Paused: backends.Paused},
			backends.Reset:    {backends.Running: backends.Running},
		} {
			c.power(id, backends.PowerOff)
			c.power(id, actions...)
			to, ok := want[from]
			if !ok {
				to, ok = want[""]
			}
			err := c.SetPower(t.Context(), id, action)
			if !ok {
				wants(t, err, backends.Precondition, "", `VM "web"`, string(from))
				to = from
			} else if err != nil {
				t.Errorf("%s: %s: %v", from, action, err)
			}
			if now := c.mustRead(id).Power; now != to {
				t.Errorf("%s: %s: it is %s, want %s", from, action, now, to)
			}
		}
	}
}

// The answer to a start is lost, though it happens.
func TestStartWithoutAnswer(t *testing.T) {
	c := clusterOf(t, pvesim.Options{TaskTime: 50 * time.Millisecond}, proxmox.Defaults{})
	id := c.create(small("web"))
	c.sim.Fault(pvesim.Fault{Route: "POST /nodes/{node}/qemu/{vmid}/status/start", Drop: true, After: true, Times: 1})
	c.power(id, backends.PowerOn)
	// And so is that to a removal: what belongs to the VM goes too.
	c.power(id, backends.PowerOff)
	c.sim.Fault(pvesim.Fault{Route: "DELETE /nodes/{node}/qemu/{vmid}", Drop: true, After: true, Times: 1})
	if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if len(c.vms()) != 0 {
		t.Errorf("VMs %v", c.vms())
	}
}

// Somebody moves the VM between the lookup and the call.
func TestMovedMeanwhile(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{Node: "pve1"})
	spec := small("web")
	spec.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("shared")}
	id := c.create(spec)
	at := "pve1"
	move := func() {
		to := map[string]string{"pve1": "pve2", "pve2": "pve1"}[at]
		c.task(http.MethodPost, pve.Path("nodes", at, "qemu", id, "migrate"), map[string]any{"target": to, "online": true})
		at = to
	}
	c.mustRead(id)
	move()
	c.power(id, backends.PowerOn)
	move()
	if err := c.change(id, backends.Live, func(s *backends.VMSpec) { s.Description = new("moved") }); err != nil {
		t.Error(err)
	}
	move()
	if err := c.WaitPower(t.Context(), id, backends.Running); err != nil {
		t.Error(err)
	}
	c.power(id, backends.PowerOff)
	vm, to := c.mustRead(id), c.mustRead(id).Config
	to.CPU.Cores = new(int64(2))
	// In the middle of a call: the write finds it gone.
	for _, call := range []struct {
		route string
		f     func() error
	}{
		{configure, func() error {
			return c.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&vm.Config, &to), Mode: backends.Cold})
		}},
		{"DELETE /nodes/{node}/qemu/{vmid}", func() error { return c.DeleteVM(t.Context(), id, backends.DeleteOptions{}) }},
	} {
		c.sim.Fault(pvesim.Fault{Route: call.route, Delay: 300 * time.Millisecond, Times: 1})
		before, done := c.sim.Requests()[call.route], make(chan error)
		go func() { done <- call.f() }()
		until(t, call.route, func() bool { return c.sim.Requests()[call.route] > before })
		move()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", call.route, err)
		}
	}
	if len(c.vms()) != 0 {
		t.Errorf("VMs %v", c.vms())
	}
}

// Memory on disk goes with the VM, which is not started for it; a protected VM stays.
func TestDeleteOddVMs(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.create(small("web"))
	c.power(id, backends.PowerOn, backends.Suspend)
	starts := c.sim.Requests()["POST /nodes/{node}/qemu/{vmid}/status/start"]
	if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if v := c.sim.Volumes("pve1", "local"); len(v) != 0 || c.sim.Requests()["POST /nodes/{node}/qemu/{vmid}/status/start"] != starts {
		t.Errorf("volumes %v", v)
	}
	id = c.create(small("web"))
	c.set("pve1", id, map[string]any{"protection": true})
	c.power(id, backends.PowerOn)
	wants(t, c.DeleteVM(t.Context(), id, backends.DeleteOptions{}), backends.Precondition, "", "protect", "proxmox.options")
	if c.mustRead(id).Power != backends.Running {
		t.Error("a VM that stays was stopped")
	}
	wants(t, c.DeleteVM(t.Context(), "4711", backends.DeleteOptions{}), backends.NotFound, "")
}

// High availability does what it is asked for later; it is waited for, and leaves nothing behind.
func TestManagedVM(t *testing.T) {
	for _, version := range []int{8, 9} {
		c := clusterOf(t, pvesim.Options{Version: version, Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{Node: "pve1", Storage: "shared"})
		spec := small("web")
		spec.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("shared")}
		id := c.create(spec)
		if err := c.hand.Post(t.Context(), "/cluster/ha/resources", map[string]any{"sid": "vm:" + string(id), "state": "stopped"}, nil); err != nil {
			t.Fatal(err)
		}
		for _, a := range []backends.PowerAction{backends.PowerOn, backends.PowerOff, backends.PowerOn} {
			c.power(id, a)
			if now, want := c.mustRead(id).Power, map[backends.PowerAction]backends.PowerState{backends.PowerOn: backends.Running, backends.PowerOff: backends.Stopped}[a]; now != want {
				t.Errorf("version %d: %s: %s", version, a, now)
			}
		}
		if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		var left []map[string]any
		if err := c.hand.Get(t.Context(), "/cluster/ha/resources", nil, &left); err != nil || len(left) != 0 || len(c.vms()) != 0 {
			t.Errorf("%v %v %v", left, c.vms(), err)
		}
	}
}

// Ctrl-C during a start: no error but that, and the VM can be started.
func TestInterruptedStart(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.create(small("web"))
	const start = "POST /nodes/{node}/qemu/{vmid}/status/start"
	c.sim.Fault(pvesim.Fault{Route: start, Delay: 200 * time.Millisecond, Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		until(t, "request", func() bool { return c.sim.Requests()[start] > 0 })
		cancel()
	}()
	wants(t, c.SetPower(ctx, id, backends.PowerOn), backends.Canceled, "", `VM "web"`)
	c.power(id, backends.PowerOn)
}

// A task runs at a node that goes down: it is waited for as long as the caller has time, and the error says which node.
func TestNodeDownDuringTask(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}, TaskTime: 200 * time.Millisecond}, proxmox.Defaults{Node: "pve2", Storage: "shared"})
	spec := small("web")
	spec.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("shared")}
	id := c.create(spec)
	const start = "POST /nodes/{node}/qemu/{vmid}/status/start"
	down := make(chan struct{})
	go func() {
		defer close(down)
		until(t, "request", func() bool { return c.sim.Requests()[start] > 0 })
		c.sim.SetNodeOnline("pve2", false)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := c.SetPower(ctx, id, backends.PowerOn)
	<-down
	if err == nil {
		t.Fatal("a task at a node that is down has ended")
	}
	if code := backends.CodeOf(err); code != backends.Timeout && code != backends.Transient {
		t.Errorf("%q: %v", code, err)
	}
	wants(t, err, backends.CodeOf(err), "", "pve2", "does not answer")
	c.sim.SetNodeOnline("pve2", true)
	c.power(id, backends.PowerOn)
}

// WaitPower sees what somebody else does, and says what it waited for.
func TestWaitPower(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.create(small("web"))
	done := make(chan error)
	go func() { done <- c.WaitPower(t.Context(), id, backends.Running) }()
	before := c.sim.Requests()["GET /nodes/{node}/qemu/{vmid}/status/current"]
	until(t, "looks", func() bool { return c.sim.Requests()["GET /nodes/{node}/qemu/{vmid}/status/current"] > before+1 })
	c.task(http.MethodPost, pve.Path("nodes", "pve1", "qemu", id, "status", "start"), nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	wants(t, c.WaitPower(ctx, id, backends.Stopped), backends.Timeout, "", "stopped", "100")
	wants(t, c.WaitPower(t.Context(), "4711", backends.Stopped), backends.NotFound, "")
}
