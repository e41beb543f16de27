package proxmox_test

import (
	"net/http"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// theirs makes a VM by hand, with what Proxmox VE takes and the driver would not ask for.
func (c *cluster) theirs(form map[string]any) backends.ID {
	c.Helper()
	form["vmid"] = 300
	if form["name"] == nil {
		form["name"] = "theirs"
	}
	c.task(http.MethodPost, "/nodes/pve1/qemu", form)
	return "300"
}

// What a VM has that was made elsewhere does not keep it from being changed where nobody asks for that.
func TestTheirsCanBeChanged(t *testing.T) {
	for name, form := range map[string]map[string]any{
		"a thread that is not made":      {"scsihw": "virtio-scsi-pci", "scsi0": "local:1,iothread=1"},
		"an MTU that nobody is told":     {"net0": "e1000=BC:24:11:00:00:01,bridge=vmbr0,mtu=9000"},
		"two cards with one address":     {"net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0", "net1": "virtio=BC:24:11:00:00:01,bridge=vmbr0"},
		"processors that are held ready": {"cores": 4, "vcpus": 2},
	} {
		t.Run(name, func(t *testing.T) {
			c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
			id := c.theirs(form)
			before, was := c.mustRead(id), c.config("pve1", id)
			for _, text := range []string{"changed", "changed again"} {
				if err := c.change(id, backends.Live, func(s *backends.VMSpec) { s.Description = &text }); err != nil {
					t.Fatal(err)
				}
			}
			after, is := c.mustRead(id), c.config("pve1", id)
			before.Config.Description = after.Config.Description
			if changes := backends.Diff(&before.Config, &after.Config); len(changes) > 0 {
				t.Errorf("it differs: %v", changes)
			}
			for _, v := range []pve.Values{was, is} {
				delete(v, "description")
				delete(v, "digest")
			}
			for key, text := range is {
				if was[key] != text {
					t.Errorf("%s was %q and is %q", key, was[key], text)
				}
			}
		})
	}
}

// A limit of processors that was made by hand is not told as none, and can be taken away and set.
func TestTheirLimit(t *testing.T) {
	for _, want := range []int64{0, 1000} {
		c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
		id := c.theirs(map[string]any{"cpulimit": "0.5"})
		if got := c.mustRead(id).Config.CPU.LimitMHz; got != nil && *got == 0 {
			t.Error("it is told to have no limit")
		}
		if err := c.change(id, backends.Live, func(s *backends.VMSpec) { s.CPU.LimitMHz = &want }); err != nil {
			t.Fatal(err)
		}
		if got := c.mustRead(id).Config.CPU.LimitMHz; got == nil || *got != want {
			t.Errorf("%v, want %d: cpulimit is %q", got, want, c.config("pve1", id)["cpulimit"])
		}
	}
}
