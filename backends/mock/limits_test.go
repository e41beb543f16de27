package mock_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

// TestPendingMaximum: what waits for the next start does not help before it.
func TestPendingMaximum(t *testing.T) {
	b := open(t, mock.Options{})
	id := create(t, b, spec("vm", func(s *backends.VMSpec) { s.CPU.Cores = new(int64(2)) }))
	power(t, b, id, backends.PowerOn)
	apply := func(to *backends.VMSpec, mode backends.ReconfigureMode) error {
		vm := get(t, b, id)
		return b.Reconfigure(t.Context(), id, backends.Reconfiguration{
			Desired: to, Changes: backends.Diff(&vm.Config, to), Mode: mode,
		})
	}
	room := spec("vm", func(s *backends.VMSpec) { s.CPU.MaxCores = new(int64(8)) })
	if err := apply(room, backends.Deferred); err != nil {
		t.Fatal(err)
	}
	more := spec("vm", func(s *backends.VMSpec) { s.CPU.Cores = new(int64(4)) })
	wantCode(t, apply(more, backends.Live), backends.Precondition, "at most 2")

	// Live changes go on meanwhile, and the others keep waiting.
	if err := apply(spec("vm", func(s *backends.VMSpec) { s.Description = new("d") }), backends.Live); err != nil {
		t.Fatal(err)
	}
	if vm := get(t, b, id); !vm.Pending || *vm.Config.CPU.MaxCores != 8 || *vm.Config.Description != "d" {
		t.Errorf("pending %t, %+v", vm.Pending, vm.Config)
	}
	power(t, b, id, backends.PowerOff, backends.PowerOn)
	if err := apply(more, backends.Live); err != nil {
		t.Errorf("after the start: %v", err)
	}
}

// TestCapacity: what is full says so, and by its name.
func TestCapacity(t *testing.T) {
	on := func(storage, provisioning string, size int64) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) {
			s.Disks = map[string]backends.Disk{"root": {SizeGiB: &size, Storage: &storage, Provisioning: &provisioning}}
		}
	}
	b := open(t, mock.Options{})
	create(t, b, spec("thin-1", on("small", "thin", 100)))
	create(t, b, spec("thin-2", on("small", "thin", 100)))
	id := create(t, b, spec("thick", on("small", "thick", 6)))
	_, err := b.CreateVM(t.Context(), spec("more", on("small", "thick", 6)))
	wantCode(t, err, backends.Exhausted, `storage "small"`, "another storage")

	to := spec("thick", on("small", "thick", 7))
	vm := get(t, b, id)
	grow := backends.Reconfiguration{Desired: to, Changes: backends.Diff(&vm.Config, to)}
	wantCode(t, b.Reconfigure(t.Context(), id, grow), backends.Exhausted, "small")
	if got := get(t, b, id).Disks["root"].SizeBytes; got != 6<<30 {
		t.Errorf("the disk that could not grow has %d bytes", got)
	}
	if err := b.DeleteVM(t.Context(), id, backends.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	create(t, b, spec("more", on("small", "thick", 6))) // there is room again
	free := map[string]int64{}
	all, err := b.Storages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		free[s.Name] = s.FreeBytes
	}
	if free["small"] != 0 || free["fast"] != 2<<40 {
		t.Errorf("free: %v", free)
	}

	reserve := func(mib int64) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) {
			s.Memory = backends.Memory{SizeMiB: &mib, ReservationMiB: &mib}
			s.Placement.Host = new("mock-01")
		}
	}
	create(t, b, spec("big", reserve(400*1024)))
	_, err = b.CreateVM(t.Context(), spec("bigger", reserve(200*1024)))
	wantCode(t, err, backends.Exhausted, `host "mock-01"`)
	_, err = b.CreateVM(t.Context(), spec("on-offline", func(s *backends.VMSpec) { s.Placement.Host = new("mock-04") }))
	wantCode(t, err, backends.Precondition, "mock-04")
}

