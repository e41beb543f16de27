package vsphere

import (
	"bytes"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// onHost opens the driver on a stand-alone ESXi that has an image.
func onHost(t *testing.T, content []byte) (*Backend, *vcsim.Server, backends.Image) {
	t.Helper()
	b, s := onSimulator(t, vcsim.Options{ESXi: true})
	image, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "debian", Kind: "disk"}, imageSource(content, "raw"))
	if err != nil {
		t.Fatal(err)
	}
	return b, s, image
}

// ofImage is a VM called "web" whose disk "root" is made of an image.
func ofImage(image backends.Image, root backends.Disk) *backends.VMSpec {
	return &backends.VMSpec{
		Name: "web", Image: image.ID, CreateToken: "a token",
		CPU: backends.CPU{Cores: new(int64(1))}, Memory: backends.Memory{SizeMiB: new(int64(256))},
		Disks: map[string]backends.Disk{rootKey: root, "data": {SizeGiB: new(int64(1))}},
	}
}

// filesOf lists the files on all datastores that are the VM "web"'s, or of a copy for it.
func filesOf(t *testing.T, b *Backend) []string {
	t.Helper()
	x, err := b.inv.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, o := range x.Objects(inventory.Datastore) {
		d := datastore.New(b.conn, x, o)
		for _, dir := range []string{"", "web", "web_1", ourFolder} {
			files, err := d.List(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if strings.HasPrefix(f.Name, "web") && !f.Folder {
					all = append(all, d.Path(path.Join(dir, f.Name)))
				}
			}
		}
	}
	return all
}

