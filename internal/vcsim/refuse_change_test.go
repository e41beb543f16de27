package vcsim_test

import (
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func TestRefusesToChangeWhileRunning(t *testing.T) {
	l := newLab(t, vcsim.Options{})

	plain := l.vm("plain")
	flagged := l.vm("flagged", func(s *spec) {
		s.CpuHotAddEnabled, s.MemoryHotAddEnabled = types.NewBool(true), types.NewBool(true)
	})
	l.start(plain)
	l.start(flagged)

	for name, test := range map[string]struct {
		spec         spec
		plain, flags string
	}{
		"nothing":             {spec{}, "", ""},
		"annotation":          {spec{Annotation: "x"}, "", ""},
		"more memory":         {spec{MemoryMB: 2048}, "MemoryHotPlugNotSupported", ""},
		"less memory":         {spec{MemoryMB: 512}, "InvalidPowerState", "InvalidPowerState"},
		"same memory":         {spec{MemoryMB: 1024}, "", "InvalidPowerState"}, // the other has 2048 by now
		"more processors":     {spec{NumCPUs: 4}, "CpuHotPlugNotSupported", ""},
		"fewer processors":    {spec{NumCPUs: 1}, "CpuHotPlugNotSupported", "CpuHotPlugNotSupported"},
		"flag":                {spec{CpuHotAddEnabled: types.NewBool(true)}, "InvalidPowerState", ""},
		"firmware":            {spec{Firmware: "efi"}, "InvalidPowerState", "InvalidPowerState"},
		"guest":               {spec{GuestId: "debian12_64Guest"}, "InvalidPowerState", "InvalidPowerState"},
		"version":             {spec{Version: "vmx-21"}, "InvalidPowerState", "InvalidPowerState"},
		"nested":              {spec{NestedHVEnabled: types.NewBool(true)}, "InvalidPowerState", "InvalidPowerState"},
		"cores":               {spec{NumCoresPerSocket: types.NewInt32(2)}, "InvalidPowerState", "InvalidPowerState"},
		"secure boot":         {spec{Firmware: "efi", BootOptions: secure()}, "InvalidPowerState", "InvalidPowerState"},
		"IDE drive":           {change(addDevice, drive(200)), "DeviceHotPlugNotSupported", "DeviceHotPlugNotSupported"},
		"serial port":         {change(addDevice, &types.VirtualSerialPort{}), "DeviceHotPlugNotSupported", "DeviceHotPlugNotSupported"},
		"NVMe controller":     {change(addDevice, nvme()), "", ""},
		"stale changeVersion": {spec{ChangeVersion: "0", Annotation: "y"}, "ConcurrentAccess", "ConcurrentAccess"},
		"name taken":          {spec{Name: "vm-two"}, "DuplicateName", "DuplicateName"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "same memory" {
				test.flags = ""
				test.spec.MemoryMB = int64(l.properties(flagged).Config.Hardware.MemoryMB)

				if got := faultOf(l.reconfigure(flagged, test.spec)); got != "" {
					t.Errorf("flagged: got %q", got)
				}

				return
			}

			if got := faultOf(l.reconfigure(plain, test.spec)); got != test.plain {
				t.Errorf("plain: got %q, want %q", got, test.plain)
			}

			if got := faultOf(l.reconfigure(flagged, test.spec)); got != test.flags {
				t.Errorf("with hot add: got %q, want %q", got, test.flags)
			}
		})
	}
}

func drive(controller int32) *types.VirtualCdrom {
	return &types.VirtualCdrom{VirtualDevice: types.VirtualDevice{
		Key: -1, ControllerKey: controller, UnitNumber: types.NewInt32(1),
		Backing: &types.VirtualCdromRemotePassthroughBackingInfo{},
	}}
}

func nvme() *types.VirtualNVMEController {
	c := &types.VirtualNVMEController{}
	c.Key = -31000

	return c
}

func TestRefusesDevices(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	vm := l.vm("devices", func(s *spec) { thick(disk(s)) })

	grown := func(kilobytes int64) *types.VirtualDisk {
		d := *device[*types.VirtualDisk](l, vm)
		d.CapacityInKB, d.CapacityInBytes = kilobytes, kilobytes<<10

		return &d
	}
	present := func() *types.VirtualDisk { return device[*types.VirtualDisk](l, vm) }

	for _, test := range []struct {
		name  string
		spec  func() spec
		fault string
	}{
		{"shrink", func() spec { return change(editDevice, grown(1<<19)) }, "InvalidDeviceOperation"},
		{"grow", func() spec { return change(editDevice, grown(2<<20)) }, ""},
		{"grow beyond the datastore", func() spec { return change(editDevice, grown(700<<20)) }, "NoDiskSpace"},
		{"unknown key, edit", func() spec { d := grown(3 << 20); d.Key = 4711; return change(editDevice, d) }, "InvalidDeviceSpec"},
		{"unknown key, remove", func() spec { d := grown(3 << 20); d.Key = 4711; return change(removeDevice, d) }, "InvalidDeviceSpec"},
		{"key in use", func() spec { d := *present(); d.UnitNumber = types.NewInt32(5); return change(addDevice, &d) }, "InvalidDeviceSpec"},
		{"unit in use", func() spec { d := *present(); d.Key = -7; return change(addDevice, &d) }, "InvalidDeviceSpec"},
		{"controller with a disk", func() spec {
			return change(removeDevice, device[*types.ParaVirtualSCSIController](l, vm))
		}, "InvalidDeviceOperation"},
		{"other kind of card", func() spec {
			e := &types.VirtualE1000{}
			e.Key = device[*types.VirtualVmxnet3](l, vm).Key

			return change(editDevice, e)
		}, "InvalidDeviceSpec"},
		{"lower version", func() spec { return spec{Version: "vmx-10"} }, "InvalidArgument"},
		{"TPM", func() spec { s := change(addDevice, &types.VirtualTPM{}); s.Firmware = "efi"; return s }, ""},
		{"second TPM", func() spec { return change(addDevice, &types.VirtualTPM{}) }, "TooManyDevices"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := faultOf(l.reconfigure(vm, test.spec())); got != test.fault {
				t.Errorf("got %q, want %q", got, test.fault)
			}
		})
	}

	t.Run("grow with a snapshot", func(t *testing.T) {
		task, err := vm.CreateSnapshot(t.Context(), "before", "", false, false)
		if err := run(t.Context(), task, err); err != nil {
			t.Fatal(err)
		}

		if got := faultOf(l.reconfigure(vm, change(editDevice, grown(4<<20)))); got != "InvalidDeviceOperation" {
			t.Errorf("got %q", got)
		}
	})
}
