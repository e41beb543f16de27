package proxmox_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

const configure = "PUT /nodes/{node}/qemu/{vmid}/config"

// Somebody edits between the read and the write: what they did stays, and the change is made.
func TestEditedMeanwhile(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.create(small("web"))
	c.sim.Fault(pvesim.Fault{Route: configure, Times: 1, Delay: 300 * time.Millisecond})
	before := c.sim.Requests()[configure]
	var hand sync.WaitGroup
	hand.Go(func() {
		until(t, "write", func() bool { return c.sim.Requests()[configure] > before })
		c.set("pve1", id, map[string]any{"tags": "by-hand"})
	})
	defer hand.Wait()
	err := c.change(id, backends.Cold, func(s *backends.VMSpec) { s.CPU.Cores = new(int64(3)) })
	if err != nil {
		t.Fatal(err)
	}
	hand.Wait()
	conf := c.config("pve1", id)
	if conf["cores"] != "3" || conf["tags"] != "by-hand" {
		t.Errorf("%v", conf)
	}
}

// A lock that another operation holds for a while is waited for, and nobody is told.
func TestLockIsWaitedFor(t *testing.T) {
	c := clusterOf(t, pvesim.Options{LockWait: 50 * time.Millisecond}, proxmox.Defaults{})
	id := c.create(small("web"))
	locked := `{"data":null,"message":"can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout\n"}`
	for _, route := range []string{configure, "DELETE /nodes/{node}/qemu/{vmid}"} {
		c.sim.Fault(pvesim.Fault{Route: route, Status: 500, Reason: "can't lock file - got timeout", Body: locked, Times: 3})
	}
	c.Backend = middleware.Retry(c.Backend, middleware.RetryPolicy{First: time.Millisecond, Most: 10 * time.Millisecond, Transient: time.Second})
	if err := c.change(id, backends.Cold, func(s *backends.VMSpec) { s.CPU.Cores = new(int64(2)) }); err != nil {
		t.Error(err)
	}
	if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	// Once a creation has begun, it does not begin again for a lock.
	c.sim.Fault(pvesim.Fault{Route: "PUT /nodes/{node}/qemu/{vmid}/resize", Status: 500, Reason: "VM is locked (backup)", Times: 2})
	c.sim.ResetRequests()
	c.create(small("web"))
	if n := c.sim.Requests()[creation]; n != 1 {
		t.Errorf("%d creations", n)
	}
}

// What a guest does not let go of is taken back, and the VM is as it was.
func TestRefusedUnplug(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	spec := small("web")
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("local")}
	spec.Networks = map[string]backends.NIC{"lan": {}, "dmz": {}}
	id := c.create(spec)
	c.power(id, backends.PowerOn) // no guest that lets go
	for _, edit := range []func(*backends.VMSpec){
		func(s *backends.VMSpec) { delete(s.Disks, "data") },
		func(s *backends.VMSpec) { delete(s.Networks, "dmz") },
	} {
		before, vm := c.config("pve1", id), c.mustRead(id)
		err := c.change(id, backends.Live, edit)
		wants(t, err, backends.Precondition, "", "taken back", "Stop the VM")
		if w := c.waiting("pve1", id); len(w) > 0 {
			t.Errorf("%v waits", w)
		}
		after := c.config("pve1", id)
		for key, text := range before {
			if key != "digest" && key != "description" && after[key] != text {
				t.Errorf("%s is %q, was %q", key, after[key], text)
			}
		}
		if now := c.mustRead(id).Config; len(backends.Diff(&vm.Config, &now)) > 0 {
			t.Errorf("it is not what it was: %v", backends.Diff(&vm.Config, &now))
		}
	}
}

// What a running VM would only get at its next start is an error of a live change, and does not wait; what somebody else left waiting goes on to.
func TestChangeThatWouldWait(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	spec := small("web")
	spec.Networks = map[string]backends.NIC{"lan": {}}
	id := c.create(spec)
	c.set("pve1", id, map[string]any{"hotplug": "0"})
	c.power(id, backends.PowerOn)
	c.set("pve1", id, map[string]any{"sockets": 2})
	err := c.change(id, backends.Live, func(s *backends.VMSpec) { s.Networks["dmz"] = backends.NIC{} })
	wants(t, err, backends.Precondition, "", "net1", "hotplug")
	if w := c.waiting("pve1", id); !slices.Equal(w, []string{"sockets"}) {
		t.Errorf("%v waits", w)
	}
	if !c.mustRead(id).Pending {
		t.Error("what waits is not told")
	}
}

