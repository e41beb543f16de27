package vcsim_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// Guests read a NoCloud volume in their drive, and hot-added cards get a lease.
func TestGuestReadsNoCloudVolume(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.named("vm-one")
	mac := device[*types.VirtualVmxnet3](l, vm).MacAddress
	iso := must[[]byte](t)(cloudinit.ISO(cloudinit.Seed{
		MetaData: "instance-id: i-1\nlocal-hostname: ignored\n", UserData: "#cloud-config\nhostname: seeded\n",
		NetworkConfig: "version: 2\nethernets:\n  lan:\n    match: {macaddress: \"" + mac + "\"}\n    addresses: [192.0.2.20/24]\n",
	}))
	ds := must[*object.Datastore](t)(l.find.Datastore(ctx, "datastore1"))
	if err := ds.Upload(ctx, bytes.NewReader(iso), "vm-one/seed.iso", &soap.Upload{Method: "PUT", ContentLength: int64(len(iso))}); err != nil {
		t.Fatal(err)
	}
	drive := device[*types.VirtualCdrom](l, vm)
	drive.Backing = &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: "[datastore1] vm-one/seed.iso"}}
	drive.Connectable = &types.VirtualDeviceConnectInfo{StartConnected: true}
	if err := l.reconfigure(vm, change(editDevice, drive)); err != nil {
		t.Fatal(err)
	}
	l.start(vm)
	g := l.guest(vm)
	if g.HostName != "seeded" || g.IpAddress != "192.0.2.20" {
		t.Errorf("the guest: %s, %s", g.HostName, g.IpAddress)
	}

	card := must[types.BaseVirtualDevice](t)(object.VirtualDeviceList{}.CreateEthernetCard("vmxnet3", standardNetwork(l.Seed.SecondNetwork)))
	if err := l.reconfigure(vm, change(addDevice, card)); err != nil {
		t.Fatal(err)
	}
	if g := l.guest(vm); len(g.Net) != 2 || g.Net[1].Network != l.Seed.SecondNetwork {
		t.Errorf("after a card was added: %+v", g.Net)
	}
	first := device[*types.VirtualVmxnet3](l, vm)
	first.Connectable.Connected = false
	if err := l.reconfigure(vm, change(editDevice, first)); err != nil {
		t.Fatal(err)
	}
	g = l.guest(vm)
	i := slices.IndexFunc(g.Net, func(n types.GuestNicInfo) bool { return n.DeviceConfigId == first.Key })
	if i < 0 || g.Net[i].Connected || len(g.Net[i].IpAddress) > 0 {
		t.Errorf("a card that was disconnected: %+v", g.Net)
	}
}
