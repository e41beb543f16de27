package snapshot_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// guest is a VM on a real libvirtd whose disk the test writes to from outside.
type guest struct {
	t   *testing.T
	lab *libvirtlab.Lab
	w   *tfrun.Workspace
}

func (g guest) configure(power string, more ...string) {
	g.w.Write("main.tf", strings.Replace(header, `mock = { state_file = "mock.json" }`, fmt.Sprintf("libvirt = { uri = %q }", g.lab.URI()), 1)+
		strings.Replace(web(`memory = { size_mib = 64 }`, `networks = {}`, `shutdown = { timeout = "1s" }`, fmt.Sprintf("power_state = %q", power)), `"web"
  disks`, `"acc-snap"
  disks`, 1)+strings.Join(more, ""))
}

// disk is the file that the VM writes to now, without any layer above it.
func (g guest) disk() string {
	g.t.Helper()
	for line := range strings.Lines(g.lab.Virsh(g.t, "domblklist", "acc-snap")) {
		if target, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok && target == "vda" {
			return strings.TrimSpace(file)
		}
	}
	g.t.Fatal("the VM has no disk")
	return ""
}

// write and holds look at a stopped VM's disk as its guest would.
func (g guest) write(pattern string) { g.t.Helper(); g.io("write -P " + pattern + " 1M 64k") }

func (g guest) holds(pattern string) bool {
	g.t.Helper()
	return !strings.Contains(g.io("read -P "+pattern+" 1M 64k"), "verification failed")
}

func (g guest) io(command string) string {
	g.t.Helper()
	out, err := g.lab.Exec(g.t.Context(), "qemu-io", "-f", "qcow2", "-c", command, g.disk())
	if err != nil && !strings.Contains(err.Error()+out, "verification failed") {
		g.t.Fatalf("%v\n%s", err, out)
	}
	if err != nil {
		return err.Error() + out
	}
	return out
}

func (g guest) running() bool {
	g.t.Helper()
	return g.lab.Virsh(g.t, "domstate", "acc-snap") == "running"
}

// snapshots are those that virsh knows, sorted.
func (g guest) snapshots() []string {
	g.t.Helper()
	all := strings.Fields(g.lab.Virsh(g.t, "snapshot-list", "acc-snap", "--name"))
	slices.Sort(all)
	return all
}

