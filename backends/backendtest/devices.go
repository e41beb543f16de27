package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var deviceCases = []Case{
	{
		Name:   "devices/watchdog",
		Proves: []backends.Feature{backends.FeatureWatchdog},
		Run:    watchdog,
	},
	{
		Name:   "devices/rng",
		Proves: []backends.Feature{backends.FeatureRNG},
		Run:    rng,
	},
	{
		Name:   "devices/guest",
		Proves: []backends.Feature{backends.FeatureRNG},
		Lacks:  lacksRealGuest, Run: guestDevices,
	},
	{
		Name:   "devices/disk_limits",
		Proves: []backends.Feature{backends.FeatureDiskLimits},
		Run:    diskLimits,
	},
	{
		Name:   "devices/network_limits",
		Proves: []backends.Feature{backends.FeatureNetworkLimits},
		Lacks:  lacksNetwork, Run: networkLimits,
	},
}

// watchdog asks for each value, and then for no device.
func watchdog(t *testing.T, e *Env) {
	values := e.Catalogue.Accepts["watchdog"]
	if len(values) == 0 {
		values = []string{"reset", "poweroff", "pause", "none"}
	}
	spec := e.Spec()
	id := e.Create(t, spec)
	for _, value := range append(values, "reset", "") {
		to := *spec
		to.Watchdog = &value
		e.Apply(t, id, &to, backends.Cold)
		e.Power(t, id, backends.PowerOn)
		e.Matches(t, id, &to)
		e.Power(t, id, backends.PowerOff)
	}
	if w := e.Read(t, id, all).Config.Watchdog; w != nil && *w != "" {
		t.Errorf("the watchdog that was taken away is %q", *w)
	}
	made := e.With(func(s *backends.VMSpec) { s.Watchdog = &values[0] })
	e.Power(t, e.Create(t, made), backends.PowerOn)
	err := e.refuseCreate(t, e.With(func(s *backends.VMSpec) { s.Watchdog = new("bark") }), backends.Invalid)
	wantPath(t, err, "watchdog")
}

func rng(t *testing.T, e *Env) {
	spec := e.With(func(s *backends.VMSpec) { s.RNG = new(true) })
	id := e.Create(t, spec)
	e.Power(t, id, backends.PowerOn)
	to := *spec
	to.RNG = new(false)
	e.ApplyAsPlanned(t, id, &to)
	e.ApplyAsPlanned(t, id, spec)
}

// guestDevices looks for the devices from inside.
func guestDevices(t *testing.T, e *Env) {
	spec := e.guestSpec(t)
	spec.RNG = new(true)
	id := e.Create(t, spec)
	e.bootGuest(t, id)
	// A virtio device of type 4 gives random numbers, whether or not its driver is there.
	if got := e.sh(t, id, "grep -l 0x1005 /sys/bus/pci/devices/*/device /sys/bus/pci/devices/*/subsystem_device 2>/dev/null; "+
		"grep -l 0x1044 /sys/bus/pci/devices/*/device 2>/dev/null; true"); got == "" {
		t.Error("the guest sees no device for random numbers")
	}
}

func diskLimits(t *testing.T, e *Env) {
	limited := func(spec *backends.VMSpec, iops, mib int64) *backends.VMSpec {
		d := spec.Disks["data"]
		d.SizeGiB = new(int64(1))
		if e.has("disks.iops_limit") {
			d.IOPSLimit = &iops
		}
		if e.has("disks.throughput_mib") {
			d.ThroughputMiB = &mib
		}
		return withDisk(spec, "data", d)
	}
	spec := limited(e.Spec(), 500, 20)
	id := e.Create(t, spec)
	e.Apply(t, id, limited(spec, 600, 20), backends.Cold)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, limited(spec, 600, 20))
	e.ApplyAsPlanned(t, id, limited(spec, 600, 30))
	e.ApplyAsPlanned(t, id, limited(spec, 0, 0))
	if d := e.Read(t, id, all).Config.Disks["data"]; value(d.IOPSLimit) != 0 || value(d.ThroughputMiB) != 0 {
		t.Errorf("the limits that were taken away are %v and %v", d.IOPSLimit, d.ThroughputMiB)
	}
	e.ApplyAsPlanned(t, id, limited(spec, 700, 0)) // and again, of one kind
	e.Power(t, id, backends.PowerOff)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, limited(spec, 700, 0))
}

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func networkLimits(t *testing.T, e *Env) {
	limited := func(spec *backends.VMSpec, mbps int64) *backends.VMSpec {
		n := spec.Networks["lan"]
		n.BandwidthMbps = &mbps
		return withNICs(spec, map[string]backends.NIC{"lan": n})
	}
	spec := limited(e.withNIC("lan", backends.NIC{Network: new(e.Seed.LimitedNetwork)}), 100)
	id := e.Create(t, spec)
	mac := e.Read(t, id, all).Networks["lan"].MAC
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, spec)
	e.ApplyAsPlanned(t, id, limited(spec, 50))
	e.ApplyAsPlanned(t, id, limited(spec, 0))
	vm := e.Read(t, id, all)
	if value(vm.Config.Networks["lan"].BandwidthMbps) != 0 || vm.Networks["lan"].MAC != mac {
		t.Errorf("the interface is %+v with MAC %s, want no limit and MAC %s", vm.Config.Networks["lan"], vm.Networks["lan"].MAC, mac)
	}
}
