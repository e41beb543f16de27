package proxmox

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// keeper keeps configurations as Proxmox VE does, as far as plans need it: volumes are allocated, addresses made,
// passwords hidden.
type keeper struct {
	t     testing.TB
	vmid  int64
	world world
	disks int
	macs  int
	sizes map[string]int64 // of images, by volume
}

// apply carries a plan out on a configuration.
func (k *keeper) apply(c vmconf.Config, p *plan) vmconf.Config {
	k.t.Helper()
	next := c.Clone()
	for _, d := range p.Detach {
		if got := next.Drive(d.Slot).Volume(); got != d.Volume {
			k.t.Fatalf("%s holds %q, and %q is to be detached", d.Slot, got, d.Volume)
		}
		delete(next, d.Slot)
	}
	for _, key := range p.Delete {
		if _, ok := next[key]; !ok {
			k.t.Fatalf("%s is to be deleted, and is not there", key)
		}
		if _, both := p.Set[key]; both {
			k.t.Fatalf("%s is set and deleted in one call", key)
		}
		delete(next, key)
	}
	for key, text := range p.Set {
		next[key] = k.keep(key, text)
	}
	for _, m := range p.Move {
		d := next.Drive(m.Slot)
		format := m.Format
		if format == "" {
			format = d.Format()
		}
		next[m.Slot] = d.WithVolume(k.volume(m.Storage, format)).Without("format").String()
	}
	for _, r := range p.Resize {
		d := next.Drive(r.Slot)
		if d.Bytes() > r.Bytes {
			k.t.Fatalf("%s shrinks from %d to %d", r.Slot, d.Bytes(), r.Bytes)
		}
		next[r.Slot] = d.Put("size", vmconf.FormatSize(r.Bytes)).String()
	}
	return next
}

func (k *keeper) keep(key, text string) string {
	switch {
	case vmconf.IsDrive(key) || key == efiSlot || key == tpmSlot:
		return k.drive(key, text)
	case strings.HasPrefix(key, "net"):
		n := vmconf.ParseNIC(text)
		if n.MAC() == "" {
			k.macs++
			n = n.WithCard(n.Model(), fmt.Sprintf("bc:24:11:00:00:%02x", k.macs))
		}
		return n.String()
	case key == "cipassword":
		return hiddenPassword
	}
	return text
}

func (k *keeper) drive(key, text string) string {
	d := vmconf.ParseDrive(text)
	v := vmconf.ParseVolume(d.Volume())
	from := d.Get("import-from")
	gib, err := strconv.ParseInt(v.Name, 10, 64)
	switch {
	case v.Name == "cloudinit":
		return fmt.Sprintf("%s:%d/vm-%d-cloudinit.qcow2,media=cdrom", v.Storage, k.vmid, k.vmid)
	case err != nil:
		return text
	}
	size := vmconf.FormatSize(gib * vmconf.GiB)
	switch {
	case from != "":
		size = vmconf.FormatSize(k.sizes[from])
	case key == efiSlot:
		size = "528K"
	case key == tpmSlot:
		size = "4M"
	}
	format := d.Get("format")
	if format == "" {
		format = "raw"
	}
	if !slices.Contains(k.world.Storages[v.Storage].formats(), format) {
		k.t.Fatalf("%s: storage %s has no %s", key, v.Storage, format)
	}
	return d.WithVolume(k.volume(v.Storage, format)).Without("format", "import-from").Put("size", size).String()
}

func (k *keeper) volume(storage, format string) string {
	k.disks++
	name := fmt.Sprintf("vm-%d-disk-%d", k.vmid, k.disks)
	if k.world.Storages[storage].files() {
		name = fmt.Sprintf("%d/%s.%s", k.vmid, name, format)
	}
	return storage + ":" + name
}

// testWorld has one storage of each behaviour.
func testWorld() world {
	return world{
		MHz: 2000, Storage: "local", Bridge: "vmbr0", Mappings: map[string]string{"gpu": "pci", "stick": "usb"},
		Storages: map[string]storageFacts{
			"local":  {Type: "dir", Content: []string{"images", "iso", "snippets"}, Free: 1 << 40},
			"thin":   {Type: "lvmthin", Content: []string{"images"}, Free: 1 << 41},
			"thick":  {Type: "zfspool", Content: []string{"images"}, Free: 1 << 39},
			"shared": {Type: "nfs", Content: []string{"images"}, Preallocation: "full", Free: 1 << 38},
			"isos":   {Type: "dir", Content: []string{"iso"}, Free: 1 << 50},
		},
	}
}

// must is a plan that there is.
func must(t testing.TB, r request) *plan {
	t.Helper()
	p, err := makePlan(r)
	if err != nil {
		t.Fatalf("makePlan: %v", err)
	}
	return p
}

// read is what a configuration is read as.
func read(t testing.TB, vmid int64, c vmconf.Config) *hardware {
	t.Helper()
	h, err := newHardware(vmid, "pve1", "", maps.Clone(c))
	if err != nil {
		t.Fatalf("newHardware: %v", err)
	}
	return h
}
