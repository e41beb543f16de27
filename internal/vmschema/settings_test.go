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

func TestSettingsOfACloneComeBack(t *testing.T) {
	yes := true
	m := &VM{
		Origin:  Origin{SourceSnapshot: some("17/before"), OnSourceChange: some(ImageReplace)},
		Managed: Managed{Linked: &yes},
	}
	spec := m.Spec()
	spec.Name = "web-2"
	spec.Linked = false // a driver's answer says nothing of it
	spec.CloudInit = &backends.CloudInit{Hostname: some("web-2"), UserData: some("#cloud-config")}
	got := Flatten(&backends.VM{ID: "1", Config: *spec, Power: backends.Running}, backends.Mock, nil)
	if d := cmp.Diff(m.Origin, got.Origin); d != "" {
		t.Error(d)
	}
	if !value(got.Linked) {
		t.Error("the clone is not linked any more")
	}
	if got.CloudInit != nil {
		t.Errorf("the source's seed is adopted as if it were configured: %+v", got.CloudInit)
	}
	m.CloudInit = &CloudInit{Hostname: some("web-2")}
	spec.Settings = m.settings()
	if got := Flatten(&backends.VM{ID: "1", Config: *spec, Power: backends.Running}, backends.Mock, nil).CloudInit; got == nil || value(got.Hostname) != "web-2" {
		t.Errorf("the clone's own seed is adopted as %+v", got)
	}
}

// Every VM has a console; only one that is configured is a difference when it is
// taken out of the configuration.
func TestConsoleIsAdoptedWhereItWasConfigured(t *testing.T) {
	vm := &backends.VM{ID: "1", Config: backends.VMSpec{Name: "web", Console: &backends.ConsoleSpec{Type: some("vnc"), Address: some("127.0.0.1")}}}
	if got := Flatten(vm, backends.Mock, nil).Console; got != nil {
		t.Errorf("the hypervisor's own console is adopted: %+v", got)
	}
	vm.Config.Settings = (&VM{Managed: Managed{Console: &Console{Type: some("vnc")}}}).settings()
	if got := Flatten(vm, backends.Mock, nil).Console; got == nil || value(got.Type) != "vnc" || value(got.Address) != "127.0.0.1" {
		t.Errorf("the console is adopted as %+v", got)
	}
}
