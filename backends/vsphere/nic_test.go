package vsphere

import (
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func TestInterfaces(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	seed := r.sim.Seed
	nics := func(all map[string]backends.NIC) *backends.VMSpec {
		s := r.spec("web")
		s.Networks = all
		return s
	}
	spec := nics(map[string]backends.NIC{
		"b":     {Network: new(seed.Network), Order: new(int64(0))},
		"a":     {Network: new(seed.PortGroup), Model: new("e1000e"), Order: new(int64(1))},
		"nsx":   {Network: new(seed.OpaqueNetwork)},
		"vlan":  {Network: new(seed.VLANPortGroup), VLAN: new(int64(30)), Connected: new(false)},
		"usual": {},
	})
	id := r.create(spec)
	r.matches(id, spec)
	units := map[string]int32{}
	for key, n := range r.machineOf(id).mark.NICs {
		units[key] = n.Unit
	}
	for i, key := range []string{"b", "a", "nsx", "usual", "vlan"} {
		if units[key] != int32(firstNIC+i) {
			t.Errorf("interface %s is in unit %d of %v", key, units[key], units)
		}
	}
	macs := r.read(id).Networks
	same := func(what string) {
		t.Helper()
		for key, n := range r.read(id).Networks {
			if n.MAC != macs[key].MAC {
				t.Errorf("%s: the MAC of %s was %s and is %s", what, key, macs[key].MAC, n.MAC)
			}
		}
	}
	// Another model, and another order, keep the addresses.
	to := nics(map[string]backends.NIC{
		"b":     {Network: new(seed.Network), Order: new(int64(1)), Model: new("e1000")},
		"a":     {Network: new(seed.PortGroup), Model: new("e1000e"), Order: new(int64(0))},
		"nsx":   {Network: new(seed.OpaqueNetwork)},
		"vlan":  {Network: new(seed.VLANPortGroup), Connected: new(true)},
		"usual": {},
	})
	r.becomes(id, to, backends.Cold)
	same("order")
	if k := r.machineOf(id).mark.NICs; k["a"].Unit >= k["b"].Unit {
		t.Errorf("the order is %+v", k)
	}
	// Live: another network in place, one that goes and one that comes.
	r.power(id, backends.PowerOn)
	to = nics(map[string]backends.NIC{
		"b":     {Network: new(seed.SecondNetwork), Order: new(int64(1))},
		"a":     {Network: new("/DC0/network/" + seed.Network), Order: new(int64(0))},
		"new":   {Network: new(seed.PortGroup)},
		"vlan":  {Connected: new(false)},
		"usual": {},
	})
	r.becomes(id, to, backends.Live)
	if got := r.read(id).Networks["b"].MAC; got != macs["b"].MAC {
		t.Errorf("the MAC changed with the network from %s to %s", macs["b"].MAC, got)
	}
	r.power(id, backends.PowerOff)
	static := nics(map[string]backends.NIC{"b": {MAC: new("00:50:56:3a:00:01")}})
	r.becomes(id, static, backends.Cold)
	other := r.spec("other")
	other.Networks = static.Networks
	_, err := r.CreateVM(r.ctx, other)
	r.refused(err, backends.Conflict, `networks["b"].mac`)
}

func TestAnInterfaceThatSomebodyChanged(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	id := r.create(spec)
	m := r.machineOf(id)
	card := m.nicDevices()["lan"]
	card.GetVirtualEthernetCard().Connectable.StartConnected = false
	r.byHand(id, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: card.(types.BaseVirtualDevice)},
	}})
	want := *spec
	want.Networks = map[string]backends.NIC{"lan": {Network: new(r.sim.Seed.Network), Connected: new(true)}}
	if changes := backends.Diff(&r.read(id).Config, &want); len(changes) != 1 {
		t.Errorf("a cable that was pulled out is no drift: %v", changes)
	}
	r.becomes(id, &want, backends.Cold)
}

func TestTooManyInterfaces(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	for _, key := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
		spec.Networks[key] = backends.NIC{}
	}
	_, err := r.CreateVM(r.ctx, spec)
	r.refused(err, backends.Invalid, "networks")
}
