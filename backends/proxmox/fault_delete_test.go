package proxmox_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

const deletion = "DELETE /nodes/{node}/qemu/{vmid}"

// withKept makes a VM with a disk that is to outlive it, and returns that disk's volume.
func (c *cluster) withKept(name string) (id backends.ID, volume string) {
	c.Helper()
	spec := small(name)
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Storage: new("local"), KeepOnDestroy: new(true)}
	id = c.create(spec)
	return id, c.mustRead(id).Disks["data"].VolumeID
}

func (c *cluster) gone(id backends.ID, volume string) {
	c.Helper()
	if left := c.sim.Volumes("pve1", "local"); !slices.Equal(left, []string{volume}) {
		c.Errorf("volumes %v are left, want %s", left, volume)
	}
	if slices.Contains(c.vms(), string(id)) {
		c.Errorf("%s is there", id)
	}
}

// A disk that is to outlive its VM does so also where what detaches it is cut off in the middle.
func TestKeptDiskWhenCut(t *testing.T) {
	for name, cut := range map[string]func(c *cluster, id backends.ID) error{
		"removal": func(c *cluster, id backends.ID) error {
			return c.DeleteVM(t.Context(), id, backends.DeleteOptions{KeepDisks: []string{"data"}})
		},
		"change": func(c *cluster, id backends.ID) error {
			return c.change(id, backends.Cold, func(s *backends.VMSpec) { delete(s.Disks, "data") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
			id, volume := c.withKept("web")
			var n atomic.Int64
			c.sim.Fault(pvesim.Fault{Route: configure, Match: func(*http.Request) bool { return n.Add(1) > 1 }, Status: 500, Reason: "the run ends here"})
			if err := cut(c, id); err == nil {
				t.Fatal("nothing was cut off")
			}
			c.sim.ClearFaults()
			if v := c.config("pve1", id)["unused0"]; v != volume {
				t.Fatalf("unused0 is %q, want %s", v, volume)
			}
			keep := []string{"data"}
			if name == "change" {
				keep = nil
			}
			if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{KeepDisks: keep}); err != nil {
				t.Fatal(err)
			}
			c.gone(id, volume)
		})
	}
}

// A disk with keep_on_destroy that somebody detached in Proxmox VE is not deleted as one that nobody needs.
func TestKeptDiskDetachedByHand(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id, volume := c.withKept("web")
	c.set("pve1", id, map[string]any{"delete": "scsi1"})
	if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.gone(id, volume)
}

// What is to be kept and is not known stops a removal before anything is done.
func TestKeptDiskNotKnown(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id, _ := c.withKept("web")
	c.power(id, backends.PowerOn)
	notes := c.config("pve1", id)["description"]
	c.set("pve1", id, map[string]any{"description": "somebody tidied up"})
	wants(t, c.DeleteVM(t.Context(), id, backends.DeleteOptions{KeepDisks: []string{"data"}}), backends.Invalid, `disks["data"]`, "scsi1", "notes")
	if now := c.mustRead(id).Power; now != backends.Running {
		t.Errorf("it is %s", now)
	}
	// A mark that cannot be read could tell that what is unused is to stay.
	c.power(id, backends.PowerOff)
	c.set("pve1", id, map[string]any{"delete": "scsi1"})
	c.set("pve1", id, map[string]any{"description": strings.Replace(notes, `"disks":`, `"disks":oops`, 1)})
	wants(t, c.DeleteVM(t.Context(), id, backends.DeleteOptions{}), backends.Precondition, "", "notes")
	if len(c.vms()) != 1 {
		t.Error("it was deleted")
	}
}

// A removal is repeated after the VM is gone and somebody else has its VMID.
func TestRemovalFindsAnotherVM(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.create(small("web"))
	c.sim.Fault(pvesim.Fault{Route: deletion, Status: 500, Reason: "got no worker upid - start worker failed", Times: 1})
	wants(t, c.DeleteVM(t.Context(), id, backends.DeleteOptions{}), backends.Transient, "")
	c.task(http.MethodDelete, "/nodes/pve1/qemu/"+string(id), nil)
	c.task(http.MethodPost, "/nodes/pve1/qemu", map[string]any{"vmid": id, "name": "theirs"})
	wants(t, c.DeleteVM(t.Context(), id, backends.DeleteOptions{}), backends.NotFound, "")
	if vm := c.mustRead(id); vm.Config.Name != "theirs" {
		t.Errorf("%+v", vm)
	}
	// Who asks for that one, gets it.
	if err := c.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil || len(c.vms()) != 0 {
		t.Errorf("%v %v", err, c.vms())
	}
}

// Ctrl-C while a VM is removed, which comes too late: it is gone, and so is its seed.
func TestInterruptedRemoval(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	spec := small("web")
	spec.CloudInit = &backends.CloudInit{UserData: new("#cloud-config\nruncmd: [reboot]\n")}
	id := c.create(spec)
	if v := c.sim.Volumes("pve1", "local"); len(v) != 2 {
		t.Fatalf("volumes %v: there is no seed", v)
	}
	c.sim.SetTaskTime(300 * time.Millisecond)
	c.sim.Fault(pvesim.Fault{Route: "DELETE /nodes/{node}/tasks/{upid}", Delay: 600 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		until(t, "task", func() bool { return c.ran("pve1", "qmdestroy", "active") })
		cancel()
	}()
	if err := c.DeleteVM(ctx, id, backends.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if v := c.sim.Volumes("pve1", "local"); len(v) != 0 || len(c.vms()) != 0 {
		t.Errorf("volumes %v, VMs %v", v, c.vms())
	}
}
