package proxmox_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// Two runs side by side make VMs in one range of VMIDs: each VMID is one VM's.
func TestTwoRunsInOneRange(t *testing.T) {
	d := proxmox.Defaults{Node: "pve1", Storage: "local", FirstID: 200, LastID: 249}
	c := clusterOf(t, pvesim.Options{Jitter: 5 * time.Millisecond}, d)
	runs := []backends.Backend{c.Backend, c.as(c.sim.Token(), d)}
	var mu sync.Mutex
	owners := map[backends.ID]string{}
	var work sync.WaitGroup
	for n, b := range runs {
		for i := range 25 {
			work.Go(func() {
				name := fmt.Sprintf("run%d-%d", n, i)
				id, err := b.CreateVM(t.Context(), small(name))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if other, twice := owners[id]; twice {
					t.Errorf("%s is %s and %s", id, other, name)
				}
				owners[id] = name
			})
		}
	}
	work.Wait()
	for id, name := range owners {
		if vm := c.mustRead(id); vm.Config.Name != name {
			t.Errorf("%s is %s, want %s", id, vm.Config.Name, name)
		}
	}
	if n := c.sim.Requests()[creation]; n > 200 {
		t.Errorf("%d requests to make 50 VMs", n)
	}
	_, err := c.CreateVM(t.Context(), small("one-more"))
	wants(t, err, backends.Exhausted, "", "vm_id_range")
}

// Many creations at once on a cluster that is slow and stumbles: all succeed, each VM is there once.
func TestManyCreationsWithFaults(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Delay: 20 * time.Millisecond}, proxmox.Defaults{Node: "pve1"})
	seldom := func(*http.Request) bool { return rand.IntN(20) == 0 }
	c.sim.Fault(pvesim.Fault{Route: "GET", Match: seldom, Status: 596, Reason: "Broken pipe"})
	c.sim.Fault(pvesim.Fault{Route: "GET", Match: seldom, Drop: true})
	c.sim.Fault(pvesim.Fault{Route: creation, Match: seldom, Drop: true, After: true})
	c.sim.Fault(pvesim.Fault{Route: creation, Match: seldom, Status: 595, Reason: "Connection refused"})
	c.sim.Fault(pvesim.Fault{Route: creation, Match: seldom, Status: 500, Reason: "ipcc_send_rec[1] failed: Connection refused"})
	b := middleware.Retry(c.Backend, middleware.DefaultRetry)
	var work sync.WaitGroup
	for i := range 50 {
		work.Go(func() {
			if _, err := b.CreateVM(t.Context(), small(fmt.Sprintf("vm-%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	c.sim.ClearFaults()
	list, err := c.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil || len(list) != 50 {
		t.Fatalf("%d VMs, %v", len(list), err)
	}
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s.Name] || !s.Owned || !strings.HasPrefix(s.Name, "vm-") {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
	}
}

// One name is one VM, however many ask for it at once; who asks with the same token gets the same one.
func TestOneNameAtOnce(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Jitter: 3 * time.Millisecond}, proxmox.Defaults{})
	b := middleware.Retry(c.Backend, middleware.RetryPolicy{First: time.Millisecond, Most: 10 * time.Millisecond})
	var work sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 10 {
		work.Go(func() {
			spec := small("web")
			spec.CreateToken = fmt.Sprint(rand.Int())
			_, err := b.CreateVM(t.Context(), spec)
			if err == nil {
				mu.Lock()
				made++
				mu.Unlock()
				return
			}
			wants(t, err, backends.Conflict, "name", "web")
		})
	}
	work.Wait()
	if made != 1 || len(c.vms()) != 1 {
		t.Errorf("%d were made, VMs %v", made, c.vms())
	}
}

// Changes, power and removal of one VM at once end in a state that one of them asked for, and in no error of another kind than that.
func TestOneVMAtOnce(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Jitter: 3 * time.Millisecond, TaskTime: 5 * time.Millisecond}, proxmox.Defaults{})
	b := middleware.Retry(c.Backend, middleware.RetryPolicy{First: time.Millisecond, Most: 10 * time.Millisecond, Transient: time.Second})
	id := c.create(small("web"))
	vm := c.mustRead(id)
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			to := vm.Config
			to.Tags = []string{fmt.Sprintf("run-%d", i)}
			if err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{Desired: &to, Changes: backends.Diff(&vm.Config, &to), Mode: backends.Live}); err != nil {
				t.Error(err)
			}
		})
		work.Go(func() {
			if err := b.SetPower(t.Context(), id, []backends.PowerAction{backends.PowerOn, backends.PowerOff}[i%2]); err != nil &&
				backends.CodeOf(err) != backends.Precondition {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if tags := c.mustRead(id).Config.Tags; len(tags) != 1 {
		t.Errorf("tags %v", tags)
	}
	for range 3 {
		work.Go(func() {
			if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil && backends.CodeOf(err) != backends.NotFound {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if len(c.vms()) != 0 {
		t.Errorf("VMs %v", c.vms())
	}
}

// VMs that name no node are spread over those that have room, also where they are made at once.
func TestSpreadOverNodes(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2", "pve3"}}, proxmox.Defaults{Storage: "shared"})
	var work sync.WaitGroup
	for i := range 9 {
		work.Go(func() {
			spec := small(fmt.Sprintf("vm-%d", i))
			spec.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("shared")}
			if _, err := c.CreateVM(t.Context(), spec); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	list, err := c.ListVMs(t.Context(), backends.VMFilter{Light: true})
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]int{}
	for _, s := range list {
		on[s.Host]++
	}
	for _, node := range c.sim.Nodes() {
		if on[node] != 3 {
			t.Errorf("%d VMs are at %s: %v", on[node], node, on)
		}
	}
}
