package backendtest

import (
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

var conflictCases = []Case{
	{Name: "conflicts/name", Run: nameConflict},
	{Name: "conflicts/create_token", Run: createToken},
	{Name: "conflicts/rename", Run: renameConflict},
	{
		Name: "conflicts/mac", Needs: []backends.Feature{backends.FeatureNetwork},
		Lacks: lacksNetwork, Run: macConflict,
	},
}

func nameConflict(t *testing.T, e *Env) {
	spec := e.Spec()
	id := e.Create(t, spec)
	err := e.refuseCreate(t, spec, backends.Conflict)
	wantNamed(t, err, spec.Name)
	other := *spec
	other.CreateToken = "another creation"
	e.refuseCreate(t, &other, backends.Conflict)
	e.Matches(t, id, spec) // the first one is untouched
}

// createToken repeats a creation, as after an answer that got lost.
func createToken(t *testing.T, e *Env) {
	spec := e.Spec()
	spec.CreateToken = e.Name()
	id := e.Create(t, spec)
	again, err := e.CreateVM(e.Ctx(t), spec)
	if err != nil || again != id {
		t.Errorf("the repeated creation answered %q, %v; want the VM of the first try, %q", again, err, id)
	}
	if got := e.Named(t, spec.Name); len(got) != 1 {
		t.Errorf("there are %d VMs of the name", len(got))
	}
	stranger := *spec
	stranger.CreateToken = ""
	e.refuseCreate(t, &stranger, backends.Conflict)
}

func renameConflict(t *testing.T, e *Env) {
	taken, spec := e.Spec(), e.Spec()
	e.Create(t, taken)
	id := e.Create(t, spec)
	to := *spec
	to.Name = taken.Name
	WantCode(t, e.TryApply(t, id, &to, backends.Cold), backends.Conflict)
	e.Matches(t, id, spec)
}

func macConflict(t *testing.T, e *Env) {
	first := e.withNIC("lan", backends.NIC{Network: new(e.Seed.Network), MAC: new("52:54:00:aa:bb:cc")})
	e.Create(t, first)
	second := e.withNIC("lan", backends.NIC{Network: new(e.Seed.Network), MAC: new("52:54:00:aa:bb:cc")})
	err := e.refuseCreate(t, second, backends.Conflict)
	wantPath(t, err, `networks["lan"].mac`)
	wantNamed(t, err, first.Name)
}
