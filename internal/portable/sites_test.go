package portable

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func TestAccPortable_mock(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	before := inventory(t, m)
	follow(t, "mock", site{
		provider: m.Config(""), image: guestDisk(t), lan: "lan", backup: "vmbr0", storage: "fast",
		empty: func() {
			if after := inventory(t, m); after != before {
				t.Errorf("there was %s, and there is %s", before, after)
			}
		},
	})
}

// guestDisk is a disk for hypervisors that pretend whatever guest it holds.
func guestDisk(t *testing.T) string {
	t.Helper()
	disk := filepath.Join(t.TempDir(), "guest.raw")
	if err := os.WriteFile(disk, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return disk
}

// inventory is what a mock has: disks and what clones share is in its state file only.
func inventory(t *testing.T, m *acctest.Mock) string {
	t.Helper()
	images, err := m.Backend.ListImages(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, image := range images {
		ids = append(ids, image.ID)
	}
	var kept struct{ Volumes, Bases map[string]any }
	text, err := os.ReadFile(m.StateFile)
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it is there once something was made
		t.Fatal(err)
	}
	return fmt.Sprintf("VMs %q, images %q, disks %q and %d bases", m.Names(), ids, slices.Sorted(maps.Keys(kept.Volumes)), len(kept.Bases))
}

// On a real libvirtd, with guests that boot.
func TestAccPortable_libvirt(t *testing.T) {
	t.Parallel()
	lab := libvirtlab.Start(t)
	storage := "second"
	lab.DirPool(t, storage)
	follow(t, "libvirt", site{
		provider: fmt.Sprintf("provider \"virtrigaud\" {\n  libvirt = { uri = %q }\n}\n", lab.URI()),
		image:    lab.TinyImage(t), lan: libvirtlab.StaticNetwork, backup: libvirtlab.Network, storage: storage,
		empty: func() { lab.AssertEmpty(t) },
	})
}

func TestAccPortable_vsphere(t *testing.T) {
	t.Parallel()
	v := acctest.NewVSphere(t, vcsim.Options{})
	follow(t, "vsphere", site{
		provider: v.Config(""), image: v.Guest(1 << 20), lan: "VM Network", backup: "dv-servers", storage: "fast",
		empty: v.AssertEmpty,
	})
}

// On each version; the newer one as a cluster.
func TestAccPortable_proxmox(t *testing.T) {
	for name, options := range map[string]pvesim.Options{
		"8": {Version: 8, Guests: true},
		"9": {Version: 9, Guests: true, Nodes: []string{"pve1", "pve2", "pve3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := acctest.NewProxmox(t, options)
			follow(t, "proxmox", site{
				provider: p.Config(""), image: guestDisk(t), lan: "vmbr0", backup: "vmbr1", storage: "local-lvm",
				empty: p.AssertEmpty,
			})
		})
	}
}
