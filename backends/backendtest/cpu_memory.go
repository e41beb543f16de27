package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var cpuMemoryCases = []Case{
	{
		Name:   "cpu_memory/topology",
		Proves: []backends.Feature{backends.FeatureCPU, backends.FeatureMemory},
		Run:    topology,
	},
	{
		Name:   "cpu_memory/hot_cpu_add",
		Proves: []backends.Feature{backends.FeatureHotCPUAdd},
		Lacks:  lacksGuest,
		Run:    hotCPUAdd,
	},
	{
		Name:   "cpu_memory/hot_memory_add",
		Proves: []backends.Feature{backends.FeatureHotMemoryAdd},
		Lacks:  lacksGuest,
		Run:    hotMemoryAdd,
	},
	{
		Name:   "cpu_memory/reservations",
		Proves: []backends.Feature{backends.FeatureReservations},
		Run:    reservations,
	},
	{
		Name:   "cpu_memory/limits",
		Proves: []backends.Feature{backends.FeatureLimits},
		Run:    limits,
	},
	{
		Name:   "cpu_memory/nested_virtualization",
		Proves: []backends.Feature{backends.FeatureNestedVirt},
		Run: func(t *testing.T, e *Env) {
			spec := e.With(func(s *backends.VMSpec) { s.NestedVirtualization = new(true) })
			id := e.Create(t, spec)
			off := *spec
			off.NestedVirtualization = new(false)
			e.Apply(t, id, &off, backends.Cold)
		},
	},
}

func topology(t *testing.T, e *Env) {
	spec := e.With(func(s *backends.VMSpec) {
		s.CPU = backends.CPU{Cores: new(int64(2)), Sockets: new(int64(1)), Threads: new(int64(1))}
		s.Memory = backends.Memory{SizeMiB: new(int64(256))}
	})
	id := e.Create(t, spec)
	to := *spec
	to.CPU = backends.CPU{Cores: new(int64(1)), Sockets: new(int64(2)), Threads: new(int64(1))}
	to.Memory = backends.Memory{SizeMiB: new(int64(320))}
	e.Apply(t, id, &to, backends.Cold)
	e.Power(t, id, backends.PowerOn) // the hypervisor takes the topology
	e.Matches(t, id, &to)
	e.Power(t, id, backends.PowerOff)
	// Less of everything, while the VM is stopped, is fine.
	to.CPU.Sockets, to.Memory.SizeMiB = new(int64(1)), new(int64(256))
	e.Apply(t, id, &to, backends.Cold)
	if got := e.Read(t, id, all).Config.CPU.VCPUs(); got != 1 {
		t.Errorf("%d vCPUs, want 1", got)
	}
}

// hotCPUAdd raises the processors of the shared guest, whose kernel plays along.
func hotCPUAdd(t *testing.T, e *Env) {
	id := e.Guest(t)
	from := e.Read(t, id, all)
	to := backends.VMSpec{Name: from.Config.Name, CPU: backends.CPU{Cores: new(int64(2))}}
	changes := backends.Diff(&from.Config, &to)
	if len(changes) == 0 {
		t.Fatal("the shared guest has 2 cores already")
	}
	if im := e.Catalogue.ImpactOf(&from.Config, &to, changes[0]); im.Effect != backends.EffectLive {
		t.Fatalf("the catalogue claims hot CPU add, but says of 1 to 2 cores: %s", im.Reason)
	}
	e.Apply(t, id, &to, backends.Live)
	e.InState(t, id, backends.Running)
}

func hotMemoryAdd(t *testing.T, e *Env) {
	id := e.Guest(t)
	from := e.Read(t, id, all)
	to := backends.VMSpec{Name: from.Config.Name, Memory: backends.Memory{SizeMiB: new(*from.Config.Memory.SizeMiB + 64)}}
	e.Apply(t, id, &to, backends.Live)
	e.InState(t, id, backends.Running)
}

func reservations(t *testing.T, e *Env) {
	spec := e.With(func(s *backends.VMSpec) {
		s.CPU.ReservationMHz, s.CPU.Shares = new(int64(100)), new(int64(2000))
		s.Memory.ReservationMiB, s.Memory.Shares = new(int64(64)), new(int64(1000))
	})
	id := e.Create(t, spec)
	to := *spec
	to.CPU.ReservationMHz, to.Memory.ReservationMiB = new(int64(200)), new(int64(128))
	e.Apply(t, id, &to, backends.Cold)

	// More than there is, is refused by the name of the attribute.
	greedy := e.With(func(s *backends.VMSpec) { s.CPU.ReservationMHz = new(int64(1) << 40) })
	wantPath(t, e.refuseCreate(t, greedy, backends.Exhausted), "cpu.reservation_mhz")
}

func limits(t *testing.T, e *Env) {
	spec := e.With(func(s *backends.VMSpec) {
		s.CPU.LimitMHz, s.Memory.LimitMiB = new(int64(1000)), new(int64(512))
	})
	id := e.Create(t, spec)
	to := *spec
	to.CPU.LimitMHz, to.Memory.LimitMiB = new(int64(2000)), new(int64(1024))
	e.Apply(t, id, &to, backends.Cold)
}
