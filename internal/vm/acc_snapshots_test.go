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

// What snapshots are in the way of is refused at plan, with their names; other
// changes, and VMs without snapshots, are not, and nobody is asked for them.
func TestAccVM_changesFrozenBySnapshots(t *testing.T) {
	t.Parallel()
	m := acctest.NewMock(t)
	disks := `disks = { root = { size_gib = 2 }, data = { size_gib = 1 } }`
	config := func(name string, lines ...string) string {
		return m.Config(`resource "virtrigaud_vm" "web" {`+"\n  name = \""+name+"\"\n  "+strings.Join(lines, "\n  ")+"\n}", `imitate = "libvirt"`)
	}
	w := workspace(t, config("web", disks))
	w.Apply()
	if _, err := m.Backend.CreateSnapshot(t.Context(), m.VM("web").ID, backends.SnapshotSpec{Name: "by-hand"}); err != nil {
		t.Fatal(err)
	}
	w.Write("main.tf", config("shop", disks))
	expectOne(t, w.Diagnostics("plan"), address, "error", `The VM has snapshots.*unable to set name from web to shop.*by-hand.*Delete them first`)
	w.Write("main.tf", config("web", `disks = { root = { size_gib = 2 } }`))
	expectOne(t, w.Diagnostics("plan"), address, "error", `The VM has snapshots.*remove disks\["data"\].*by-hand`)
	w.Write("main.tf", config("web", disks, `description = "changed"`, `cpu = { cores = 2 }`))
	if found := w.Diagnostics("plan")[address]; len(found) > 1 { // other than that of the restart
		t.Errorf("what snapshots are not in the way of: %v", found)
	}
	w.Apply()
	w.EmptyPlan()
	all, err := m.Backend.ListSnapshots(t.Context(), m.VM("web").ID)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := m.Backend.DeleteSnapshot(t.Context(), m.VM("web").ID, all[0].ID, false); err != nil {
		t.Fatal(err)
	}
	w.Write("main.tf", config("shop", `disks = { root = { size_gib = 2 } }`))
	w.Apply()
	w.EmptyPlan()
}

// What libvirt cannot limit or guarantee is refused where it is asked for.
func TestAccVM_newAttributesOnLibvirt(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ line, want string }{
		"reservation": {`cpu = { reservation_mhz = 100 }`, `cpu\.reservation_mhz.*cpu\.shares`},
		"shares":      {`memory = { shares = 100 }`, `memory\.shares`},
	}
	lines := map[string]string{
		"fine": "watchdog = \"reset\"\n  rng = true\n  console = { type = \"vnc\", port = 5999, password_wo = \"secret12\", password_wo_version = 1 }\n" +
			"  cpu = { limit_mhz = 1000, shares = 100 }\n  memory = { size_mib = 512, max_mib = 1024, hot_add = true }\n" +
			"  disks = { root = { size_gib = 1, iops_limit = 100, throughput_mib = 10 } }\n  networks = { lan = { bandwidth_mbps = 10 } }",
	}
	for name, c := range cases {
		lines[name] = c.line
	}
	m := acctest.NewMock(t)
	w := workspace(t, m.Config(many(lines), `imitate = "libvirt"`))
	found := w.Diagnostics("plan")
	for name, c := range cases {
		expectOne(t, found, "virtrigaud_vm."+name, "error", c.want)
	}
	if d := found["virtrigaud_vm.fine"]; d != nil {
		t.Errorf("a VM that libvirt can run is refused: %v", d)
	}
	w.Write("main.tf", m.Config(many(map[string]string{"fine": lines["fine"]}), `imitate = "libvirt"`))
	w.Apply()
	w.EmptyPlan()
	// Memory grows by modules, the watchdog goes.
	w.Write("main.tf", m.Config(many(map[string]string{"fine": strings.NewReplacer("size_mib = 512", "size_mib = 768", `"reset"`, `""`).Replace(lines["fine"])}), `imitate = "libvirt"`))
	expectOne(t, w.Diagnostics("plan"), "virtrigaud_vm.fine", "warning", `This change restarts the VM.*watchdog`)
	w.Apply()
	w.EmptyPlan()
}
