package vsphere_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// TestConformance holds the driver to its catalogue on a simulated vCenter that is as strict as the real one.
func TestConformance(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	seed := s.Seed
	backendtest.Run(t, backendtest.Harness{
		New: func(t *testing.T) backends.Backend {
			return connect(t, s, inventory.Defaults{
				Datacenter: seed.Datacenter, Cluster: seed.Clusters[0], Datastore: seed.Datastores[0], Network: seed.Network,
			})
		},
		Seed: backendtest.Seed{
			Network: seed.Network, SecondNetwork: seed.SecondNetwork, DistributedNetwork: seed.PortGroup,
			TaggedNetworks: map[int64]string{30: seed.VLANPortGroup, 31: seed.NextPortGroup, 0: seed.PortGroup},
			StaticIPv4:     "192.168.77.5/24", StaticGateway: "192.168.77.1",
			Storage: seed.PolicyDatastore, SecondStorage: seed.Datastores[0],
			Template: seed.Template, Host: seed.Hosts[0][0], SecondHost: seed.Hosts[0][1],
			ResourcePool: seed.Pool, Folder: seed.Folder, StoragePolicy: seed.Policy,
			LibraryItem: seed.Library + "/" + seed.LibraryOVF,
			HostDevices: []backends.HostDevice{{PCI: seed.PCIDevice}, {VGPU: seed.VGPU}},
			GuestOS:     "debian12_64Guest",
			MissingVM:   "vm-999999",
		},
		BootImage: importGuest,
		Faults:    &faults{t, s},
		Timeout:   30 * time.Second,
	})
}

// TestConformanceESXi does the same for a stand-alone host, which can do less.
func TestConformanceESXi(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{ESXi: true})
	seed := s.Seed
	backendtest.Run(t, backendtest.Harness{
		New: func(t *testing.T) backends.Backend {
			return connect(t, s, inventory.Defaults{Datastore: seed.Datastores[0], Network: seed.Network})
		},
		Seed: backendtest.Seed{
			Network: seed.Network, SecondNetwork: seed.SecondNetwork,
			TaggedNetworks: map[int64]string{30: seed.VLANPortGroup, 31: seed.NextPortGroup, 0: seed.SecondNetwork},
			StaticIPv4:     "192.168.77.5/24", StaticGateway: "192.168.77.1",
			Storage: seed.Datastores[0], SecondStorage: seed.Datastores[1],
			ResourcePool: seed.Pool,
			HostDevices:  []backends.HostDevice{{PCI: seed.PCIDevice}, {VGPU: seed.VGPU}},
			MissingVM:    "999999",
		},
		BootImage: importGuest,
		Faults:    &faults{t, s},
		Timeout:   30 * time.Second,
	})
}

// connect opens the driver on a simulator. Objects that are busy are waited for, as the provider does.
func connect(t *testing.T, s *vcsim.Server, d inventory.Defaults) backends.Backend {
	t.Helper()
	b, err := vsphere.Open(t.Context(), vsphere.Config{
		Config:   conn.Config{Endpoint: s.Endpoint(), Username: s.Username(), Password: s.Password(), CACertificate: s.CACertificate()},
		Defaults: d,
	})
	if err != nil {
		t.Fatal(err)
	}
	return patient(b)
}

// guestSize is what the pretended guest's disk holds.
const guestSize = 1 << 20

// importGuest brings an image whose guest the simulator pretends to run.
func importGuest(t *testing.T, b backends.Backend) string {
	t.Helper()
	disk := make([]byte, guestSize)
	copy(disk, "PRETENDED GUEST")
	image, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "pretended", Kind: "disk"}, backends.ImageSource{
		Open: func(context.Context) (*backends.Content, error) {
			return &backends.Content{Reader: io.NopCloser(bytes.NewReader(disk)), Format: "raw", Size: guestSize, VirtualSize: guestSize}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.DeleteImage(context.WithoutCancel(t.Context()), image.ID); err != nil {
			t.Errorf("delete the image: %v", err)
		}
	})
	return image.ID
}
