package backendtest

import (
	"fmt"
	"strconv"
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
	before := 0
	if e.Traits.RealGuest {
		before = e.memTotal(t, id)
	}
	to := backends.VMSpec{Name: from.Config.Name, Memory: backends.Memory{SizeMiB: new(*from.Config.Memory.SizeMiB + e.Traits.HotMemory.StepMiB)}}
	e.Apply(t, id, &to, backends.Live)
	e.InState(t, id, backends.Running)
	if e.Traits.RealGuest {
		e.Eventually(t, "the guest having the memory", func() string {
			if now := e.memTotal(t, id); now < before+32<<10 { // a part of it is the kernel's own
				return fmt.Sprintf("it had %d KiB and has %d", before, now)
			}
			return ""
		})
	}
}

// memTotal is what a real guest's kernel has, in KiB.
func (e *Env) memTotal(t *testing.T, id backends.ID) int {
	t.Helper()
	out := e.sh(t, id, "sed -n 's/^MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo")
	n, err := strconv.Atoi(out)
	if err != nil {
		t.Fatalf("MemTotal: %q", out)
	}
	return n
}

// resources is a way to ask for reservations or limits, as far as they can be had.
func (e *Env) resources(attributes map[string]func(*backends.VMSpec, int64)) func(spec *backends.VMSpec, factor int64) *backends.VMSpec {
	return func(spec *backends.VMSpec, factor int64) *backends.VMSpec {
		to := *spec
		for path, set := range attributes {
			if e.has(path) {
				set(&to, factor)
			}
		}
		return &to
	}
}

func reservations(t *testing.T, e *Env) {
	with := e.resources(map[string]func(*backends.VMSpec, int64){
		"cpu.reservation_mhz":    func(s *backends.VMSpec, n int64) { s.CPU.ReservationMHz = new(100 * n) },
		"cpu.shares":             func(s *backends.VMSpec, n int64) { s.CPU.Shares = new(1000 * n) },
		"memory.reservation_mib": func(s *backends.VMSpec, n int64) { s.Memory.ReservationMiB = new(256 * (n % 2)) }, // all or nothing
		"memory.shares":          func(s *backends.VMSpec, n int64) { s.Memory.Shares = new(1000 * n) },
	})
	assured(t, e, with)
	// More than there is, is refused by the name of the attribute.
	if e.has("cpu.reservation_mhz") {
		greedy := e.With(func(s *backends.VMSpec) { s.CPU.ReservationMHz = new(int64(1) << 40) })
		wantPath(t, e.refuseCreate(t, greedy, backends.Exhausted), "cpu.reservation_mhz")
	}
}

func limits(t *testing.T, e *Env) {
	assured(t, e, e.resources(map[string]func(*backends.VMSpec, int64){
		"cpu.limit_mhz":    func(s *backends.VMSpec, n int64) { s.CPU.LimitMHz = new(1000 * n) },
		"memory.limit_mib": func(s *backends.VMSpec, n int64) { s.Memory.LimitMiB = new(512 * n) },
	}))
}

// assured creates with what with sets, and changes it in each state of the VM.
func assured(t *testing.T, e *Env, with func(*backends.VMSpec, int64) *backends.VMSpec) {
	t.Helper()
	spec := with(e.Spec(), 1)
	id := e.Create(t, spec)
	e.Apply(t, id, with(spec, 2), backends.Cold)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, with(spec, 2))
	e.ApplyAsPlanned(t, id, with(spec, 3))
	e.ApplyAsPlanned(t, id, with(spec, 2))
	e.Power(t, id, backends.PowerOff)
	e.Power(t, id, backends.PowerOn)
	e.Matches(t, id, with(spec, 2))
}
