package vm_test

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

const snapshotOfWeb = `
resource "virtrigaud_snapshot" "before" {
  vm_id = virtrigaud_vm.web.id
  name  = "managed"
}`

// What a VM's destruction takes with it is said at plan, other than what is in
// the plan itself.
func TestAccVM_destroysSnapshots(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	image := "image = \"default/debian-12\"\n  disks = { root = {} }\n  on_image_change = \"replace\""
	w := workspace(t, m.Config(web(image)+snapshotOfWeb))
	w.Apply()
	if found := w.Diagnostics("plan", "-destroy"); len(found) > 0 {
		t.Errorf("the VM's own snapshots: %v", found)
	}
	if _, err := m.Backend.CreateSnapshot(t.Context(), m.VM("web").ID, backends.SnapshotSpec{Name: "by-hand"}); err != nil {
		t.Fatal(err)
	}
	w.EmptyPlan()
	expectOne(t, w.Diagnostics("plan", "-destroy"), address, "warning",
		`Snapshots go with the VM.*"web" has snapshots that are not in this state: by-hand\.`)
	w.Write("main.tf", m.Config(web(strings.ReplaceAll(image, "debian-12", "ubuntu-24.04"))+snapshotOfWeb))
	expectOne(t, w.Diagnostics("plan"), address, "warning", `Snapshots go with the VM.*"web" has snapshots: managed, by-hand\..*replaced`)
	// Nobody is asked where nobody answers: a destruction is not held up by it.
	w.Write("main.tf", m.Config(web(image)+snapshotOfWeb, `faults = [{ operation = "ListSnapshots", skip = 1, code = "auth" }]`))
	if found := w.Diagnostics("plan", "-destroy", "-refresh=false")[address]; len(found) > 1 {
		t.Errorf("what cannot be known: %v", found)
	}
	w.Write("main.tf", m.Config(""))
	w.Apply()
	if contains(m.Names(), "web") {
		t.Error("the VM is still there")
	}
}