// TestMaxima: a maximum that nobody asked for follows, one that was asked for
// is held.
func TestMaxima(t *testing.T) {
	cpu := func(cores, limit *int64) func(*backends.VMSpec) {
		return func(s *backends.VMSpec) { s.CPU.Cores, s.CPU.MaxCores = cores, limit }
	}
	b := open(t, mock.Options{})
	_, err := b.CreateVM(t.Context(), spec("vm", cpu(new(int64(4)), new(int64(2)))))
	wantCode(t, err, backends.Invalid, "maximum of 2")
	id := create(t, b, spec("vm", cpu(new(int64(2)), nil)))
	for _, tt := range []struct {
		to   *backends.VMSpec
		code backends.Code
	}{
		{spec("vm", cpu(new(int64(6)), nil)), ""},
		{spec("vm", cpu(nil, new(int64(4)))), backends.Invalid},
		{spec("vm", func(s *backends.VMSpec) { s.Memory.MaxMiB = new(int64(100)) }), backends.Invalid},
	} {
		vm := get(t, b, id)
		err := b.Reconfigure(t.Context(), id, backends.Reconfiguration{
			Desired: tt.to, Changes: backends.Diff(&vm.Config, tt.to), Mode: backends.Cold,
		})
		if backends.CodeOf(err) != tt.code {
			t.Errorf("%+v: %v, want code %q", tt.to.CPU, err, tt.code)
		}
	}
}

func TestImitation(t *testing.T) {
	_, err := mock.New(mock.Options{Imitate: "bochs"})
	wantCode(t, err, backends.Invalid, "bochs")

	b := open(t, mock.Options{Imitate: backends.Libvirt, SampleData: true})
	info, err := b.Info(t.Context())
	if err != nil || info.Backend != backends.Libvirt || !strings.Contains(info.Product, "mock") {
		t.Errorf("Info %q, %q, %v", info.Backend, info.Product, err)
	}
	_, err = b.CreateVM(t.Context(), spec("vm", func(s *backends.VMSpec) { s.Placement.Folder = new("vm") }))
	wantCode(t, err, backends.Unsupported, "libvirt", "use tags")
	_, err = b.CreateVM(t.Context(), spec("vm", func(s *backends.VMSpec) {
		s.Disks["root"] = backends.Disk{SizeGiB: new(int64(1)), Format: new("vmdk")}
	}))
	wantCode(t, err, backends.Invalid, "qcow2, raw")
	_, err = b.CreateVM(t.Context(), spec("vm", func(s *backends.VMSpec) {
		s.Networks = map[string]backends.NIC{"lan": {Network: new("dvs-prod")}}
	}))
	wantCode(t, err, backends.NotFound, "dvs-prod", "vmbr0")
}

func TestInventory(t *testing.T) {
	b := open(t, mock.Options{})
	if all, err := b.ListVMs(t.Context(), backends.VMFilter{}); err != nil || len(all) > 0 {
		t.Errorf("an empty world has VMs %+v (%v)", all, err)
	}
	_, err := b.CreateVM(t.Context(), &backends.VMSpec{Name: "vm", Template: "debian-12-template"})
	wantCode(t, err, backends.NotFound, "debian-12-template")

	b = open(t, mock.Options{SampleData: true})
	all, err := b.ListVMs(t.Context(), backends.VMFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, vm := range all {
		names = append(names, vm.Name+" "+string(vm.Power))
		if vm.Owned == (vm.Name == "legacy-app" || vm.Template) || vm.Template != strings.HasSuffix(vm.Name, "-template") {
			t.Errorf("VM %q is owned: %t", vm.Name, vm.Owned)
		}
	}
	if !slices.Equal(names, []string{
		"db-01 running", "debian-12-template stopped", "legacy-app stopped", "web-01 running", "windows-2022-template stopped",
	}) {
		t.Errorf("sample VMs %q", names)
	}
	images, err := b.ListImages(t.Context(), "default")
	if err != nil || len(images) != 5 { // with the templates
		t.Errorf("sample images %+v, %v", images, err)
	}
}
