package conformance

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
)

func TestMain(m *testing.M) { os.Exit(libvirtlab.Main(m)) }

// TestConformance holds the driver to its catalogue on a real libvirtd with real
// QEMU guests, and to leaving nothing behind.
func TestConformance(t *testing.T) {
	l := libvirtlab.Start(t)
	l.DirPool(t, "second")
	l.UseOVS(t)
	t.Cleanup(func() { l.AssertEmpty(t) })
	connect := func(t *testing.T) backends.Backend {
		b, err := libvirt.Open(t.Context(), libvirt.Config{Config: conn.Config{URI: l.URI()}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	backendtest.Run(t, backendtest.Harness{
		New: connect,
		Seed: backendtest.Seed{
			Network:       libvirtlab.Network,
			SecondNetwork: libvirtlab.StaticNetwork,
			BridgeNetwork: "bridge:" + libvirtlab.Bridge,
			VLANNetwork:   "ovs",
			// The kernel of the tests may lack the queueing disciplines that bound other ones.
			LimitedNetwork: "ovs",
			StaticIPv4:     "192.168.150.5/24",
			StaticGateway:  "192.168.150.1",
			Storage:        libvirtlab.Pool,
			SecondStorage:  "second",
			Template:       makeTemplate(t, connect(t)),
		},
		BootImage: func(t *testing.T, b backends.Backend) string { return importTiny(t, l, b) },
		Traits:    backendtest.Traits{RealGuest: true, Slow: true},
		Timeout:   3 * time.Minute,
	})
}

// importTiny brings the image of the quick guest into the lab's pool.
func importTiny(t *testing.T, l *libvirtlab.Lab, b backends.Backend) string {
	t.Helper()
	path := l.TinyImage(t)
	image, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "tiny.qcow2", Kind: "disk"}, backends.ImageSource{
		Open: func(context.Context) (*backends.Content, error) {
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			info, err := f.Stat()
			if err != nil {
				return nil, err
			}
			return &backends.Content{Reader: f, Format: "qcow2", Size: info.Size(), VirtualSize: -1}, nil
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

// makeTemplate makes a template as a team has one before its first plan.
func makeTemplate(t *testing.T, b backends.Backend) string {
	t.Helper()
	one := int64(1)
	memory, network := int64(256), libvirtlab.Network
	id, err := b.CreateVM(t.Context(), &backends.VMSpec{
		Name: "golden-source", CPU: backends.CPU{Cores: &one}, Memory: backends.Memory{SizeMiB: &memory},
		Disks:    map[string]backends.Disk{"root": {SizeGiB: &one}},
		Networks: map[string]backends.NIC{"lan": {Network: &network}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const name = "golden"
	image, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: name, Kind: "template"}, backends.ImageSource{VM: id})
	if err == nil {
		err = b.DeleteVM(t.Context(), id, backends.DeleteOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.DeleteImage(context.WithoutCancel(t.Context()), image.ID); err != nil {
			t.Errorf("delete the template: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return name
}
