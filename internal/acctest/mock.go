package acctest

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/machine"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

// Mock is a mock hypervisor that Terraform and the test share: Terraform
// through its provider block, the test behind Terraform's back.
type Mock struct {
	t         testing.TB
	StateFile string
	Backend   *mock.Backend
}

// NewMock makes a mock hypervisor that lives in the test's directory.
func NewMock(t testing.TB) *Mock {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mock.json")
	b, err := mock.New(mock.Options{StateFile: file, SampleData: true})
	if err != nil {
		t.Fatal(err)
	}
	return &Mock{t: t, StateFile: file, Backend: b}
}

// Config is body under a provider block for this mock. Options are further
// lines of its mock object, such as `imitate = "libvirt"`.
func (m *Mock) Config(body string, options ...string) string {
	more := ""
	for _, o := range options {
		more += "\n    " + o
	}
	return fmt.Sprintf(`
provider "virtrigaud" {
  mock = {
    state_file  = %q
    sample_data = true%s
  }
}
%s`, m.StateFile, more, body)
}

// VM reads a VM by its name.
func (m *Mock) VM(name string) *backends.VM {
	m.t.Helper()
	ctx := context.Background()
	id, err := machine.Find(ctx, m.Backend, name)
	if err != nil {
		m.t.Fatal(err)
	}
	vm, err := machine.Get(ctx, m.Backend, id, backends.AspectConfig|backends.AspectRuntime|backends.AspectGuest|backends.AspectSeed)
	if err != nil {
		m.t.Fatal(err)
	}
	return vm
}

// Names are those of all VMs, in their order.
func (m *Mock) Names() []string {
	m.t.Helper()
	all, err := m.Backend.ListVMs(context.Background(), backends.VMFilter{})
	if err != nil {
		m.t.Fatal(err)
	}
	names := make([]string, len(all))
	for i, vm := range all {
		names[i] = vm.Name
	}
	return names
}

// Delete removes a VM behind Terraform's back.
func (m *Mock) Delete(name string) {
	m.t.Helper()
	if err := m.Backend.DeleteVM(context.Background(), m.VM(name).ID, backends.DeleteOptions{}); err != nil {
		m.t.Fatal(err)
	}
}

// Power switches a VM behind Terraform's back.
func (m *Mock) Power(name string, action backends.PowerAction) {
	m.t.Helper()
	if err := m.Backend.SetPower(context.Background(), m.VM(name).ID, action); err != nil {
		m.t.Fatal(err)
	}
}

// Change reconfigures a stopped or running VM behind Terraform's back.
func (m *Mock) Change(name string, change func(*backends.VMSpec)) {
	m.t.Helper()
	vm := m.VM(name)
	from, to := vm.Config, m.VM(name).Config
	change(&to)
	err := m.Backend.Reconfigure(context.Background(), vm.ID, backends.Reconfiguration{
		Desired: &to, Changes: backends.Diff(&from, &to), Mode: backends.Live,
	})
	if err != nil {
		m.t.Fatal(err)
	}
}
