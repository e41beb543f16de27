package proxmox_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

const creation = "POST /nodes/{node}/qemu"

// The answer to a creation is lost, before or after the cluster heard of it: there is one VM in the end.
func TestCreateWithoutAnswer(t *testing.T) {
	c := clusterOf(t, pvesim.Options{TaskTime: 100 * time.Millisecond}, proxmox.Defaults{})
	for _, token := range []string{"t", ""} {
		c.sim.Fault(pvesim.Fault{Route: creation, Drop: true, After: true, Times: 1})
		spec := small("lost" + token)
		spec.CreateToken = token
		id := c.create(spec)
		if vm := c.mustRead(id); vm.Config.Name != spec.Name || !vm.Owned {
			t.Errorf("%+v", vm)
		}
	}
	if got := c.vms(); len(got) != 2 {
		t.Errorf("VMs %v", got)
	}
}

// pveproxy restarts while the task runs.
func TestRestartDuringCreate(t *testing.T) {
	c := clusterOf(t, pvesim.Options{TaskTime: 300 * time.Millisecond}, proxmox.Defaults{})
	go func() {
		for c.sim.Requests()[creation] == 0 {
			time.Sleep(time.Millisecond)
		}
		if err := c.sim.Restart(); err != nil {
			t.Error(err)
		}
	}()
	id := c.create(small("web"))
	if got := c.vms(); len(got) != 1 || got[0] != string(id) {
		t.Errorf("VMs %v, want %s", got, id)
	}
}

