package disk_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/libvirtlab"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

func onLibvirt(lab *libvirtlab.Lab, body string) string {
	return strings.Replace(header, `mock = { state_file = "mock.json" }`, fmt.Sprintf("libvirt = { uri = %q }", lab.URI()), 1) + body
}

// The life of a disk on a real libvirtd: made, attached to a VM that runs, grown
// under it, kept with its content when the VM is replaced, imported, deleted.
func TestAccDisk_libvirt(t *testing.T) {
	lab := libvirtlab.Shared(t)
	w := tfrun.New(t)
	const machine = `
resource "virtrigaud_vm" "db" {
  name        = "acc-disk-vm"
  memory      = { size_mib = 64 }
  disks       = { root = { size_gib = 1 }, data = { volume = virtrigaud_disk.data.id } }
  networks    = {}
  power_state = "running"
  shutdown    = { timeout = "1s" }
}
`
	configure := func(disk, vm string) { w.Write("main.tf", onLibvirt(lab, data(disk)+vm)) }
	configure("name = \"acc-disk\"\nsize_gib = 1\nformat = \"raw\"", "")
	w.Apply()
	w.EmptyPlan()
	made := w.Attributes(address)
	if made["id"] != "default/acc-disk" || made["storage"] != "default" || made["provisioning"] != "thin" || made["attached_to"] != nil {
		t.Errorf("got %v", made)
	}
	file, content := made["path"].(string), []byte("what must remain")
	if filepath.Dir(file) != filepath.Join(lab.Dir, "pool") {
		t.Fatalf("the disk is in %s", file)
	}
	stamp(t, file, content)

	configure("name = \"acc-disk\"\nsize_gib = 1\nformat = \"raw\"", machine)
	w.Apply()
	w.EmptyPlan()
	vm := w.Attributes("virtrigaud_vm.db")
	if got := w.Attributes(address)["attached_to"]; got != nil && got != vm["id"] {
		t.Errorf("the disk is attached to %v, the VM is %v", got, vm["id"])
	}

	// Under a VM that runs, and goes on running.
	began := lab.Virsh(t, "domid", "acc-disk-vm")
	configure("name = \"acc-disk\"\nsize_gib = 2\nformat = \"raw\"", machine)
	w.Apply()
	w.EmptyPlan()
	if now := lab.Virsh(t, "domid", "acc-disk-vm"); now != began {
		t.Error("the VM was restarted")
	}
	if info := lab.Virsh(t, "domblkinfo", "acc-disk-vm", file); !strings.Contains(info, fmt.Sprint(2<<30)) {
		t.Errorf("QEMU sees another size:\n%s", info)
	}
	if got := w.Attributes(address)["attached_to"]; got != vm["id"] {
		t.Errorf("the disk is attached to %v, the VM is %v", got, vm["id"])
	}

	w.Apply("-replace=virtrigaud_vm.db")
	w.EmptyPlan()
	if now := w.Attributes("virtrigaud_vm.db")["id"]; now == vm["id"] {
		t.Error("the VM was not replaced")
	}
	holds(t, file, content)

	w.Must("state", "rm", address)
	w.Must("import", address, "default/acc-disk")
	w.EmptyPlan()

	configure("name = \"acc-disk\"\nsize_gib = 2\nformat = \"raw\"", "")
	w.Apply()
	w.EmptyPlan()
	holds(t, file, content)

	// Removed by hand: planned again.
	lab.Virsh(t, "vol-delete", "--pool", "default", "acc-disk")
	if out := w.Must("plan"); !strings.Contains(out, "1 to add, 0 to change, 0 to destroy") {
		t.Errorf("a disk that is gone is not planned again:\n%s", out)
	}
	w.Destroy()
	noVolume(t, lab)
}

// What a disk was made with is found again by an import, and what cannot be made
// leaves nothing.
func TestAccDisk_libvirtKinds(t *testing.T) {
	lab := libvirtlab.Shared(t)
	for _, kind := range []string{
		"",
		"format = \"qcow2\"\nprovisioning = \"thin\"",
		"format = \"qcow2\"\nprovisioning = \"thick\"",
		"format = \"raw\"\nprovisioning = \"thick\"",
		"format = \"raw\"\nprovisioning = \"thin\"",
	} {
		w := tfrun.New(t)
		w.Write("main.tf", onLibvirt(lab, data("name = \"acc-disk\"\nsize_gib = 1\n"+kind)))
		w.Apply()
		w.EmptyPlan()
		before := w.Attributes(address)
		w.Must("state", "rm", address)
		w.Must("import", address, "default/acc-disk")
		w.EmptyPlan()
		after := w.Attributes(address)
		for _, name := range []string{"name", "size_gib", "storage", "format", "provisioning", "path"} {
			if before[name] != after[name] {
				t.Errorf("%q: %s is %v after the import, was %v", kind, name, after[name], before[name])
			}
		}
		w.Destroy()
	}
	w := tfrun.New(t)
	w.Write("main.tf", onLibvirt(lab, data("name = \"acc-disk\"\nsize_gib = 900000\nformat = \"raw\"\nprovisioning = \"thick\"")))
	w.Fails([]string{`Unable to create disk "acc-disk"`, "size_gib = 900000", "error code: exhausted"}, "apply", "-auto-approve")
	if left := w.State(); len(left) > 0 {
		t.Errorf("the state has %v", left)
	}

	// An import cannot know how a disk was made that has grown: the configuration does.
	config := onLibvirt(lab, data("name = \"acc-disk\"\nsize_gib = 1\nformat = \"qcow2\"\nprovisioning = \"thick\""))
	w.Write("main.tf", config)
	w.Apply()
	config = strings.Replace(config, "size_gib = 1", "size_gib = 2", 1)
	w.Write("main.tf", config)
	w.Apply()
	w.EmptyPlan()
	w.Must("state", "rm", address)
	w.Must("import", address, "default/acc-disk")
	if said := tfrun.Unwrap(w.Must("plan")); !strings.Contains(said, "0 to add, 1 to change, 0 to destroy") || !strings.Contains(said, "The disk stays as it is") {
		t.Errorf("the plan is not to believe the configuration:\n%s", said)
	}
	w.Apply()
	w.EmptyPlan()
	w.Write("main.tf", strings.Replace(config, `"thick"`, `"thin"`, 1))
	if said := tfrun.Unwrap(w.Must("plan")); !strings.Contains(said, "must be replaced") {
		t.Errorf("another provisioning is not another disk:\n%s", said)
	}
	w.Destroy()
	noVolume(t, lab)
}

// stamp writes into a disk's second MiB, where no boot sector would be looked for.
func stamp(t *testing.T, file string, content []byte) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(content, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, file string, content []byte) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	got := make([]byte, len(content))
	if _, err := f.ReadAt(got, 1<<20); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the disk holds %q, %v", got, err)
	}
}

func noVolume(t *testing.T, lab *libvirtlab.Lab) {
	t.Helper()
	for _, name := range lab.Volumes(t, libvirtlab.Pool) {
		if strings.Contains(name, "acc-disk") {
			t.Errorf("volume %q is left behind", name)
		}
	}
}
