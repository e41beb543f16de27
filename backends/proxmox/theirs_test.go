package proxmox_test

import (
	"net/http"
	"slices"
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

// Tags that were written in capitals, which a creation keeps, become those that are asked for.
func TestTheirTags(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.theirs(map[string]any{"tags": "Web;prod"})
	for _, want := range [][]string{{"Web", "prod"}, {"prod", "web"}, {"Prod", "web"}, {"prod", "web"}} {
		if err := c.change(id, backends.Live, func(s *backends.VMSpec) { s.Tags = want }); err != nil {
			t.Fatal(err)
		}
		if got := c.mustRead(id).Config.Tags; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	wants(t, c.change(id, backends.Live, func(s *backends.VMSpec) { s.Tags = []string{"Web", "web"} }), backends.Invalid, "tags", "Web", "web")
}

// A TPM of another version is not thrown away for one of the version that is asked for: what is sealed with it would be lost.
func TestTheirTPM(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	id := c.theirs(map[string]any{"tpmstate0": "local:1,version=v1.2"})
	before := c.config("pve1", id)["tpmstate0"]
	wants(t, c.change(id, backends.Cold, func(s *backends.VMSpec) { s.TPM = new(true) }), backends.Precondition, "tpm", "1.2", "BitLocker")
	if now := c.config("pve1", id)["tpmstate0"]; now != before || now == "" {
		t.Errorf("%q became %q", before, now)
	}
}

// Proxmox VE gives VMs with Windows the machine of its present version. That is the one that was asked for.
func TestPinnedMachine(t *testing.T) {
	c := clusterOf(t, pvesim.Options{}, proxmox.Defaults{})
	for _, kind := range []string{"q35", "pc"} {
		spec := small("windows-" + kind)
		spec.GuestOS, spec.Proxmox = new("windows"), &backends.ProxmoxOptions{Machine: &kind}
		id := c.create(spec)
		pinned := c.config("pve1", id)["machine"]
		if pinned == kind {
			t.Fatal("it is not pinned")
		}
		if got := *c.mustRead(id).Config.Proxmox.Machine; got != kind {
			t.Errorf("%s is told as %s", kind, got)
		}
		if err := c.change(id, backends.Live, func(s *backends.VMSpec) { s.Description = new("changed") }); err != nil {
			t.Fatal(err)
		}
		if now := c.config("pve1", id)["machine"]; now != pinned {
			t.Errorf("%s became %s", pinned, now)
		}
		// Another one is asked for, and told as it is.
		if err := c.change(id, backends.Cold, func(s *backends.VMSpec) { s.Proxmox.Machine = &pinned }); err != nil {
			t.Fatal(err)
		}
		if got := *c.mustRead(id).Config.Proxmox.Machine; got != pinned {
			t.Errorf("%s is told as %s", pinned, got)
		}
		c.set("pve1", id, map[string]any{"machine": map[string]string{"q35": "pc", "pc": "q35"}[kind]})
		if got := *c.mustRead(id).Config.Proxmox.Machine; got == kind || got == pinned {
			t.Errorf("another kind is told as %s", got)
		}
	}
}