// Deferred changes wait for the next start, and are what the VM is configured to be.
func TestDeferredChange(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	spec := small("web")
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("local")}
	id := c.create(spec)
	c.power(id, backends.PowerOn)
	if err := c.change(id, backends.Deferred, func(s *backends.VMSpec) {
		s.CPU.Cores, s.Memory.SizeMiB = new(int64(2)), new(int64(512))
		delete(s.Disks, "data")
	}); err != nil {
		t.Fatal(err)
	}
	vm := c.mustRead(id)
	if !vm.Pending || vm.Power != backends.Running || *vm.Config.CPU.Cores != 2 || *vm.Config.Memory.SizeMiB != 512 || len(vm.Config.Disks) != 1 {
		t.Errorf("%+v", vm)
	}
	c.power(id, backends.PowerOff, backends.PowerOn)
	if vm := c.mustRead(id); vm.Pending || *vm.Config.CPU.Cores != 2 {
		t.Errorf("%+v", vm)
	}
	c.power(id, backends.PowerOff)
	if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if v := c.sim.Volumes("pve1", "local"); len(v) > 0 {
		t.Errorf("%v are left", v)
	}
}

// A grown disk that does not fit leaves the VM as it was.
func TestNoSpaceToGrow(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	c.thick(3)
	spec := small("web")
	spec.Disks["root"] = backends.Disk{SizeGiB: new(int64(2)), Storage: new("thick")}
	id := c.create(spec)
	for _, mode := range []backends.ReconfigureMode{backends.Cold, backends.Live} {
		err := c.change(id, mode, func(s *backends.VMSpec) {
			d := s.Disks["root"]
			d.SizeGiB = new(int64(20))
			s.Disks["root"] = d
		})
		wants(t, err, backends.Exhausted, `disks["root"].size_gib`, `VM "web"`)
		if vm := c.mustRead(id); *vm.Config.Disks["root"].SizeGiB != 2 {
			t.Errorf("%v", *vm.Config.Disks["root"].SizeGiB)
		}
		c.power(id, backends.PowerOn)
	}
}

// The notes belong to people as well: what they write stays, and so does what is known of the VM.
func TestNotesEditedByHand(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	spec := small("web")
	spec.Description = new("first")
	id := c.create(spec)
	notes := c.config("pve1", id)["description"]
	c.set("pve1", id, map[string]any{"description": "above\n\n" + notes + "\nbelow"})
	vm := c.mustRead(id)
	if !vm.Owned || vm.Config.Disks["root"].SizeGiB == nil || !strings.Contains(*vm.Config.Description, "above") || !strings.Contains(*vm.Config.Description, "below") {
		t.Errorf("%+v", vm)
	}
	if err := c.change(id, backends.Cold, func(s *backends.VMSpec) { s.CPU.Cores = new(int64(2)) }); err != nil {
		t.Fatal(err)
	}
	if again := c.mustRead(id); *again.Config.Description != *vm.Config.Description || !again.Owned {
		t.Errorf("%q, was %q", *again.Config.Description, *vm.Config.Description)
	}

	// A damaged mark is told, and hides no other VM.
	other := c.create(small("other"))
	c.set("pve1", id, map[string]any{"description": strings.Replace(notes, `"disks":`, `"disks":oops`, 1)})
	_, err := c.read(id)
	wants(t, err, backends.Precondition, "", "notes", "Restore")
	if _, err := c.read(other); err != nil {
		t.Error(err)
	}
	if list, err := c.ListVMs(t.Context(), backends.VMFilter{}); err != nil || len(list) != 2 {
		t.Errorf("%+v %v", list, err)
	}
	_, err = c.CreateVM(t.Context(), small("web"))
	wants(t, err, backends.Conflict, "name", string(id))
	wants(t, c.DeleteVM(t.Context(), id, backends.DeleteOptions{KeepDisks: []string{"root"}}), backends.Precondition, "", "notes")
	if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// A VM without a name is called as Proxmox VE calls it, and is not given that name.
func TestVMWithoutName(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	c.task(http.MethodPost, "/nodes/pve1/qemu", map[string]any{"vmid": 700, "scsi0": "local:1"})
	if vm := c.mustRead("700"); vm.Config.Name != "VM 700" || vm.Owned {
		t.Errorf("%+v", vm)
	}
	if err := c.change("700", backends.Cold, func(s *backends.VMSpec) { s.CPU.Cores = new(int64(2)) }); err != nil {
		t.Fatal(err)
	}
	if conf := c.config("pve1", "700"); conf["name"] != "" || conf["cores"] != "2" {
		t.Errorf("%v", conf)
	}
	c.power("700", backends.PowerOn, backends.PowerOff)
	if err := c.DeleteVM(t.Context(), "700", backends.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// Ctrl-C during a grow: the VM is one that can be read and grown again.
func TestInterruptedGrow(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.create(small("web"))
	const grow = "PUT /nodes/{node}/qemu/{vmid}/resize"
	c.sim.Fault(pvesim.Fault{Route: grow, Delay: 200 * time.Millisecond, Times: 1})
	before := c.sim.Requests()[grow]
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		until(t, "request", func() bool { return c.sim.Requests()[grow] > before })
		cancel()
	}()
	vm := c.mustRead(id)
	to := vm.Config
	to.Disks = map[string]backends.Disk{"root": {SizeGiB: new(int64(3))}}
	r := backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&vm.Config, &to), Mode: backends.Cold}
	wants(t, c.Reconfigure(ctx, id, r), backends.Canceled, "", "web")
	if err := c.Reconfigure(t.Context(), id, r); err != nil {
		t.Error(err)
	}
	if vm := c.mustRead(id); *vm.Config.Disks["root"].SizeGiB != 3 {
		t.Errorf("%d GiB", *vm.Config.Disks["root"].SizeGiB)
	}
}

