package vsphere

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func volumeAsked(name, provisioning string) backends.DiskSpec {
	return backends.DiskSpec{Name: name, Disk: backends.Disk{SizeGiB: new(int64(1)), Provisioning: &provisioning}}
}

func TestVolumes(t *testing.T) {
	for _, esxi := range []bool{false, true} {
		t.Run(map[bool]string{false: "vCenter", true: "ESXi"}[esxi], func(t *testing.T) {
			b, s := onSimulator(t, vcsim.Options{ESXi: esxi})
			for _, provisioning := range []string{"thin", "thick", "eager_zeroed"} {
				v, err := b.CreateDisk(t.Context(), volumeAsked("data-"+provisioning, provisioning))
				if err != nil {
					t.Fatal(err)
				}
				want := "[" + s.Seed.Datastores[0] + "] virtrigaud/data-" + provisioning + ".vmdk"
				if v.ID != want || *v.Disk.SizeGiB != 1 || *v.Disk.Provisioning != provisioning || v.AttachedTo != "" {
					t.Errorf("the disk is %+v", v)
				}
				s.ResetCalls()
				got, err := b.GetDisk(t.Context(), v.ID)
				if err != nil || got.ID != v.ID || got.Name != v.Name || *got.Disk.SizeGiB != 1 || *got.Disk.Storage != s.Seed.Datastores[0] ||
					(*got.Disk.Provisioning == "thin") != (provisioning == "thin") {
					t.Errorf("it reads back as %+v (%v)", got, err)
				}
				if n := s.TotalCalls(); n > 5 {
					t.Errorf("reading it took %d calls: %v", n, s.Calls())
				}
			}
			id := "[" + s.Seed.Datastores[0] + "] virtrigaud/data-thin.vmdk"
			if _, err := b.CreateDisk(t.Context(), volumeAsked("data-thin", "thin")); backends.CodeOf(err) != backends.Conflict || !strings.Contains(err.Error(), "data-thin") {
				t.Errorf("a name that is taken: %v", err)
			}
			if err := b.ResizeDisk(t.Context(), id, 3); err != nil {
				t.Errorf("ResizeDisk: %v", err)
			}
			if err := b.ResizeDisk(t.Context(), id, 3); err != nil {
				t.Errorf("ResizeDisk to the size that it has: %v", err)
			}
			if err := b.ResizeDisk(t.Context(), id, 2); backends.CodeOf(err) != backends.Invalid {
				t.Errorf("ResizeDisk to less: %v", err)
			}

			attach(t, s, "web", id)
			if err := s.PowerOn("web"); err != nil {
				t.Fatal(err)
			}
			got, err := b.GetDisk(t.Context(), id)
			if err != nil || *got.Disk.SizeGiB != 3 || got.AttachedTo == "" || *got.Disk.Provisioning != "thin" {
				t.Errorf("attached it is %+v of %d GiB, %s (%v)", got, *got.Disk.SizeGiB, *got.Disk.Provisioning, err)
			}
			if err := b.DeleteDisk(t.Context(), id); backends.CodeOf(err) != backends.Precondition || !strings.Contains(err.Error(), `VM "web"`) {
				t.Errorf("DeleteDisk of an attached one: %v", err)
			}
			if err := b.ResizeDisk(t.Context(), id, 5); err != nil {
				t.Errorf("ResizeDisk while its VM runs: %v", err)
			}
			if got, err := b.GetDisk(t.Context(), id); err != nil || *got.Disk.SizeGiB != 5 {
				t.Errorf("grown it is %+v (%v)", got, err)
			}
			detach(t, s, "web", id)
			for _, provisioning := range []string{"thin", "thick", "eager_zeroed"} {
				if err := b.DeleteDisk(t.Context(), "["+s.Seed.Datastores[0]+"] virtrigaud/data-"+provisioning+".vmdk"); err != nil {
					t.Errorf("DeleteDisk: %v", err)
				}
			}
			if _, err := b.GetDisk(t.Context(), id); backends.CodeOf(err) != backends.NotFound {
				t.Errorf("after its deletion: %v", err)
			}
			nothingLeft(t, b)
		})
	}
}

func TestVolumesRefused(t *testing.T) {
	b, s := onSimulator(t, vcsim.Options{})
	missing := "no-such-datastore"
	raw := "raw"
	for name, tt := range map[string]struct {
		spec backends.DiskSpec
		code backends.Code
		path backends.Path
	}{
		"no size":      {backends.DiskSpec{Name: "x"}, backends.Invalid, "size_gib"},
		"name":         {volumeAsked("a/b", "thin"), backends.Invalid, "name"},
		"provisioning": {volumeAsked("x", "fat"), backends.Invalid, "provisioning"},
		"format":       {backends.DiskSpec{Name: "x", Disk: backends.Disk{SizeGiB: new(int64(1)), Format: &raw}}, backends.Unsupported, "format"},
		"no datastore": {backends.DiskSpec{Name: "x", Disk: backends.Disk{SizeGiB: new(int64(1)), Storage: &missing}}, backends.NotFound, "storage"},
		"too large":    {backends.DiskSpec{Name: "x", Disk: backends.Disk{SizeGiB: new(int64(50000)), Provisioning: new("thick")}}, backends.Exhausted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.CreateDisk(t.Context(), tt.spec)
			e, _ := err.(*backends.Error) //nolint:errorlint // what drivers return
			if e == nil || e.Code != tt.code || tt.path != "" && e.Path != tt.path {
				t.Errorf("error %#v: %v; want %s at %s", e, err, tt.code, tt.path)
			}
		})
	}
	// What vSphere cannot show now is not gone.
	if _, err := b.GetDisk(t.Context(), "[no-such-datastore] virtrigaud/x.vmdk"); backends.CodeOf(err) != backends.Precondition {
		t.Errorf("a datastore that is not there: %v", err)
	}
	s.Fail("CreateVirtualDisk_Task", "", &types.NoDiskSpace{Datastore: "datastore1"}, 1)
	if _, err := b.CreateDisk(t.Context(), volumeAsked("x", "thin")); backends.CodeOf(err) != backends.Exhausted {
		t.Errorf("a full datastore: %v", err)
	}
	nothingLeft(t, b)
}

// A disk that only a snapshot knows is not deleted.
func TestVolumeInASnapshot(t *testing.T) {
	b, s := onSimulator(t, vcsim.Options{})
	v, err := b.CreateDisk(t.Context(), volumeAsked("data", "thin"))
	if err != nil {
		t.Fatal(err)
	}
	attach(t, s, "web", v.ID)
	vm, err := s.VM("web")
	if err != nil {
		t.Fatal(err)
	}
	task, err := vm.CreateSnapshot(t.Context(), "before", "", false, false)
	if err == nil {
		err = task.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ResizeDisk(t.Context(), v.ID, 9); backends.CodeOf(err) != backends.Precondition {
		t.Errorf("ResizeDisk below a snapshot: %v", err)
	}
	detach(t, s, "web", "")
	if err := b.DeleteDisk(t.Context(), v.ID); backends.CodeOf(err) != backends.Precondition || !strings.Contains(err.Error(), "snapshot") {
		t.Errorf("DeleteDisk: %v", err)
	}
}