// noWeb fails where anything is left of the VM "web".
func noWeb(t *testing.T, b *Backend) {
	t.Helper()
	all, err := b.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, vm := range all {
		if vm.Name == "web" {
			t.Errorf("the VM is left, with the id %s", vm.ID)
		}
	}
	if left := filesOf(t, b); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// A VM of an image has the image's content on a disk of its own, of the size and kind that is asked for, wherever that is,
// and takes it along when it goes.
func TestDeployDisk(t *testing.T) {
	content := noise(3<<20 + 512)
	b, s, image := onHost(t, content)
	for name, tt := range map[string]struct {
		root         backends.Disk
		size         int64
		provisioning string
		bus          string
	}{
		"nothing said":      {backends.Disk{}, gib, "thin", "scsi"},
		"larger":            {backends.Disk{SizeGiB: new(int64(2))}, 2 * gib, "thin", "scsi"},
		"thick":             {backends.Disk{SizeGiB: new(int64(2)), Provisioning: new("thick")}, 2 * gib, "thick", "scsi"},
		"eager_zeroed":      {backends.Disk{SizeGiB: new(int64(2)), Provisioning: new("eager_zeroed")}, 2 * gib, "eager_zeroed", "scsi"},
		"another datastore": {backends.Disk{SizeGiB: new(int64(2)), Storage: &s.Seed.Datastores[1]}, 2 * gib, "thin", "scsi"},
		"nvme":              {backends.Disk{SizeGiB: new(int64(1)), Bus: new("nvme"), Slot: new("1:3")}, gib, "thin", "nvme"},
		"ide":               {backends.Disk{SizeGiB: new(int64(1)), Bus: new("ide")}, gib, "thin", "ide"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := ofImage(image, tt.root)
			if name == "another datastore" {
				spec.Placement.Storage = &s.Seed.Datastores[0]
			}
			id, err := b.CreateVM(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.GetVMs(t.Context(), []backends.ID{id}, backends.AspectConfig)
			if err != nil || got[id].Err != nil {
				t.Fatal(err, got[id].Err)
			}
			vm := got[id].VM
			root, status := vm.Config.Disks[rootKey], vm.Disks[rootKey]
			if status.SizeBytes != tt.size || !status.Owned || value(root.Provisioning) != tt.provisioning || value(root.Bus) != tt.bus {
				t.Errorf("root is %+v, %d bytes of %s on %s", status, status.SizeBytes, value(root.Provisioning), value(root.Bus))
			}
			if want := tt.root.Storage; want != nil && value(root.Storage) != *want || tt.root.Slot != nil && value(root.Slot) != *tt.root.Slot {
				t.Errorf("root is on %s at %s", value(root.Storage), value(root.Slot))
			}
			if v, err := b.GetDisk(t.Context(), status.VolumeID); err != nil || (*v.Disk.Provisioning == "thin") != (tt.provisioning == "thin") {
				t.Errorf("the file is %+v (%v)", v.Disk, err)
			}
			m, err := b.machine(t.Context(), id, "")
			if err != nil {
				t.Fatal(err)
			}
			is, err := s.ReadDisk("web", m.diskDevices()[rootKey].Key, 0, len(content))
			if err != nil || !bytes.Equal(is, content) {
				t.Errorf("the disk holds something else than the image (%v)", err)
			}
			if err := b.SetPower(t.Context(), id, backends.PowerOn); err != nil {
				t.Error(err)
			}
			if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			noWeb(t, b)
		})
	}
	if im, err := b.GetImage(t.Context(), image.ID); err != nil || im.SizeBytes != image.SizeBytes {
		t.Errorf("the image is %+v (%v)", im, err)
	}
}

// What an image cannot become is refused with the attribute, before anything is made.
func TestDeployDiskRefused(t *testing.T) {
	b, s, image := onHost(t, noise(1<<20))
	big, err := b.ImportImage(t.Context(), backends.ImageSpec{Name: "big", Kind: "disk"}, imageSource(noise(1<<20), "raw"))
	if err == nil {
		err = b.ResizeDisk(t.Context(), big.ID, 3)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spec *backends.VMSpec
		code backends.Code
		path backends.Path
	}{
		"too small": {ofImage(big, backends.Disk{SizeGiB: new(int64(2))}), backends.Invalid, `disks["root"].size_gib`},
		"a volume":  {ofImage(image, backends.Disk{Volume: new("[datastore1] x.vmdk")}), backends.Invalid, `disks["root"].volume`},
		"linked":    {func() *backends.VMSpec { v := ofImage(image, backends.Disk{}); v.Linked = true; return v }(), backends.Unsupported, "linked"},
		"no image":  {ofImage(backends.Image{ID: "[datastore1] no-such.vmdk"}, backends.Disk{}), backends.NotFound, "image"},
		"no room":   {ofImage(image, backends.Disk{SizeGiB: new(int64(600)), Storage: &s.Seed.Datastores[0]}), backends.Exhausted, `disks["root"].storage`},
	} {
		t.Run(name, func(t *testing.T) {
			s.ResetCalls()
			id, err := b.CreateVM(t.Context(), tt.spec)
			var e *backends.Error
			if id != "" || !errors.As(err, &e) || e.Code != tt.code || e.Path != tt.path {
				t.Errorf("%q and %v at %v, want %s at %s", id, err, e, tt.code, tt.path)
			}
			if calls := s.Calls(); calls["CreateVM_Task"]+calls["CopyVirtualDisk_Task"]+calls["MakeDirectory"] > 0 {
				t.Errorf("calls were made: %v", calls)
			}
			noWeb(t, b)
		})
	}
}

// deploySteps are the tasks that make a VM of an image until it has its disk.
var deploySteps = []string{"CreateVM_Task", "CopyVirtualDisk_Task", "ExtendVirtualDisk_Task", "ReconfigVM_Task"}

// Whatever fails, nothing stays, and the error names the VM and the image.
func TestDeployDiskFails(t *testing.T) {
	b, s, image := onHost(t, noise(1<<20))
	for _, store := range s.Seed.Datastores {
		for _, step := range deploySteps {
			t.Run(step+" on "+store, func(t *testing.T) {
				s.FailTask(step, "", &types.NoDiskSpace{Datastore: store}, 1)
				spec := ofImage(image, backends.Disk{SizeGiB: new(int64(1)), Storage: &store})
				spec.Placement.Storage = &s.Seed.Datastores[0]
				id, err := b.CreateVM(t.Context(), spec)
				if id != "" || backends.CodeOf(err) != backends.Exhausted || !strings.Contains(err.Error(), `create VM "web"`) {
					t.Errorf("%q and %v", id, err)
				}
				noWeb(t, b)
			})
		}
	}
}

// An interrupt at any step ends it soon, and nothing stays.
func TestDeployDiskInterrupted(t *testing.T) {
	b, s, image := onHost(t, noise(1<<20))
	s.SetTaskTime(50 * time.Millisecond)
	for n := range deploySteps {
		t.Run(deploySteps[n], func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tasks := map[string]bool{}
			began := time.Now()
			id, err := b.CreateVM(backends.WithProgress(ctx, func(p backends.Progress) {
				tasks[p.Task] = true
				if len(tasks) > n {
					cancel()
				}
			}), ofImage(image, backends.Disk{SizeGiB: new(int64(1))}))
			if id != "" || backends.CodeOf(err) != backends.Canceled || time.Since(began) > 5*time.Second {
				t.Errorf("after %s: %q and %v", time.Since(began), id, err)
			}
			noWeb(t, b)
		})
	}
}

