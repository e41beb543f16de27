package vcsim_test

import (
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func (l *lab) ref(kind, name string) *types.ManagedObjectReference {
	l.t.Helper()

	ref, err := l.Find(kind, name)
	if err != nil {
		l.t.Fatal(err)
	}

	return &ref
}

// rootPool returns the root pool of a cluster or of a host that stands alone.
func (l *lab) rootPool(of string) *types.ManagedObjectReference {
	l.t.Helper()

	ref := must[*object.ResourcePool](l.t)(l.find.ResourcePool(l.t.Context(), of+"/Resources")).Reference()

	return &ref
}

func TestRefusesToRelocate(t *testing.T) {
	l := newLab(t, vcsim.Options{})

	onCommon := func(name, network string) *object.VirtualMachine {
		return l.vm(name, func(s *spec) { connectTo(s, standardNetwork(network)) })
	}
	vm := onCommon("mobile", l.Seed.Network)
	big := l.vm("big", func(s *spec) { disk(s).CapacityInKB = 20 << 20; thick(disk(s)) })

	type relocation = types.VirtualMachineRelocateSpec

	for _, test := range []struct {
		name  string
		vm    *object.VirtualMachine
		spec  relocation
		fault string
	}{
		{"other cluster's pool", vm, relocation{Host: l.ref("HostSystem", "esx-a1"), Pool: l.rootPool("cluster-b")}, "InvalidArgument"},
		{"other cluster's host", vm, relocation{Host: l.ref("HostSystem", "esx-b1")}, "InvalidArgument"},
		{"store not mounted", vm, relocation{Host: l.ref("HostSystem", "esx-a2"), Datastore: l.ref("Datastore", "local-b1")}, "InaccessibleDatastore"},
		{"store of nowhere", vm, relocation{Datastore: &types.ManagedObjectReference{Type: "Datastore", Value: "datastore-0"}}, "ManagedObjectNotFound"},
		{"store too small", big, relocation{Datastore: l.ref("Datastore", "small")}, "NoDiskSpace"},
		{"host", vm, relocation{Host: l.ref("HostSystem", "esx-a2")}, ""},
		{"cluster", vm, relocation{Host: l.ref("HostSystem", "esx-b1"), Pool: l.rootPool("cluster-b")}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			task, err := test.vm.Relocate(t.Context(), test.spec, types.VirtualMachineMovePriorityDefaultPriority)
			if got := faultOf(run(t.Context(), task, err)); got != test.fault {
				t.Errorf("got %q, want %q", got, test.fault)
			}
		})
	}

	t.Run("network not there", func(t *testing.T) {
		local := standardNetwork(l.Seed.LocalNetwork)

		// It is on esx-b1 by now, which has the network.
		nic := device[*types.VirtualVmxnet3](l, vm)
		nic.Backing = local

		if err := l.reconfigure(vm, change(editDevice, nic)); err != nil {
			t.Fatal(err)
		}

		task, err := vm.Relocate(t.Context(), relocation{Host: l.ref("HostSystem", "esx-b2")}, types.VirtualMachineMovePriorityDefaultPriority)
		if got := faultOf(run(t.Context(), task, err)); got != "CannotAccessNetwork" {
			t.Errorf("got %q", got)
		}
	})
}

func TestRefusesToClone(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	template := must[*object.VirtualMachine](t)(l.find.VirtualMachine(t.Context(), l.Seed.Template))
	pool := l.rootPool("cluster-a")

	type cloning = types.VirtualMachineCloneSpec

	placed := types.VirtualMachineRelocateSpec{Pool: pool}

	for name, test := range map[string]struct {
		to    string
		spec  cloning
		fault string
	}{
		"fine":             {"c1", cloning{Location: placed}, ""},
		"name taken":       {"vm-one", cloning{Location: placed}, "DuplicateName"},
		"no pool":          {"c2", cloning{}, "InvalidArgument"},
		"store not there":  {"c3", cloning{Location: types.VirtualMachineRelocateSpec{Pool: pool, Datastore: l.ref("Datastore", "local-b1")}}, "InaccessibleDatastore"},
		"odd memory":       {"c4", cloning{Location: placed, Config: &spec{MemoryMB: 1023}}, "InvalidArgument"},
		"Windows on Linux": {"c5", cloning{Location: placed, Customization: customization(&types.CustomizationSysprep{}, 1)}, "UncustomizableGuest"},
		"two cards of one": {"c6", cloning{Location: placed, Customization: customization(linuxPrep(), 2)}, "NicSettingMismatch"},
		"customised":       {"c7", cloning{Location: placed, Customization: customization(linuxPrep(), 1)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			task, err := template.Clone(t.Context(), l.folder(), test.to, test.spec)
			if got := faultOf(run(t.Context(), task, err)); got != test.fault {
				t.Errorf("got %q, want %q", got, test.fault)
			}
		})
	}
}

func linuxPrep() *types.CustomizationLinuxPrep {
	return &types.CustomizationLinuxPrep{HostName: &types.CustomizationFixedName{Name: "web"}, Domain: "example.net"}
}

func customization(identity types.BaseCustomizationIdentitySettings, cards int) *types.CustomizationSpec {
	c := &types.CustomizationSpec{Identity: identity, NicSettingMap: make([]types.CustomizationAdapterMapping, cards)}
	for i := range c.NicSettingMap {
		c.NicSettingMap[i].Adapter.Ip = &types.CustomizationDhcpIpGenerator{}
	}

	return c
}

func TestHostRefusesWhatVCenterDoes(t *testing.T) {
	l := newLab(t, vcsim.Options{ESXi: true})
	vm := l.vm("alone")

	task, err := vm.Clone(t.Context(), l.folder(), "copy", types.VirtualMachineCloneSpec{})
	if got := faultOf(run(t.Context(), task, err)); got != "NotSupported" {
		t.Errorf("clone: got %q", got)
	}

	if got := faultOf(vm.MarkAsTemplate(t.Context())); got != "NotSupported" {
		t.Errorf("template: got %q", got)
	}

	if got := faultOf(l.reconfigure(vm, change(addDevice, &types.VirtualTPM{}))); got != "InvalidDeviceSpec" {
		t.Errorf("TPM: got %q", got)
	}

	l.start(vm)
}
