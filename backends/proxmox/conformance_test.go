package proxmox_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// TestConformance holds the driver to its catalogue on simulated clusters of both versions, of one node and of three.
func TestConformance(t *testing.T) {
	for _, o := range []pvesim.Options{
		{Version: 8, Nodes: []string{"pve1"}},
		{Version: 9, Nodes: []string{"pve1", "pve2", "pve3"}},
	} {
		t.Run(fmt.Sprintf("version %d, %d nodes", o.Version, len(o.Nodes)), func(t *testing.T) {
			s := pvesim.Start(t, o)
			addStorage(t, s, map[string]any{"storage": "thick", "type": "lvm", "vgname": "vg0", "content": "images"})
			seed := backendtest.Seed{
				Network: "vmbr0", SecondNetwork: "vmbr1", VLANNetwork: "vmbr2", BridgeNetwork: "vmbr1",
				StaticIPv4: "10.10.0.77/24", StaticGateway: "10.10.0.1",
				Storage: "local", SecondStorage: "local-lvm", Host: "pve1",
				HostDevices: mapped(t, s, o.Nodes), MissingVM: "999999",
			}
			if len(o.Nodes) > 1 {
				seed.SecondHost = "pve2"
			}
			seed.Pool, seed.Template = furnish(t, s)
			traits := traits()
			if seed.SecondHost == "" {
				traits.Unproved = map[backends.Feature]string{backends.FeatureMigration: "a cluster of one node has no other to migrate to"}
			}
			backendtest.Run(t, backendtest.Harness{
				New: func(t *testing.T) backends.Backend {
					return connect(t, s, proxmox.Defaults{Node: "pve1", Storage: "local"})
				},
				Seed:      seed,
				BootImage: importGuest,
				Faults:    &faults{t, s},
				Traits:    traits,
				Timeout:   30 * time.Second,
			})
		})
	}
}

// traits: QEMU's memory that is plugged comes in modules of 512 MiB, beside the first GiB. The storage "local" is a directory, which has
// snapshots of qcow2 only. Proxmox VE takes snapshots of all disks of a VM, by names that are identifiers, and makes linked clones of templates.
func traits() (t backendtest.Traits) {
	t.SnapshotFormats, t.SnapshotsOfAll, t.PlainSnapshotNames = []string{"qcow2"}, true, true
	t.LinkedTemplates, t.ColdTPM = true, true
	t.HotMemory.LeastMiB, t.HotMemory.StepMiB = 1024, 512
	return t
}

// mapped are devices that all nodes have, by mappings that are made for them.
func mapped(t *testing.T, s *pvesim.Server, nodes []string) []backends.HostDevice {
	t.Helper()
	hands := newHands(t, s)
	for kind, device := range map[string]string{"pci": "path=0000:65:00.0,id=10de:1eb8", "usb": "path=1-2,id=0951:1666"} {
		var at []string
		for _, n := range nodes {
			at = append(at, "node="+n+","+device)
		}
		if err := hands.Post(t.Context(), "/cluster/mapping/"+kind, map[string]any{"id": "conformance-" + kind, "map": at}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return []backends.HostDevice{{Mapping: "conformance-pci"}, {Mapping: "conformance-usb"}}
}

// importGuest imports a disk with a pretended guest.
func importGuest(t *testing.T, b backends.Backend) string {
	t.Helper()
	disk := make([]byte, 1<<20)
	copy(disk, pvesim.GuestMarker)
	img, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "pretended", Kind: "disk"}, rawDisk(disk))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.DeleteImage(context.WithoutCancel(t.Context()), img.ID); err != nil {
			t.Errorf("delete the image: %v", err)
		}
	})
	return img.ID
}

// rawDisk is a source of a raw disk.
func rawDisk(content []byte) backends.ImageSource {
	return backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		size := int64(len(content))
		return &backends.Content{Reader: io.NopCloser(bytes.NewReader(content)), Format: "raw", Size: size, VirtualSize: size}, nil
	}}
}

// addStorage gives a simulated cluster one more storage.
func addStorage(t *testing.T, s *pvesim.Server, storage map[string]any) {
	t.Helper()
	c, err := pve.Open(t.Context(), pve.Config{Endpoints: []string{s.URL()}, APIToken: s.Token(), CACertificate: s.CACertificate()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Post(t.Context(), "/storage", storage, nil); err != nil {
		t.Fatal(err)
	}
}

// connect opens the driver on a simulator.
func connect(t *testing.T, s *pvesim.Server, d proxmox.Defaults) backends.Backend {
	t.Helper()
	b, err := proxmox.Open(t.Context(), proxmox.Config{
		Config:   pve.Config{Endpoints: []string{s.URL()}, APIToken: s.Token(), CACertificate: s.CACertificate()},
		Defaults: d,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
