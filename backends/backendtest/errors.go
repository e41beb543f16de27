package backendtest

import (
	"errors"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var errorCases = []Case{
	{Name: "errors/info", Run: info},
	{Name: "errors/invalid_values", Run: invalidValues},
	{Name: "errors/values_not_taken", Run: valuesNotTaken},
	{Name: "errors/lacking_attributes", Run: lackingAttributes},
	{
		Name: "errors/injected", Run: injected,
		Lacks: func(h *Harness) string {
			if h.Faults == nil {
				return "Faults"
			}
			return ""
		},
	},
}

func info(t *testing.T, e *Env) {
	first, err := e.Info(e.Ctx(t))
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	if first.Backend == "" || first.Product == "" || first.Version == "" || first.Endpoint == "" {
		t.Errorf("Info leaves something empty: backend %q, product %q, version %q, endpoint %q",
			first.Backend, first.Product, first.Version, first.Endpoint)
	}
	if first.Catalogue.Backend != first.Backend {
		t.Errorf("the catalogue is of %q, the backend %q", first.Catalogue.Backend, first.Backend)
	}
	for _, f := range backends.Features() {
		if _, ok := first.Catalogue.Support[f.ID]; !ok {
			t.Errorf("the catalogue does not mention %s", f.ID)
		}
	}
}

func invalidValues(t *testing.T, e *Env) {
	for name, tt := range map[string]struct {
		edit func(*backends.VMSpec)
		path backends.Path
	}{
		"a disk of nothing": {
			func(s *backends.VMSpec) { s.Disks["root"] = backends.Disk{SizeGiB: new(int64(0))} },
			`disks["root"].size_gib`,
		},
		"a bus that is none": {
			func(s *backends.VMSpec) {
				s.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Bus: new("carrier-pigeon")}
			},
			`disks["root"].bus`,
		},
		"a firmware that is none": {
			func(s *backends.VMSpec) { s.Firmware = new("coreboot-42") },
			"firmware",
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantPath(t, e.refuseCreate(t, e.With(tt.edit), backends.Invalid), tt.path)
		})
	}
}

// valuesNotTaken asks for what no list of the catalogue has.
func valuesNotTaken(t *testing.T, e *Env) {
	for path, edit := range map[string]func(*backends.VMSpec){
		"disks.format": func(s *backends.VMSpec) {
			s.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Format: new("floppy")}
		},
		"disks.cache": func(s *backends.VMSpec) {
			s.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Cache: new("psychic")}
		},
		"networks.model":        func(s *backends.VMSpec) { s.Networks = map[string]backends.NIC{"lan": {Model: new("token-ring")}} },
		"cloud_init.datasource": func(s *backends.VMSpec) { s.CloudInit = &backends.CloudInit{Datasource: new("telegraph")} },
	} {
		if _, limited := e.Catalogue.Accepts[path]; !limited {
			continue
		}
		t.Run(path, func(t *testing.T) {
			e.refuseCreate(t, e.With(edit), backends.Invalid)
		})
	}
}

