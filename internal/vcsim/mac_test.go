package vcsim_test

import (
	"fmt"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// Many cards have many addresses.
func TestMACs(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{ESXi: true})

	var list object.VirtualDeviceList

	seen := map[string]string{}

	for _, name := range s.Seed.VMs {
		for i := range 5 {
			card, err := list.CreateEthernetCard("vmxnet3", &types.VirtualEthernetCardNetworkBackingInfo{
				VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: s.Seed.Network},
			})
			if err != nil {
				t.Fatal(err)
			}

			card.GetVirtualDevice().Key = -100

			err = s.ReconfigureVM(name, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
				&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: card},
			}})
			if err != nil {
				t.Fatalf("card %d: %v", i, err)
			}
		}

		props, err := s.Properties(name)
		if err != nil {
			t.Fatal(err)
		}

		units := map[int32]bool{}

		for _, d := range props.Config.Hardware.Device {
			card, ok := d.(types.BaseVirtualEthernetCard)
			if !ok {
				continue
			}

			nic := card.GetVirtualEthernetCard()
			if other := seen[nic.MacAddress]; other != "" || nic.MacAddress == "" {
				t.Errorf("%s and %s have the address %q", other, name, nic.MacAddress)
			}

			if nic.UnitNumber == nil || units[*nic.UnitNumber] {
				t.Errorf("the unit of %s is taken, or none", nic.MacAddress)
				continue
			}

			seen[nic.MacAddress], units[*nic.UnitNumber] = fmt.Sprint(name, nic.Key), true
		}
	}

	if len(seen) != 12 {
		t.Errorf("there are %d cards: %v", len(seen), seen)
	}
}
