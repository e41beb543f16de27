package proxmox_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// remembering is the driver with listings that serve for a long time.
func (c *cluster) remembering() backends.Backend {
	c.Helper()
	b, err := proxmox.Open(c.Context(), proxmox.Config{
		Config:     pve.Config{Endpoints: []string{c.sim.URL()}, APIToken: c.sim.Token(), CACertificate: c.sim.CACertificate()},
		Defaults:   proxmox.Defaults{Node: "pve1", Storage: "local"},
		ListingAge: time.Hour,
	})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = b.Close() })
	return b
}

// A VM that was moved since VMs were listed is not gone: neither for a read nor for a change.
func TestMovedSinceListed(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{Node: "pve1"})
	spec := small("web")
	spec.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("shared")}
	id := c.create(spec)
	b := c.remembering()
	for i, at := range []string{"pve1", "pve2", "pve1"} {
		if i > 0 {
			c.task(http.MethodPost, pve.Path("nodes", []string{"pve1", "pve2"}[(i+1)%2], "qemu", id, "migrate"), map[string]any{"target": at})
		}
		got, err := b.GetVMs(t.Context(), []backends.ID{id}, everything)
		if err != nil || got[id].Err != nil {
			t.Fatal(err, got[id].Err)
		}
		if got[id].VM.Host != at {
			t.Errorf("the VM is told to be at %q, and is at %q", got[id].VM.Host, at)
		}
	}
	c.task(http.MethodPost, pve.Path("nodes", "pve1", "qemu", id, "migrate"), map[string]any{"target": "pve2"})
	if err := b.SetPower(t.Context(), id, backends.PowerOn); err != nil {
		t.Error(err)
	}
	c.power(id, backends.PowerOff)
	c.task(http.MethodDelete, pve.Path("nodes", "pve2", "qemu", id), nil)
	got, err := b.GetVMs(t.Context(), []backends.ID{id}, everything)
	if err != nil || backends.CodeOf(got[id].Err) != backends.NotFound {
		t.Errorf("a VM that was removed: %v %v", got[id].Err, err)
	}
}

// A VM that the cluster lists and its node does not have is on its way: that is no end of it.
func TestNodesDisagree(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{Node: "pve1"})
	id := c.create(small("web"))
	gone := pvesim.Fault{Route: "GET /nodes/{node}/qemu/{vmid}/status/current", Status: 500, Reason: "Configuration file 'nodes/pve1/qemu-server/100.conf' does not exist"}
	gone.Times = 1
	c.sim.Fault(gone)
	if err := c.SetPower(t.Context(), id, backends.PowerOn); err != nil {
		t.Error(err)
	}
	gone.Times = 0
	c.sim.Fault(gone)
	wants(t, c.SetPower(t.Context(), id, backends.PowerOff), backends.Transient, "", "pve1")
}

// A node that is cut off from the others does not know what was made since: it does not say that a VM is gone.
func TestMinorityIsNotBelieved(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2", "pve3"}}, proxmox.Defaults{Node: "pve1"})
	wants := func(want backends.Code) {
		t.Helper()
		if _, err := c.read("4711"); backends.CodeOf(err) != want {
			t.Errorf("code %q, want %q: %v", backends.CodeOf(err), want, err)
		}
	}
	c.sim.SetNodeOnline("pve2", false)
	wants(backends.NotFound) // two of three know
	c.sim.SetNodeOnline("pve3", false)
	wants(backends.Transient)
	c.sim.SetNodeOnline("pve2", true)
	wants(backends.NotFound)
}

// A VM that goes from one node to another while they are asked for theirs is listed all the same.
func TestListedWhileItMoves(t *testing.T) {
	c := clusterOf(t, pvesim.Options{Nodes: []string{"pve1", "pve2"}}, proxmox.Defaults{Node: "pve1"})
	web, other := small("web"), small("other")
	web.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("shared")}
	other.Placement.Host = new("pve2")
	id, there := c.create(web), c.create(other)
	b := c.remembering()
	if got, err := b.GetVMs(t.Context(), []backends.ID{there}, everything); err != nil || got[there].Err != nil {
		t.Fatal(err, got[there].Err)
	}
	c.task(http.MethodPost, pve.Path("nodes", "pve1", "qemu", id, "migrate"), map[string]any{"target": "pve2"})
	list, err := b.ListVMs(t.Context(), backends.VMFilter{Names: []string{"web"}})
	if err != nil || len(list) != 1 || list[0].Host != "pve2" || list[0].Power != backends.Stopped {
		t.Errorf("%+v %v", list, err)
	}
}

// A bridge and a storage that the account may not use look as if they were not there: what it lacks is named.
func TestUnseenNames(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{Node: "pve1"})
	spec := small("web")
	spec.Networks = map[string]backends.NIC{"lan": {Network: new("vmbr9")}}
	_, err := c.CreateVM(t.Context(), spec)
	wants(t, err, backends.NotFound, `networks["lan"].network`, "vmbr9", "SDN.Use", "vmbr0")
	spec = small("web")
	spec.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("fast")}
	_, err = c.CreateVM(t.Context(), spec)
	wants(t, err, backends.NotFound, `disks["root"].storage`, "fast", "Datastore.AllocateSpace", "local")
}
