package vcsim_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/pbm"
	pbmtypes "github.com/vmware/govmomi/pbm/types"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// lacking returns the privilege that an error says is lacking, and the object.
func lacking(err error) (string, types.ManagedObjectReference) {
	var inTask task.Error
	if errors.As(err, &inTask) {
		if f, ok := inTask.Fault().(*types.NoPermission); ok && f.Object != nil {
			return f.PrivilegeId, *f.Object
		}
	}

	if err != nil && soap.IsSoapFault(err) {
		if f, ok := soap.ToSoapFault(err).VimFault().(types.NoPermission); ok && f.Object != nil {
			return f.PrivilegeId, *f.Object
		}
	}

	return "", types.ManagedObjectReference{}
}

func TestRevoke(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	vm := l.vm("poor")

	extra := spec{ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "a", Value: "b"}}}
	newDisk := func() spec {
		var devices object.VirtualDeviceList

		d := devices.CreateDisk(device[*types.ParaVirtualSCSIController](l, vm), types.ManagedObjectReference{}, "[datastore1] poor/more.vmdk")
		d.CapacityInKB, d.UnitNumber, d.Key = 1<<10, types.NewInt32(3), -5

		s := change(addDevice, d)
		s.DeviceChange[0].GetVirtualDeviceConfigSpec().FileOperation = types.VirtualDeviceConfigSpecFileOperationCreate

		return s
	}

	for _, test := range []struct {
		privilege, object string
		do                func() error
		refused           bool
	}{
		{"VirtualMachine.Config.AddNewDisk", "poor", func() error { return l.reconfigure(vm, newDisk()) }, true},
		{"VirtualMachine.Config.AddNewDisk", "vm-one", func() error { return l.reconfigure(vm, newDisk()) }, false},
		{"VirtualMachine.Config.AdvancedConfig", "", func() error { return l.reconfigure(vm, extra) }, true},
		{"VirtualMachine.Config.CPUCount", "DC0", func() error { return l.reconfigure(vm, spec{NumCPUs: 1}) }, true},
		{"VirtualMachine.Config.CPUCount", "DC1", func() error { return l.reconfigure(vm, spec{NumCPUs: 1}) }, false},
		{"VirtualMachine.Inventory.Create", "", func() error { _, err := l.create(l.spec("none")); return err }, true},
		{"Datastore.AllocateSpace", "datastore1", func() error { _, err := l.create(l.spec("none")); return err }, true},
		{"Network.Assign", "VM Network", func() error { _, err := l.create(l.spec("none")); return err }, true},
		{"Network.Assign", "Storage Network", func() error { _, err := l.create(l.spec("some")); return err }, false},
		{"Resource.AssignVMToPool", "cluster-a", func() error { _, err := l.create(l.spec("none")); return err }, true},
		{"VirtualMachine.Interact.PowerOn", "poor", func() error { _, err := vm.PowerOn(t.Context()); return err }, true},
		{"VirtualMachine.State.CreateSnapshot", "poor", func() error {
			_, err := vm.CreateSnapshot(t.Context(), "s", "", false, false)

			return err
		}, true},
	} {
		t.Run(test.privilege+" on "+test.object, func(t *testing.T) {
			l.Revoke(test.privilege, test.object)
			defer l.Grant()

			err := test.do()

			privilege, where := lacking(err)
			if test.refused && (privilege != test.privilege || where.Value == "") || !test.refused && err != nil {
				t.Errorf("got %v: %q on %v", err, privilege, where)
			}
		})
	}
}

func TestTagsAndPolicies(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	vm := must[*object.VirtualMachine](t)(l.find.VirtualMachine(t.Context(), "vm-one"))

	r := rest.NewClient(l.client.Client)
	if err := r.Login(t.Context(), l.URL().User); err != nil {
		t.Fatal(err)
	}

	m := tags.NewManager(r)
	attach := func(category, name string) error {
		tag := must[*tags.Tag](t)(m.GetTagForCategory(t.Context(), name, category))

		return m.AttachTag(t.Context(), tag.ID, vm)
	}

	for _, test := range []struct {
		category, tag, refused string
	}{
		{l.Seed.TagCategory, "production", ""},
		{l.Seed.TagCategory, "production", ""}, // again
		{l.Seed.TagCategory, "test", "cardinality"},
		{l.Seed.TeamCategory, "blue", ""},
		{l.Seed.TeamCategory, "green", ""},
	} {
		err := attach(test.category, test.tag)
		if test.refused == "" && err != nil || test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)) {
			t.Errorf("%s: %v", test.tag, err)
		}
	}

	l.Revoke("InventoryService.Tagging.AttachTag", "")

	if err := attach(l.Seed.TeamCategory, "blue"); !rest.IsStatusError(err, http.StatusForbidden) {
		t.Errorf("without the privilege: %v", err)
	}

	p := must[*pbm.Client](t)(pbm.NewClient(t.Context(), l.client.Client))
	id := must[string](t)(p.ProfileIDByName(t.Context(), l.Seed.Policy))

	fits := must[pbm.PlacementCompatibilityResult](t)(p.CheckRequirements(t.Context(), nil, nil, []pbmtypes.BasePbmPlacementRequirement{
		&pbmtypes.PbmPlacementCapabilityProfileRequirement{ProfileId: pbmtypes.PbmProfileId{UniqueId: id}},
	})).CompatibleDatastores()
	if want := l.ref("Datastore", l.Seed.PolicyDatastore).Value; len(fits) != 1 || fits[0].HubId != want {
		t.Errorf("the policy fits %v, want %s", fits, want)
	}

	gold := []types.BaseVirtualMachineProfileSpec{&types.VirtualMachineDefinedProfileSpec{ProfileId: id}}
	made := l.vm("policed", func(s *spec) {
		for _, b := range s.DeviceChange {
			if c := b.GetVirtualDeviceConfigSpec(); c.Device == disk(s) {
				c.Profile = gold
			}
		}
	})
	on := fmt.Sprintf("%s:%d", made.Reference().Value, device[*types.VirtualDisk](l, made).Key)

	policies := must[[]pbmtypes.PbmQueryProfileResult](t)(p.QueryAssociatedProfiles(t.Context(), []pbmtypes.PbmServerObjectRef{
		{ObjectType: string(pbmtypes.PbmObjectTypeVirtualDiskId), Key: on},
		{ObjectType: string(pbmtypes.PbmObjectTypeVirtualMachine), Key: made.Reference().Value},
	}))
	if len(policies) != 2 || len(policies[0].ProfileId) != 1 || policies[0].ProfileId[0].UniqueId != id || len(policies[1].ProfileId) != 0 {
		t.Errorf("policies of the disk and the machine: %+v", policies)
	}

	l.Revoke("StorageProfile.View", "")

	if _, err := p.ProfileIDByName(t.Context(), l.Seed.Policy); err == nil {
		t.Error("policies are seen without the privilege")
	}
}
