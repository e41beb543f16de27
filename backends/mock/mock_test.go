package mock_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/middleware"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

func open(t *testing.T, o mock.Options) *mock.Backend {
	t.Helper()
	b, err := mock.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return b
}

// faults lets the suite make the mock fail.
type faults struct {
	t *testing.T
	b *mock.Backend
}

func (f *faults) Fail(method, vm string, code backends.Code, n int) {
	f.t.Helper()
	if err := f.b.Inject(mock.Fault{Operation: method, Name: vm, Code: code, Count: n}); err != nil {
		f.t.Fatal(err)
	}
}

func harness(t *testing.T, o mock.Options) backendtest.Harness {
	o.SampleData = true
	inject := &faults{t: t}
	h := backendtest.Harness{
		New: func(t *testing.T) backends.Backend {
			inject.b = open(t, o)
			return inject.b
		},
		Seed: backendtest.Seed{
			Network: "lan", SecondNetwork: "dmz", BridgeNetwork: "bridge:vmbr0", VLANNetwork: "vmbr0", DistributedNetwork: "dvs-prod",
			StaticIPv4: "10.20.0.55/16", StaticGateway: "10.20.0.1",
			Storage: "default", SecondStorage: "fast", Template: "debian-12-template",
			Host: "mock-01", SecondHost: "mock-02", ResourcePool: "production", Folder: "vm/web",
			StoragePolicy: "bronze", LibraryItem: "shared/debian-12",
			HostDevices: []backends.HostDevice{{PCI: "0000:65:00.0"}, {VGPU: "grid_p40-2q"}},
		},
		BootImage: func(*testing.T, backends.Backend) string { return "default/debian-12" },
		Faults:    inject,
	}
	if o.Imitate == backends.Proxmox {
		h.Seed.Pool, h.Seed.ResourcePool = "production", ""
		h.Seed.HostDevices = []backends.HostDevice{{Mapping: "gpu"}}
	}
	return h
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]mock.Options{
		"memory":            {},
		"state file":        {StateFile: filepath.Join(t.TempDir(), "state.json")},
		"latency":           {Latency: time.Millisecond, Jitter: time.Millisecond, Seed: 7},
		"imitating libvirt": {Imitate: backends.Libvirt},
		"imitating vsphere": {Imitate: backends.VSphere},
		"imitating proxmox": {Imitate: backends.Proxmox},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backendtest.Run(t, harness(t, o))
		})
	}
}

// TestConformanceWrapped holds the middleware to the same rules: whoever calls
// through it must see no difference.
func TestConformanceWrapped(t *testing.T) {
	t.Parallel()
	h := harness(t, mock.Options{})
	bare := h.New
	h.New = func(t *testing.T) backends.Backend {
		return middleware.Wrap(bare(t), middleware.Options{MaxParallel: 4, ReadTimeout: time.Minute})
	}
	h.Faults = nil // the retries would hide them
	backendtest.Run(t, h)
}