func TestAccSnapshot_libvirt(t *testing.T) {
	lab := libvirtlab.Shared(t)
	g := guest{t, lab, tfrun.New(t)}
	w := g.w
	g.configure("stopped")
	w.Apply()
	g.write("0xaa")

	// Three of one VM in one apply, in any order.
	three := func(n int, more ...string) string {
		return snap("a", append(more, triggers(n))...) + snap("b") + snap("c", `description = "The last one"`)
	}
	g.configure("stopped", three(1))
	w.Apply()
	w.EmptyPlan()
	if got := g.snapshots(); len(got) != 3 {
		t.Errorf("virsh knows %q", got)
	}
	if n := currents(w); n != 1 {
		t.Errorf("%d snapshots are current", n)
	}

	g.write("0xbb")
	g.configure("stopped", three(2))
	if said := tfrun.Unwrap(w.Must("plan")); !strings.Contains(said, `This change reverts VM "acc-snap"`) || !strings.Contains(said, "0 to add, 1 to change, 0 to destroy") {
		t.Errorf("the plan does not announce the revert:\n%s", said)
	}
	if !g.holds("0xbb") {
		t.Error("the disk does not hold what was written to it")
	}
	w.Apply()
	w.EmptyPlan()
	if !g.holds("0xaa") || g.running() {
		t.Errorf("after the revert the old content is not there, or the VM runs: %t", g.running())
	}
	w.Must("apply", "-refresh-only", "-auto-approve")
	if got := w.Attributes(address)["current"]; got != true {
		t.Errorf("after the revert current is %v", got)
	}
	if n := currents(w); n != 1 {
		t.Errorf("%d snapshots are current", n)
	}

	// Removed by hand: planned again, the others not.
	id := w.Attributes("virtrigaud_snapshot.b")["snapshot_id"].(string)
	lab.Virsh(t, "snapshot-delete", "acc-snap", id, "--metadata")
	if out := w.Must("plan"); !strings.Contains(out, "1 to add, 0 to change, 0 to destroy") {
		t.Errorf("a snapshot that is gone is not planned again:\n%s", out)
	}
	w.Apply()
	w.EmptyPlan()

	// Taken over by an import.
	for _, name := range []string{"acc-snap/c", w.Attributes("virtrigaud_snapshot.c")["id"].(string)} {
		w.Must("state", "rm", "virtrigaud_snapshot.c")
		w.Must("import", "virtrigaud_snapshot.c", name)
		w.EmptyPlan()
	}

	// A description changes in place.
	g.configure("stopped", strings.Replace(three(2), "The last one", "The very last one", 1))
	if out := w.Apply(); !strings.Contains(out, "0 added, 1 changed, 0 destroyed") {
		t.Errorf("another description is not an update in place:\n%s", out)
	}
	w.EmptyPlan()
	if text := lab.Virsh(t, "snapshot-dumpxml", "acc-snap", w.Attributes("virtrigaud_snapshot.c")["snapshot_id"].(string)); !strings.Contains(text, "The very last one") {
		t.Errorf("virsh does not show the description:\n%s", text)
	}

	// Without one of them, then without any.
	g.configure("stopped", three(2, `revert_power_state = "running"`))
	w.Apply()
	w.EmptyPlan()
	g.configure("stopped", snap("a", triggers(2))+snap("c", `description = "The last one"`))
	w.Apply()
	w.EmptyPlan()
	g.configure("stopped")
	w.Apply()
	w.EmptyPlan()
	if !g.holds("0xaa") {
		t.Error("without snapshots the content is another one")
	}
	if got := g.snapshots(); len(got) != 0 {
		t.Errorf("virsh still knows %q", got)
	}
	w.Destroy()
	g.nothingLeft()
}

// A VM that runs: with memory and without, and errors that say what is in the way.
func TestAccSnapshot_libvirtRunning(t *testing.T) {
	lab := libvirtlab.Shared(t)
	g := guest{t, lab, tfrun.New(t)}
	w := g.w
	memory := func(n int) string { return snap("a", "memory = true", triggers(n)) }
	g.configure("running", memory(1))
	w.Apply()
	w.EmptyPlan()
	if got := w.Attributes(address); got["memory"] != true || got["size_bytes"] == nil || got["created_at"] == nil {
		t.Errorf("the snapshot is %v", got)
	}
	g.configure("running", memory(2))
	w.Apply()
	w.EmptyPlan()
	if !g.running() {
		t.Error("after the revert the VM does not run")
	}
	g.configure("running", memory(2), snap("q", "quiesce = true"))
	w.Fails([]string{`snapshot "q"`, `VM "acc-snap"`, "quiesce = true", "agent"}, "apply", "-auto-approve")
	if got := g.snapshots(); len(got) != 1 || !g.running() {
		t.Errorf("after the refusal virsh knows %q, and the VM runs: %t", got, g.running())
	}
	// A VM goes with its snapshots.
	g.configure("running", memory(2))
	w.EmptyPlan()
	w.Destroy()
	g.nothingLeft()
}

// currents counts the snapshots in state that are current.
func currents(w *tfrun.Workspace) (n int) {
	w.Must("apply", "-refresh-only", "-auto-approve")
	for _, address := range w.State() {
		if strings.Contains(address, "virtrigaud_snapshot") && w.Attributes(address)["current"] == true {
			n++
		}
	}
	return n
}

func (g guest) nothingLeft() {
	g.t.Helper()
	for _, name := range append(g.lab.Volumes(g.t, libvirtlab.Pool), g.lab.Domains(g.t)...) {
		if strings.Contains(name, "acc-snap") {
			g.t.Errorf("%q is left behind", name)
		}
	}
}
