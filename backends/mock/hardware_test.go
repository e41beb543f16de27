package mock_test

import (
	"errors"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

// wantAt fails unless err has a code and blames the attribute at path.
func wantAt(t *testing.T, err error, code backends.Code, path backends.Path, words ...string) {
	t.Helper()
	wantCode(t, err, code, words...)
	if e := new(backends.Error); !errors.As(err, &e) || e.Path != path {
		t.Errorf("the error blames %q, want %q: %v", e.Path, path, err)
	}
}

// TestSharedDisk: whoever does not share keeps all others out, whenever it says so.
func TestSharedDisk(t *testing.T) {
	b := open(t, mock.Options{})
	v, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "quorum", Disk: backends.Disk{SizeGiB: new(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, shared bool) *backends.VMSpec {
		return spec(name, func(s *backends.VMSpec) { s.Disks["quorum"] = backends.Disk{Volume: &v.ID, Shared: &shared} })
	}
	one := create(t, b, with("one", true))
	_, err = b.CreateVM(t.Context(), with("two", false))
	wantAt(t, err, backends.Precondition, `disks["quorum"].volume`, `"one"`)
	two := create(t, b, with("two", true))
	err = change(t, b, one, backends.Cold, func(s *backends.VMSpec) {
		s.Disks["quorum"] = backends.Disk{Volume: &v.ID, Shared: new(false)}
	})
	wantAt(t, err, backends.Precondition, `disks["quorum"].volume`, `"two"`)

	if err := b.ResizeDisk(t.Context(), v.ID, 3); err != nil {
		t.Fatal(err)
	}
	for _, id := range []backends.ID{one, two} {
		if vm := get(t, b, id); vm.Disks["quorum"].SizeBytes != 3<<30 || *vm.Config.Disks["quorum"].SizeGiB != 3 {
			t.Errorf("VM %s has the grown disk as %+v", id, vm.Disks["quorum"])
		}
	}
	first, err := b.GetDisk(t.Context(), v.ID)
	if err != nil || first.AttachedTo == "" {
		t.Fatalf("the disk is %+v (%v)", first, err)
	}
	if err := change(t, b, one, backends.Cold, func(s *backends.VMSpec) { s.Description = new("touched") }); err != nil {
		t.Fatal(err)
	}
	if again, err := b.GetDisk(t.Context(), v.ID); err != nil || again.AttachedTo != first.AttachedTo {
		t.Errorf("a change of a VM attached its disk to %q, it was attached to %q (%v)", again.AttachedTo, first.AttachedTo, err)
	}
	for _, id := range []backends.ID{one, two} {
		wantCode(t, b.DeleteDisk(t.Context(), v.ID), backends.Precondition)
		if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.DeleteDisk(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if wrong := b.Audit(); len(wrong) > 0 {
		t.Error(wrong)
	}
}

// TestOneDiskOnce: a VM does not get one disk under two keys.
func TestOneDiskOnce(t *testing.T) {
	b := open(t, mock.Options{})
	v, err := b.CreateDisk(t.Context(), backends.DiskSpec{Name: "d", Disk: backends.Disk{SizeGiB: new(int64(1))}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.CreateVM(t.Context(), spec("vm", func(s *backends.VMSpec) {
		s.Disks["a"], s.Disks["b"] = backends.Disk{Volume: &v.ID}, backends.Disk{Volume: &v.ID}
	}))
	wantAt(t, err, backends.Precondition, `disks["b"].volume`, `"a"`)
}

// TestHardware: what does not exist or fit blames its attribute.
func TestHardware(t *testing.T) {
	b := open(t, mock.Options{Imitate: backends.VSphere})
	for name, tt := range map[string]struct {
		edit func(*backends.VMSpec)
		code backends.Code
		path backends.Path
	}{
		"unknown device": {func(s *backends.VMSpec) {
			s.HostDevices = map[string]backends.HostDevice{"gpu": {PCI: "0000:01:00.0"}}
		}, backends.NotFound, `host_devices["gpu"]`},
		"kind that vSphere lacks": {func(s *backends.VMSpec) {
			s.HostDevices = map[string]backends.HostDevice{"gpu": {Mapping: "gpu"}}
		}, backends.Unsupported, `host_devices["gpu"].mapping`},
		"one slot twice": {func(s *backends.VMSpec) {
			s.Disks["a"], s.Disks["b"] = backends.Disk{Slot: new("1:0")}, backends.Disk{Slot: new("1:0")}
		}, backends.Invalid, `disks["b"].slot`},
		"no slot": {func(s *backends.VMSpec) { s.Disks["a"] = backends.Disk{Slot: new("1")} }, backends.Invalid, `disks["a"].slot`},
		"old hardware": {func(s *backends.VMSpec) {
			s.VSphere = &backends.VSphereOptions{HardwareVersion: new(int64(4))}
		}, backends.Invalid, "vsphere.hardware_version"},
		"unknown controller": {func(s *backends.VMSpec) {
			s.VSphere = &backends.VSphereOptions{SCSIType: new("scuzzy")}
		}, backends.Invalid, "vsphere.scsi_controller"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.CreateVM(t.Context(), spec("vm", tt.edit))
			wantAt(t, err, tt.code, tt.path)
		})
	}
	// One slot on each of two buses is two slots.
	create(t, b, spec("buses", func(s *backends.VMSpec) {
		s.Disks["a"], s.Disks["b"] = backends.Disk{Bus: new("scsi"), Slot: new("1:0")}, backends.Disk{Bus: new("nvme"), Slot: new("1:0")}
	}))
}
