package vcsim_test

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

type spec = types.VirtualMachineConfigSpec

func TestRefusesToCreate(t *testing.T) {
	l := newLab(t, vcsim.Options{NoKeyProvider: true})

	for name, test := range map[string]struct {
		edit  func(*spec)
		fault string
	}{
		"fine":                {func(*spec) {}, ""},
		"name taken":          {func(s *spec) { s.Name = "vm-one" }, "DuplicateName"},
		"name too long":       {func(s *spec) { s.Name = strings.Repeat("x", 81) }, "InvalidName"},
		"no name":             {func(s *spec) { s.Name = "" }, "InvalidVmConfig"},
		"no files":            {func(s *spec) { s.Files = nil }, "InvalidVmConfig"},
		"unknown datastore":   {func(s *spec) { s.Files.VmPathName = "[nowhere]" }, "InvalidDatastorePath"},
		"malformed path":      {func(s *spec) { s.Files.VmPathName = "nowhere" }, "InvalidDatastorePath"},
		"other hosts' store":  {func(s *spec) { s.Files.VmPathName = "[local-b1]" }, "InaccessibleDatastore"},
		"unknown guest":       {func(s *spec) { s.GuestId = "templeOs64Guest" }, "InvalidArgument"},
		"odd memory":          {func(s *spec) { s.MemoryMB = 1023 }, "InvalidArgument"},
		"little memory":       {func(s *spec) { s.MemoryMB = 3 }, "InvalidArgument"},
		"many processors":     {func(s *spec) { s.NumCPUs = 4000 }, "InvalidArgument"},
		"half a socket":       {func(s *spec) { s.NumCPUs, s.NumCoresPerSocket = 4, types.NewInt32(3) }, "InvalidArgument"},
		"unknown version":     {func(s *spec) { s.Version = "vmx-99" }, "InvalidArgument"},
		"too much reserved":   {func(s *spec) { s.MemoryAllocation = reserve(2048) }, "InvalidArgument"},
		"secure boot in BIOS": {func(s *spec) { s.BootOptions = secure() }, "InvalidVmConfig"},
		"TPM in BIOS":         {func(s *spec) { add(s, &types.VirtualTPM{}) }, "InvalidDeviceSpec"},
		"TPM without a key":   {func(s *spec) { s.Firmware = "efi"; add(s, &types.VirtualTPM{}) }, "GenericVmConfigFault"},
		"unknown network":     {func(s *spec) { connectTo(s, standardNetwork("nowhere")) }, "InvalidDeviceBacking"},
		"other host's net":    {func(s *spec) { connectTo(s, standardNetwork("Local Network")) }, "InvalidDeviceBacking"},
		"unknown port group":  {func(s *spec) { connectTo(s, portGroup("dvportgroup-0")) }, "InvalidDeviceBacking"},
		"malformed MAC":       {func(s *spec) { card(s).AddressType, card(s).MacAddress = "manual", "00:50:56:1:2:3" }, "InvalidDeviceSpec"},
		"datastore too full":  {func(s *spec) { disk(s).CapacityInKB = 600 << 20; thick(disk(s)) }, "NoDiskSpace"},
		"thin disk, too full": {func(s *spec) { disk(s).CapacityInKB = 600 << 20 }, ""},
		"disk elsewhere":      {func(s *spec) { file(disk(s)).FileName = "[nowhere]" }, "InvalidDatastorePath"},
		"no controller":       {func(s *spec) { disk(s).ControllerKey = 4711 }, "InvalidController"},
		"unit 7":              {func(s *spec) { disk(s).UnitNumber = types.NewInt32(7) }, "InvalidDeviceSpec"},
		"unit out of bounds":  {func(s *spec) { disk(s).UnitNumber = types.NewInt32(64) }, "InvalidDeviceSpec"},
		"five controllers":    {func(s *spec) { add(s, controllers(4)...) }, "TooManyDevices"},
		"one key twice": {func(s *spec) {
			add(s, &types.VirtualNVMEController{VirtualController: types.VirtualController{VirtualDevice: types.VirtualDevice{Key: disk(s).Key}}})
		}, "InvalidDeviceSpec"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.create(l.spec(name, test.edit))
			if got := faultOf(err); got != test.fault {
				t.Errorf("got %q (%v), want %q", got, err, test.fault)
			}
		})
	}
}

func reserve(mb int64) *types.ResourceAllocationInfo {
	return &types.ResourceAllocationInfo{Reservation: types.NewInt64(mb)}
}

func secure() *types.VirtualMachineBootOptions {
	return &types.VirtualMachineBootOptions{EfiSecureBootEnabled: types.NewBool(true)}
}

// add adds devices to a specification.
func add(s *spec, devices ...types.BaseVirtualDevice) {
	for _, d := range devices {
		s.DeviceChange = append(s.DeviceChange, &types.VirtualDeviceConfigSpec{Operation: addDevice, Device: d})
	}
}

func controllers(n int32) []types.BaseVirtualDevice {
	var all []types.BaseVirtualDevice

	for i := range n {
		c := &types.ParaVirtualSCSIController{}
		c.Key, c.BusNumber, c.SharedBus = -1000-i, i+1, types.VirtualSCSISharingNoSharing
		all = append(all, c)
	}

	return all
}

// specified returns the device of the type in a specification.
func specified[T any](s *spec) T {
	for _, b := range s.DeviceChange {
		if d, ok := b.GetVirtualDeviceConfigSpec().Device.(T); ok {
			return d
		}
	}

	return *new(T)
}

func disk(s *spec) *types.VirtualDisk { return specified[*types.VirtualDisk](s) }

func card(s *spec) *types.VirtualEthernetCard {
	return specified[types.BaseVirtualEthernetCard](s).GetVirtualEthernetCard()
}

func file(d *types.VirtualDisk) *types.VirtualDiskFlatVer2BackingInfo {
	return d.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
}

func thick(d *types.VirtualDisk) { file(d).ThinProvisioned = types.NewBool(false) }

func connectTo(s *spec, to types.BaseVirtualDeviceBackingInfo) { card(s).Backing = to }

func portGroup(key string) types.BaseVirtualDeviceBackingInfo {
	return &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{
		Port: types.DistributedVirtualSwitchPortConnection{PortgroupKey: key},
	}
}
