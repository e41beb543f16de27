package vsphere

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// onSimulator opens the driver on a simulated vSphere of its own.
func onSimulator(t testing.TB, o vcsim.Options) (*Backend, *vcsim.Server) {
	t.Helper()
	s := vcsim.Start(t, o)
	d := inventory.Defaults{Datastore: s.Seed.Datastores[0], Network: s.Seed.Network}
	if !o.ESXi {
		d.Datacenter, d.Cluster = s.Seed.Datacenter, s.Seed.Clusters[0]
	}
	b, err := open(t.Context(), Config{
		Config:   conn.Config{Endpoint: s.Endpoint(), Username: s.Username(), Password: s.Password(), CACertificate: s.CACertificate()},
		Defaults: d,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b, s
}

// holes is a disk of some MiB with data here and there.
func holes(size int) []byte {
	p := make([]byte, size)
	r := rand.New(rand.NewSource(1))
	for at := 0; at < size; at += 1 << 20 {
		r.Read(p[at:min(at+3000, size)])
	}
	return p
}

func imageSource(p []byte, format string) backends.ImageSource {
	return backends.ImageSource{Open: func(context.Context) (*backends.Content, error) {
		size := int64(len(p))
		return &backends.Content{Reader: io.NopCloser(bytes.NewReader(p)), Format: format, Size: size, VirtualSize: size}, nil
	}}
}

func TestImageOfADisk(t *testing.T) {
	for _, esxi := range []bool{false, true} {
		t.Run(map[bool]string{false: "vCenter", true: "ESXi"}[esxi], func(t *testing.T) {
			b, s := onSimulator(t, vcsim.Options{ESXi: esxi})
			disk := holes(5<<20 + 512)
			spec := backends.ImageSpec{Name: "debian", Kind: "disk", Fingerprint: "sha256:1234 size=5243392"}
			s.ResetCalls()
			im, err := b.ImportImage(t.Context(), spec, imageSource(disk, "raw"))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d calls: %v", s.TotalCalls(), s.Calls())
			if im.Name != "debian" || im.Kind != "disk" || im.Format != "vmdk" || im.SizeBytes != 6<<20 || im.Storage != s.Seed.Datastores[0] || im.Cached {
				t.Errorf("the image is %+v", im)
			}
			got, err := b.GetImage(t.Context(), im.ID)
			if err != nil || got != im {
				t.Errorf("it reads back as %+v (%v), want %+v", got, err, im)
			}
			all, err := b.ListImages(t.Context(), s.Seed.Datastores[0])
			if err != nil || !contains(all, im) {
				t.Errorf("it is not listed: %+v (%v)", all, err)
			}
			again, err := b.ImportImage(t.Context(), spec, backends.ImageSource{Open: unopened(t)})
			if err != nil || again.ID != im.ID || !again.Cached {
				t.Errorf("the same once more is %+v (%v)", again, err)
			}
			spec.Name = "debian-too"
			twin, err := b.ImportImage(t.Context(), spec, backends.ImageSource{Open: unopened(t)})
			if err != nil || twin.ID == im.ID || !twin.Cached || twin.Name != spec.Name || twin.Fingerprint != spec.Fingerprint {
				t.Errorf("the same under another name is %+v (%v)", twin, err)
			}
			for _, img := range []backends.Image{im, twin} {
				if err := b.DeleteImage(t.Context(), img.ID); err != nil {
					t.Errorf("DeleteImage: %v", err)
				}
				if _, err := b.GetImage(t.Context(), img.ID); backends.CodeOf(err) != backends.NotFound {
					t.Errorf("after its deletion: %v", err)
				}
			}
			nothingLeft(t, b)
		})
	}
}

func contains(all []backends.Image, im backends.Image) bool {
	for _, i := range all {
		if i == im {
			return true
		}
	}
	return false
}

func unopened(t *testing.T) func(context.Context) (*backends.Content, error) {
	return func(context.Context) (*backends.Content, error) {
		t.Error("the content was transferred")
		return nil, errors.New("not to be opened")
	}
}

// nothingLeft fails where an import left a VM or a file of ours.
func nothingLeft(t *testing.T, b *Backend) {
	t.Helper()
	all, err := b.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, vm := range all {
		if strings.HasPrefix(vm.Name, "debian") {
			t.Errorf("the VM %q is left", vm.Name)
		}
	}
	x, err := b.inv.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range x.Objects(inventory.Datastore) {
		for _, dir := range []string{ourFolder, imageFolder, "debian", "debian-too"} {
			d, err := b.storeNamed(t.Context(), o.Name)
			if err != nil {
				continue // another datacenter's
			}
			files, err := d.List(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if !f.Folder {
					t.Errorf("%s of %s is left", f.Name, d.Path(dir))
				}
			}
		}
	}
}

// A raw image that is compressed tells its size only at its end.
func TestImageOfUnknownSize(t *testing.T) {
	b, _ := onSimulator(t, vcsim.Options{})
	opened := 0
	im, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, backends.ImageSource{
		Open: func(context.Context) (*backends.Content, error) {
			opened++
			return &backends.Content{Reader: io.NopCloser(iotest.HalfReader(bytes.NewReader(holes(3 << 20)))), Format: "raw", Size: -1, VirtualSize: -1}, nil
		},
	})
	if err != nil || im.SizeBytes != 3<<20 || opened != 2 {
		t.Errorf("it became %+v after %d reads (%v)", im, opened, err)
	}
}
