package vmschema

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func TestSettingsComeBackWithAnAdoptedVM(t *testing.T) {
	yes, ten, name := true, "10m", "lan"
	replace := ImageReplace
	m := &VM{
		Source: Source{Image: some("pool/debian"), OnImageChange: &replace},
		Managed: Managed{
			WaitFor:   &WaitFor{Agent: &yes, Network: &name, Timeout: &ten},
			Shutdown:  &Shutdown{Timeout: &ten},
			Lifecycle: Lifecycle{Protected: &yes, RebootTriggers: map[string]string{"kernel": "6.12"}},
		},
	}
	spec := m.Spec()
	spec.Name = "web"
	got := Flatten(&backends.VM{ID: "1", Config: *spec, Power: backends.Running}, backends.Mock, nil)
	if d := cmp.Diff(m.settings(), got.settings()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(m.WaitFor, got.WaitFor); d != "" {
		t.Error(d)
	}
	if got.Image == nil || *got.Image != "pool/debian" {
		t.Errorf("the image is %v", got.Image)
	}
}

func TestSettingsOfAnotherProgramArePassedOver(t *testing.T) {
	text := "not ours"
	got := Flatten(&backends.VM{ID: "1", Config: backends.VMSpec{Name: "web", Settings: &text}}, backends.Mock, nil)
	if got.WaitFor != nil || *got.RestartPolicy != string(backends.RestartWhenRequired) {
		t.Errorf("adopted %+v", got.Lifecycle)
	}
}
