package disk_test

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/acctest"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/tfrun"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// On vSphere: a disk with a life of its own is attached to a VM that runs, handed to the VM's successor in one
// apply with its content, adopted by an import, and kept when its VM goes.
func TestAccDisk_vsphere(t *testing.T) {
	t.Parallel()
	s := acctest.NewVSphere(t, vcsim.Options{})
	w := tfrun.New(t)
	requirement, _, _ := strings.Cut(header, "provider \"virtrigaud\" {")
	configure := func(lines, more string) {
		w.Write("main.tf", requirement+s.Config(data("name = \"data\"\n"+lines)+more))
	}
	configure("size_gib = 1", vm("db", "db-1"))
	w.Apply()
	w.EmptyPlan()
	made := w.Attributes(address)
	if err := s.WriteDisk("db-1", second(t, s, "db-1"), 1<<20, []byte("what must remain")); err != nil {
		t.Fatal(err)
	}
	configure("size_gib = 1", vm("next", "db-2"))
	if out := w.Apply(); !strings.Contains(out, "1 added, 0 changed, 1 destroyed") {
		t.Errorf("apply printed\n%s", out)
	}
	w.EmptyPlan()
	if got, err := s.ReadDisk("db-2", second(t, s, "db-2"), 1<<20, 16); err != nil || string(got) != "what must remain" {
		t.Errorf("the disk holds %q (%v)", got, err)
	}
	w.Must("state", "rm", address)
	w.Must("import", address, made["id"].(string))
	w.EmptyPlan()
	w.Destroy()
	s.AssertEmpty()
}

// second is the device key of a VM's second disk.
func second(t *testing.T, s *acctest.VSphere, name string) int32 {
	t.Helper()
	first := true
	for _, d := range s.Machine(name).Config.Hardware.Device {
		if disk, ok := d.(*types.VirtualDisk); ok {
			if !first {
				return disk.Key
			}
			first = false
		}
	}
	t.Fatalf("%s has no second disk", name)
	return 0
}
