package vm_test

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
)

const pgdata = `
resource "virtrigaud_disk" "pgdata" {
  name     = "pgdata"
  size_gib = 5
}
`

func database(name, more string) string {
	return `
resource "virtrigaud_vm" "` + name + `" {
  name  = "` + name + `"
  disks = { root = { size_gib = 1 }, data = { volume = virtrigaud_disk.pgdata.id } }
  ` + more + `
}`
}

// A disk with a life of its own goes from a VM to its successor in one apply,
// whether that is the same resource or another one, and whichever comes first.
func TestAccVM_diskIsHandedOver(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(pgdata+database("old", "")))
	w.Apply()
	w.EmptyPlan()
	volume := m.VM("old").Disks["data"].VolumeID

	first := m.VM("old").ID
	if out := w.Apply("-replace=virtrigaud_vm.old"); !strings.Contains(out, "1 added, 0 changed, 1 destroyed") {
		t.Errorf("a replacement printed\n%s", out)
	}
	if now := m.VM("old"); now.ID == first || now.Disks["data"].VolumeID != volume {
		t.Errorf("after a replacement the VM is %s with %+v", now.ID, now.Disks["data"])
	}
	w.EmptyPlan()

	// One goes and one comes, side by side; the plan does not call the one in state a stranger.
	w.Write("main.tf", m.Config(pgdata+database("new", "")))
	if found := w.Diagnostics("plan"); len(found) > 0 {
		t.Errorf("a hand-over is warned of: %v", found)
	}
	if out := w.Apply(); !strings.Contains(out, "1 added, 0 changed, 1 destroyed") {
		t.Errorf("a hand-over printed\n%s", out)
	}
	if got := m.VM("new").Disks["data"].VolumeID; got != volume {
		t.Errorf("the successor has disk %s", got)
	}
	w.EmptyPlan()

	// From one VM that stays to another that exists already.
	bare := "\nresource \"virtrigaud_vm\" \"other\" {\n  name  = \"other\"\n  disks = { root = { size_gib = 1 } }\n}"
	w.Write("main.tf", m.Config(pgdata+database("new", "")+bare))
	w.Apply()
	w.Write("main.tf", m.Config(pgdata+strings.ReplaceAll(bare, "other", "new")+database("other", "")))
	if out := w.Apply(); !strings.Contains(out, "0 added, 2 changed, 0 destroyed") {
		t.Errorf("a move printed\n%s", out)
	}
	if got := m.VM("other").Disks["data"].VolumeID; got != volume {
		t.Errorf("the other VM has disk %s", got)
	}
	w.EmptyPlan()
	w.Destroy()
}

// Two VMs cannot have one disk: the error names both.
func TestAccVM_diskOfTwo(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(pgdata+database("first", `timeouts = { create = "4s" }`)+database("second", `timeouts = { create = "4s" }`)))
	var text string
	for _, found := range w.Diagnostics("apply", "-auto-approve") {
		for _, d := range found {
			if d.Severity == "error" {
				text += d.Summary + " " + d.Detail
			}
		}
	}
	if !strings.Contains(text, "first") || !strings.Contains(text, "second") || !strings.Contains(text, "attached to VM") || strings.Count(text, "error code") != 1 {
		t.Errorf("apply said\n%s", text)
	}
	if a, b := contains(m.Names(), "first"), contains(m.Names(), "second"); a == b {
		t.Errorf("the hypervisor has %v", m.Names())
	}
	w.Destroy()
}

// A disk that a VM outside this state has, or that is not there, is told at plan.
func TestAccVM_planKnowsTheDisk(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	elsewhere := workspace(t, m.Config(pgdata+database("holder", "")))
	elsewhere.Apply()
	volume := m.VM("holder").Disks["data"].VolumeID
	w := workspace(t, m.Config(many(map[string]string{
		"taken": `disks = { data = { volume = "` + volume + `" } }`,
		"gone":  `disks = { data = { volume = "fast/nothing" } }`,
	})))
	found := w.Diagnostics("plan")
	expectOne(t, found, "virtrigaud_vm.taken", "warning", `Another VM has this disk.*attached to VM "holder"`)
	expectOne(t, found, "virtrigaud_vm.gone", "warning", `No such disk.*"fast/nothing"`)
	elsewhere.Destroy()
}