// What could not be removed is told by its id, and goes with what comes next: a deletion, or the next try of the same creation.
func TestDeployDiskLeft(t *testing.T) {
	b, s, image := onHost(t, noise(1<<20))
	for _, store := range s.Seed.Datastores {
		for name, then := range map[string]func(*testing.T, backends.ID, *backends.VMSpec){
			"deleted": func(t *testing.T, id backends.ID, _ *backends.VMSpec) {
				if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
					t.Error(err)
				}
			},
			"tried again": func(t *testing.T, id backends.ID, spec *backends.VMSpec) {
				again, err := b.CreateVM(t.Context(), spec)
				if err != nil || again == id {
					t.Fatalf("%q and %v", again, err)
				}
				if err := b.DeleteVM(t.Context(), again, backends.DeleteOptions{}); err != nil {
					t.Error(err)
				}
			},
		} {
			t.Run(name+" on "+store, func(t *testing.T) {
				spec := ofImage(image, backends.Disk{SizeGiB: new(int64(1)), Storage: &store})
				spec.Placement.Storage = &s.Seed.Datastores[0]
				s.FailTask("ExtendVirtualDisk_Task", "", &types.NoDiskSpace{}, 1)
				s.FailTask("DeleteVirtualDisk_Task", "", &types.CannotDeleteFile{}, 1)
				id, err := b.CreateVM(t.Context(), spec)
				if id == "" || backends.CodeOf(err) != backends.Exhausted || !strings.Contains(err.Error(), "left behind") || len(filesOf(t, b)) == 0 {
					t.Fatalf("%q and %v", id, err)
				}
				then(t, id, spec)
				noWeb(t, b)
			})
		}
	}
}

// A VM of an image costs few calls.
func TestDeployDiskCalls(t *testing.T) {
	b, s, image := onHost(t, noise(1<<20))
	if _, err := b.ListImages(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	s.ResetCalls()
	if _, err := b.CreateVM(t.Context(), ofImage(image, backends.Disk{SizeGiB: new(int64(1))})); err != nil {
		t.Fatal(err)
	}
	if n := s.TotalCalls(); n > 20 {
		t.Errorf("%d calls: %v", n, s.Calls())
	}
}

// Snapshots and kept disks are what they are of any disk, also where the copy of the image is on a datastore of its own.
func TestDeployDiskSnapshots(t *testing.T) {
	content := noise(1 << 20)
	b, s, image := onHost(t, content)
	for _, store := range s.Seed.Datastores {
		t.Run(store, func(t *testing.T) {
			spec := ofImage(image, backends.Disk{SizeGiB: new(int64(1)), Storage: &store})
			spec.Placement.Storage = &s.Seed.Datastores[0]
			id, err := b.CreateVM(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.CreateSnapshot(t.Context(), id, backends.SnapshotSpec{Name: "one"}); err != nil {
				t.Fatal(err)
			}
			got, err := b.GetVMs(t.Context(), []backends.ID{id}, backends.AspectConfig)
			if err != nil || got[id].VM.Disks[rootKey].Backing != "" || !got[id].VM.Disks[rootKey].Owned {
				t.Errorf("beside the snapshot root is %+v (%v)", got[id].VM.Disks[rootKey], err)
			}
			kept := got[id].VM.Disks[rootKey].VolumeID
			if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{KeepDisks: []string{rootKey}}); err != nil {
				t.Fatal(err)
			}
			if left := filesOf(t, b); !slices.Contains(left, kept) {
				t.Errorf("%q is not among what is left, %q", kept, left)
			}
			if id, err = b.CreateVM(t.Context(), spec); err != nil { // nothing is in its way
				t.Fatal(err)
			}
			if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
				t.Error(err)
			}
			if err := b.DeleteDisk(t.Context(), kept); err != nil {
				t.Error(err)
			}
			noWeb(t, b)
		})
	}
}