// What is written again because the answer was lost holds already the second time.
func TestChangesWithoutAnswer(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	for _, pool := range []string{"prod", "prod/web"} {
		if err := c.hand.Post(t.Context(), "/pools", map[string]any{"poolid": pool}, nil); err != nil {
			t.Fatal(err)
		}
	}
	c.Backend = middleware.Retry(c.Backend, middleware.RetryPolicy{First: time.Millisecond, Most: 10 * time.Millisecond, Transient: 10 * time.Second})
	spec := small("web")
	spec.Placement.Pool = new("prod")
	id := c.create(spec)
	for _, route := range []string{"PUT /pools", "PUT /pools/{poolid}", "POST /nodes/{node}/qemu/{vmid}/move_disk"} {
		c.sim.Fault(pvesim.Fault{Route: route, Drop: true, After: true, Times: 1})
	}
	for _, pool := range []string{"prod/web", ""} {
		if err := c.change(id, backends.Cold, func(s *backends.VMSpec) {
			s.CPU.Cores, s.Placement.Pool = new(int64(len(pool)+1)), &pool
			d := s.Disks["root"]
			d.Storage = new("local-lvm")
			d.Format, d.Provisioning = nil, nil
			s.Disks["root"] = d
		}); err != nil {
			t.Error(err)
		}
		if vm := c.mustRead(id); *vm.Config.Placement.Pool != pool || *vm.Config.Disks["root"].Storage != "local-lvm" {
			t.Errorf("%q, %q", *vm.Config.Placement.Pool, *vm.Config.Disks["root"].Storage)
		}
	}
}

// A disk changes its bus, and what comes with that is refused, or the run ends in the middle: the VM has the disk in the end, and no other in its place.
func TestDiskThatChangesItsSlot(t *testing.T) {
	for name, fault := range map[string]pvesim.Fault{
		"refused":   {Route: configure, Status: http.StatusBadRequest, Reason: "Parameter verification failed.", Body: `{"data":null,"errors":{"cpu":"no such model"}}`, Times: 1},
		"cut short": {Route: configure, Status: http.StatusInternalServerError, Reason: "the run ends here"},
	} {
		t.Run(name, func(t *testing.T) {
			c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
			id := c.create(small("web"))
			volume := c.mustRead(id).Disks["root"].VolumeID
			change := func() error {
				vm, to := c.mustRead(id), c.mustRead(id).Config
				to.Disks = map[string]backends.Disk{"root": {SizeGiB: new(int64(1)), Storage: new("local"), Bus: new("virtio")}}
				return c.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&vm.Config, &to), Mode: backends.Cold})
			}
			var n atomic.Int64
			fault.Match = func(*http.Request) bool { return n.Add(1) > 1 } // the first takes the disk out
			c.sim.Fault(fault)
			if change() == nil {
				t.Fatal("nothing was refused")
			}
			if _, there := c.mustRead(id).Disks["root"]; there != (name == "refused") {
				t.Errorf("the disk is there: %t", there)
			}
			c.sim.ClearFaults()
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if vm := c.mustRead(id); vm.Disks["root"].VolumeID != volume || vm.Disks["root"].Device != "virtio0" {
				t.Errorf("%+v, want %s", vm.Disks, volume)
			}
			if v := c.sim.Volumes("pve1", "local"); len(v) != 1 || c.config("pve1", id)["unused0"] != "" {
				t.Errorf("volumes %v", v)
			}
		})
	}
}
