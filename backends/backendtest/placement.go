package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var (
	lacksHost       = lacks("Host", func(s *Seed) string { return s.Host })
	lacksSecondHost = lacks("SecondHost", func(s *Seed) string { return s.SecondHost })
)

var placementCases = []Case{
	{
		Name: "placement/host", Proves: []backends.Feature{backends.FeatureHostPlacement},
		Lacks: lacksHost, Run: onHost,
	},
	{
		Name: "placement/migrate", Proves: []backends.Feature{backends.FeatureMigration},
		Needs: []backends.Feature{backends.FeatureHostPlacement},
		Lacks: either(lacksHost, lacksSecondHost), Run: migrate,
	},
	{
		Name: "placement/resource_pool", Proves: []backends.Feature{backends.FeatureResourcePools},
		Lacks: lacks("ResourcePool", func(s *Seed) string { return s.ResourcePool }),
		Run: func(t *testing.T, e *Env) {
			e.placed(t, "placement.resource_pool", e.Seed.ResourcePool, func(p *backends.PlacementSpec, v string) { p.ResourcePool = &v })
		},
	},
	{
		Name: "placement/pool", Proves: []backends.Feature{backends.FeatureResourcePools},
		Lacks: lacks("Pool", func(s *Seed) string { return s.Pool }),
		Run: func(t *testing.T, e *Env) {
			e.placed(t, "placement.pool", e.Seed.Pool, func(p *backends.PlacementSpec, v string) { p.Pool = &v })
		},
	},
	{
		Name: "placement/folder", Proves: []backends.Feature{backends.FeatureFolders},
		Lacks: lacks("Folder", func(s *Seed) string { return s.Folder }),
		Run: func(t *testing.T, e *Env) {
			e.placed(t, "placement.folder", e.Seed.Folder, func(p *backends.PlacementSpec, v string) { p.Folder = &v })
		},
	},
}

func onHost(t *testing.T, e *Env) {
	hosts, err := e.Hosts(e.Ctx(t))
	if err != nil {
		t.Fatalf("Hosts: %v", err)
	}
	found := false
	for _, h := range hosts {
		found = found || h.Name == e.Seed.Host && h.Online && h.CPUs > 0 && h.MemoryMiB > 0
	}
	if !found {
		t.Errorf("the inventory has no host %q that is online: %+v", e.Seed.Host, hosts)
	}
	e.placed(t, "placement.host", e.Seed.Host, func(p *backends.PlacementSpec, v string) { p.Host = &v })

	id := e.Create(t, e.With(func(s *backends.VMSpec) { s.Placement.Host = new(e.Seed.Host) }))
	e.Power(t, id, backends.PowerOn)
	vm := e.Read(t, id, all)
	if vm.Host != e.Seed.Host {
		t.Errorf("the VM is on %q, want %q", vm.Host, e.Seed.Host)
	}
	list, err := e.ListVMs(e.Ctx(t), backends.VMFilter{Names: []string{vm.Config.Name}, Host: e.Seed.Host})
	if err != nil || len(list) != 1 || list[0].Host != e.Seed.Host {
		t.Errorf("ListVMs by host finds %+v (%v)", list, err)
	}
}

// placed makes a VM in a place that exists, and is refused one that does not.
func (e *Env) placed(t *testing.T, path backends.Path, where string, set func(*backends.PlacementSpec, string)) {
	t.Helper()
	spec := e.Spec()
	set(&spec.Placement, where)
	if err := e.CheckPlacement(e.Ctx(t), spec.Placement); err != nil {
		t.Errorf("CheckPlacement of a place that there is: %v", err)
	}
	e.Create(t, spec)
	missing := e.Spec()
	set(&missing.Placement, "no-such-place")
	wantPath(t, WantCode(t, e.CheckPlacement(e.Ctx(t), missing.Placement), backends.NotFound), path)
	err := e.refuseCreate(t, missing, backends.NotFound)
	wantPath(t, err, path)
	wantNamed(t, err, "no-such-place")
}

func migrate(t *testing.T, e *Env) {
	id := e.Create(t, e.With(func(s *backends.VMSpec) { s.Placement.Host = new(e.Seed.Host) }))
	e.Power(t, id, backends.PowerOn)
	for _, host := range []string{e.Seed.SecondHost, e.Seed.SecondHost, e.Seed.Host} {
		if err := e.Migrate(e.Ctx(t), id, backends.PlacementSpec{Host: &host}); err != nil {
			t.Fatalf("Migrate to %s: %v", host, err)
		}
		vm := e.Read(t, id, all)
		if vm.Host != host || vm.Power != backends.Running {
			t.Errorf("after the migration the VM is %s on %q, want running on %q", vm.Power, vm.Host, host)
		}
	}
	err := WantCode(t, e.Migrate(e.Ctx(t), id, backends.PlacementSpec{Host: new("no-such-host")}), backends.NotFound)
	wantPath(t, err, "placement.host")
	e.InState(t, id, backends.Running)
}