func TestCreateRefused(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	for name, tt := range map[string]struct {
		edit  func(*backends.VMSpec)
		code  backends.Code
		path  backends.Path
		words []string
	}{
		"bridge": {
			func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"lan": {Network: new("vmbr9")}} },
			backends.NotFound, `networks["lan"].network`,
			[]string{`"vmbr9"`, `"vmbr0"`},
		},
		"storage": {
			func(s *backends.VMSpec) {
				s.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("nowhere")}
			},
			backends.NotFound, `disks["root"].storage`,
			[]string{"nowhere", "local-lvm"},
		},
		"node": {
			func(s *backends.VMSpec) { s.Placement.Host = new("pve7") }, backends.NotFound, "placement.host", []string{`"pve7"`, `"pve1"`},
		},
		"pool": {
			func(s *backends.VMSpec) { s.Placement.Pool = new("nobodys") }, backends.NotFound, "placement.pool", []string{`"nobodys"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := small("refused-" + strings.ReplaceAll(name, " ", "-"))
			tt.edit(spec)
			id, err := c.CreateVM(t.Context(), spec)
			if id != "" {
				t.Errorf("id %q", id)
			}
			wants(t, err, tt.code, tt.path, tt.words...)
		})
	}
	if got := c.vms(); len(got) != 0 {
		t.Errorf("VMs %v were made", got)
	}
	for _, storage := range []string{"local", "local-lvm"} {
		if v := c.sim.Volumes("pve1", storage); len(v) != 0 {
			t.Errorf("volumes %v are left", v)
		}
	}
}

// The task of a creation fails after it was begun, and its VMID is good for the next.
func TestCreateTaskFails(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{FirstID: 300, LastID: 300})
	c.thick(3)
	spec := small("big")
	spec.Disks["root"] = backends.Disk{SizeGiB: new(int64(2)), Storage: new("thick")}
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(2)), Storage: new("thick")}
	id, err := c.CreateVM(t.Context(), spec)
	wants(t, err, backends.Exhausted, "", `VM "big"`)
	if id != "" || len(c.vms()) != 0 {
		t.Errorf("id %q, VMs %v", id, c.vms())
	}
	if v := c.sim.Volumes("pve1", "thick"); len(v) != 0 {
		t.Errorf("volumes %v are left", v)
	}
	c.sim.SetStorageSpace("thick", 64<<30)
	if id := c.create(spec); id != "300" {
		t.Errorf("id %q", id)
	}
}

func TestNoFreeID(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{FirstID: 500, LastID: 501})
	a := c.create(small("a"))
	c.create(small("b"))
	id, err := c.CreateVM(t.Context(), small("c"))
	wants(t, err, backends.Exhausted, "", "500", "501", "vm_id_range")
	if id != "" {
		t.Errorf("id %q", id)
	}
	// A replacement gets the VMID of what it replaces, where there is no other.
	if err := c.DeleteVM(t.Context(), a, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if id := c.create(small("c")); id != a {
		t.Errorf("id %q, want %q", id, a)
	}
	// A VMID that is asked for is not replaced by another, and whoever has it keeps it.
	spec := small("d")
	spec.CreateToken, spec.Proxmox = "", &backends.ProxmoxOptions{VMID: new(int64(501))}
	id, err = c.CreateVM(t.Context(), spec)
	wants(t, err, backends.Conflict, "proxmox.vm_id", "501")
	if id != "" {
		t.Errorf("id %q is another VM's", id)
	}
}

// VMs that the account does not see have VMIDs too.
func TestInvisibleIDs(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	for _, name := range []string{"a", "b", "c"} {
		c.create(small(name))
	}
	c.sim.AddUser("tf@pve", "secret-password")
	token := c.sim.AddToken("tf@pve", "ci", true)
	c.sim.Grant("tf@pve!ci", "/vms", "VM.Allocate", "VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Options", "VM.Config.HWType")
	c.sim.Grant("tf@pve", "/vms", "VM.Allocate", "VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Options", "VM.Config.HWType")
	c.sim.Grant("tf@pve!ci", "/storage", "Datastore.AllocateSpace", "Datastore.Audit")
	c.sim.Grant("tf@pve", "/storage", "Datastore.AllocateSpace", "Datastore.Audit")
	b := c.as(token, proxmox.Defaults{Node: "pve1", Storage: "local"})
	id, err := b.CreateVM(t.Context(), small("d"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.vms()) != 4 {
		t.Errorf("%q of %v", id, c.vms())
	}
}

// Ctrl-C during a creation: the task is stopped, and nothing is left or its id is told.
func TestInterruptedCreate(t *testing.T) {
	c := clusterOf(t, pvesim.Options{TaskTime: 10 * time.Second}, proxmox.Defaults{})
	for name, hits := range map[string]func(ctx context.Context, cancel func()){
		"during the task": func(_ context.Context, cancel func()) {
			before := c.sim.Requests()["GET /nodes/{node}/tasks/{upid}/status"]
			until(t, "look at the task", func() bool { return c.sim.Requests()["GET /nodes/{node}/tasks/{upid}/status"] > before })
			cancel()
		},
		"during the request": func(_ context.Context, cancel func()) {
			before := c.sim.Requests()[creation]
			c.sim.Fault(pvesim.Fault{Route: creation, Delay: 300 * time.Millisecond, Times: 1})
			until(t, "request", func() bool { return c.sim.Requests()[creation] > before })
			cancel()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go hits(ctx, cancel)
			id, err := c.CreateVM(ctx, small("web"))
			wants(t, err, backends.Canceled, "", `VM "web"`)
			if left := c.vms(); id == "" && len(left) > 0 || id != "" && len(left) == 0 {
				t.Errorf("id %q, VMs %v", id, left)
			}
			if id != "" {
				if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if v := c.sim.Volumes("pve1", "local"); len(v) != 0 {
		t.Errorf("volumes %v", v)
	}
}

// Names that are there twice, made by hand, are told with their VMIDs; a creation's own is found among them.
func TestNamesMadeByHand(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{Node: "pve1"})
	c.task(http.MethodPost, "/nodes/pve1/qemu", map[string]any{"vmid": 901, "name": "twin"})
	c.task(http.MethodPost, "/nodes/pve2/qemu", map[string]any{"vmid": 902, "name": "twin"})
	id, err := c.CreateVM(t.Context(), small("twin"))
	wants(t, err, backends.Conflict, "name", "901", "902", "pve2")
	if id != "" {
		t.Errorf("id %q", id)
	}
	mine := c.create(small("mine"))
	c.set("pve2", "902", map[string]any{"name": "mine"})
	if id := c.create(small("mine")); id != mine {
		t.Errorf("%q, want %q", id, mine)
	}
	if len(c.vms()) != 3 {
		t.Errorf("VMs %v", c.vms())
	}
}
