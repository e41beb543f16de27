package disk_test

import (
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
)

// On Proxmox VE: a disk with a life of its own is attached to a VM that runs, grows there, is handed to the VM's successor in one
// apply with its content, adopted by an import, and is still there when no VM is.
func TestAccDisk_proxmox(t *testing.T) {
	t.Parallel()
	s := acctest.NewProxmox(t, pvesim.Options{})
	w := tfrun.New(t)
	requirement, _, _ := strings.Cut(header, "provider \"virtrigaud\" {")
	configure := func(size, more string) {
		w.Write("main.tf", requirement+s.Config(data("name = \"data\"\nstorage = \"local-lvm\"\nsize_gib = "+size)+more))
	}
	configure("1", "")
	w.Apply()
	made := w.Attributes(address)
	id, _ := made["id"].(string)
	configure("1", vm("db", "db-1"))
	w.Apply()
	w.EmptyPlan()
	if err := s.WriteVolume("", lasting(t, s, "db-1"), 1<<20, []byte("what must remain")); err != nil {
		t.Fatal(err)
	}

	configure("2", vm("next", "db-2"))
	if out := w.Apply(); !strings.Contains(out, "1 added, 1 changed, 1 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	if got, err := s.ReadVolume("", lasting(t, s, "db-2"), 1<<20, 16); err != nil || string(got) != "what must remain" {
		t.Errorf("the disk holds %q (%v)", got, err)
	}
	if _, err := s.ReadVolume("", lasting(t, s, "db-2"), 2<<30-1, 1); err != nil {
		t.Errorf("the disk did not grow: %v", err)
	}
	w.Must("state", "rm", address)
	w.Must("import", address, id)
	w.EmptyPlan()

	configure("2", "")
	w.Apply()
	w.EmptyPlan()
	if left := s.Volumes("", "local-lvm"); len(left) != 1 || w.Attributes(address)["id"] != id {
		t.Errorf("without a VM there are the volumes %v, and the disk is %v", left, w.Attributes(address))
	}
	w.Destroy()
	s.AssertEmpty()
}

// lasting is the volume of the disk with a life of its own in a VM.
func lasting(t *testing.T, s *acctest.Proxmox, name string) string {
	t.Helper()
	config := s.Hardware(name)
	for _, slot := range []string{"scsi0", "scsi1"} {
		if volume, _, _ := strings.Cut(config[slot], ","); strings.HasPrefix(volume, "local-lvm:") {
			return volume
		}
	}
	t.Fatalf("%s has no disk on local-lvm: %v", name, config)
	return ""
}