// lackingAttributes asks for each attribute that the catalogue says cannot be had
// although its feature can: the plan and the driver refuse it by its path.
func lackingAttributes(t *testing.T, e *Env) {
	one := func() *int64 { return new(int64(1)) }
	probes := map[string]func(*backends.VMSpec){
		"cpu.model":               func(s *backends.VMSpec) { s.CPU.Model = new("host-model") },
		"cpu.hot_add":             func(s *backends.VMSpec) { s.CPU.HotAdd = new(true) },
		"cpu.affinity":            func(s *backends.VMSpec) { s.CPU.Affinity = new("0") },
		"cpu.reservation_mhz":     func(s *backends.VMSpec) { s.CPU.ReservationMHz = one() },
		"cpu.limit_mhz":           func(s *backends.VMSpec) { s.CPU.LimitMHz = new(int64(1000)) },
		"cpu.shares":              func(s *backends.VMSpec) { s.CPU.Shares = new(int64(1000)) },
		"memory.hot_add":          func(s *backends.VMSpec) { s.Memory.HotAdd = new(true) },
		"memory.reservation_mib":  func(s *backends.VMSpec) { s.Memory.ReservationMiB = new(int64(256)) },
		"memory.limit_mib":        func(s *backends.VMSpec) { s.Memory.LimitMiB = new(int64(512)) },
		"memory.shares":           func(s *backends.VMSpec) { s.Memory.Shares = new(int64(1000)) },
		"memory.ballooning":       func(s *backends.VMSpec) { s.Memory.Ballooning = new(true) },
		"disks.iops_limit":        withSecondDisk(backends.Disk{SizeGiB: one(), IOPSLimit: new(int64(100))}),
		"disks.throughput_mib":    withSecondDisk(backends.Disk{SizeGiB: one(), ThroughputMiB: new(int64(10))}),
		"disks.iothread":          withSecondDisk(backends.Disk{SizeGiB: one(), IOThread: new(true)}),
		"disks.ssd":               withSecondDisk(backends.Disk{SizeGiB: one(), SSD: new(true)}),
		"disks.cache":             withSecondDisk(backends.Disk{SizeGiB: one(), Cache: new("none")}),
		"disks.discard":           withSecondDisk(backends.Disk{SizeGiB: one(), Discard: new(true)}),
		"placement.pool":          func(s *backends.VMSpec) { s.Placement.Pool = new("pool") },
		"placement.resource_pool": func(s *backends.VMSpec) { s.Placement.ResourcePool = new("pool") },
		"placement.cluster":       func(s *backends.VMSpec) { s.Placement.Cluster = new("cluster") },
		"host_devices.vgpu":       withHostDevice(backends.HostDevice{VGPU: "grid"}),
		"host_devices.mapping":    withHostDevice(backends.HostDevice{Mapping: "gpu"}),
		"host_devices.usb":        withHostDevice(backends.HostDevice{USB: "046d:c52b"}),
		"vsphere.custom_attributes": func(s *backends.VMSpec) {
			s.VSphere = &backends.VSphereOptions{CustomAttributes: map[string]string{"owner": "x"}}
		},
		"networks.mtu":    withNIC(backends.NIC{MTU: new(int64(1400))}),
		"console.address": func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Address: new("127.0.0.1")} },
		"console.port":    func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{Port: new(int64(5901))} },
		"console.tls":     func(s *backends.VMSpec) { s.Console = &backends.ConsoleSpec{TLS: new(true)} },
		"customization.windows": func(s *backends.VMSpec) {
			s.Customization = &backends.Customization{Hostname: "x", Windows: &backends.WindowsCustomization{Organization: "x"}}
		},
		"console.password_wo_version": func(s *backends.VMSpec) {
			s.Console = &backends.ConsoleSpec{Password: new("x"), PasswordVersion: one()}
		},
	}
	for path, why := range e.Catalogue.Lacks {
		t.Run(path, func(t *testing.T) {
			edit, ok := probes[path]
			if !ok {
				t.Fatalf("the suite has no probe that asks for %s (%s)", path, why)
			}
			err := e.refuseCreate(t, e.With(edit), backends.Unsupported, backends.Invalid)
			if err.Path.Generic() != path {
				t.Errorf("the error blames %s: %v", err.Path, err)
			}
			wantNamed(t, err, why)
		})
	}
}

func withHostDevice(d backends.HostDevice) func(*backends.VMSpec) {
	return func(s *backends.VMSpec) { s.HostDevices = map[string]backends.HostDevice{"device": d} }
}

// injected checks that a fault arrives as its code, wherever it strikes, and
// that the next try succeeds.
func injected(t *testing.T, e *Env) {
	for _, code := range []backends.Code{
		backends.Locked, backends.Transient, backends.Auth, backends.Exhausted, backends.Internal,
	} {
		t.Run(string(code), func(t *testing.T) {
			spec := e.Spec()
			e.Faults.Fail("CreateVM", spec.Name, code, 1)
			e.refuseCreate(t, spec, code)
			id := e.Create(t, spec)

			e.Faults.Fail("SetPower", spec.Name, code, 1)
			err := WantCode(t, e.SetPower(e.Ctx(t), id, backends.PowerOn), code)
			wantNamed(t, err, spec.Name)
			e.InState(t, id, backends.Stopped)
			e.Power(t, id, backends.PowerOn)

			e.Faults.Fail("DeleteVM", spec.Name, code, 1)
			WantCode(t, e.DeleteVM(e.Ctx(t), id, backends.DeleteOptions{}), code)
			e.InState(t, id, backends.Running)

			e.Faults.Fail("GetVMs", spec.Name, code, 1)
			other := e.Create(t, e.Spec())
			got, err2 := e.GetVMs(e.Ctx(t), []backends.ID{id, other}, all)
			if err2 != nil {
				WantCode(t, err2, code)
				return
			}
			WantCode(t, got[id].Err, code)
			if got[other].Err != nil || errors.Is(got[id].Err, backends.ErrNotFound) {
				t.Errorf("one VM that cannot be read: %v, the other: %v", got[id].Err, got[other].Err)
			}
		})
	}
}
