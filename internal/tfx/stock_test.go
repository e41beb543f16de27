package tfx

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// warehouse has VMs, snapshots and disks.
type warehouse struct{ fake }

func (*warehouse) ListVMs(context.Context, backends.VMFilter) ([]backends.VMSummary, error) {
	return []backends.VMSummary{{ID: "1", Name: "web"}, {ID: "2", Name: "twin"}, {ID: "3", Name: "twin"}, {ID: "web", Name: "other"}}, nil
}

func (*warehouse) GetVMs(_ context.Context, ids []backends.ID, _ backends.Aspects) (map[backends.ID]backends.Result, error) {
	return map[backends.ID]backends.Result{ids[0]: {VM: &backends.VM{ID: ids[0]}}}, nil
}

func (*warehouse) ListSnapshots(context.Context, backends.ID) ([]backends.Snapshot, error) {
	return []backends.Snapshot{{ID: "a"}, {ID: "b"}}, nil
}

func (*warehouse) GetDisk(_ context.Context, id string) (backends.Volume, error) {
	if id == "gone" {
		return backends.Volume{}, backends.Errorf(backends.NotFound, "read", id, "no disk")
	}
	return backends.Volume{ID: id, AttachedTo: "1"}, nil
}

func TestInventoryFindsVMsByIDAndName(t *testing.T) {
	v := dataOf(&warehouse{}).Inventory()
	for asked, want := range map[string]struct {
		id      backends.ID
		missing bool
	}{
		"1": {"1", false}, "web": {"web", false}, "name=web": {"1", false}, "other": {"web", false},
		"twin": {"", false}, "nobody": {"", true}, "name=1": {"", true},
	} {
		vm, missing := v.VM(t.Context(), asked)
		if missing != want.missing || (vm == nil) != (want.id == "") || vm != nil && vm.ID != want.id {
			t.Errorf("%s is %v, missing %t; want %+v", asked, vm, missing, want)
		}
	}
}

// What Terraform reads beside the plan is waited for, once and not for long.
func TestInventoryIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dataOf(&warehouse{})
		v := d.Inventory()
		disk, missing := v.Volume(t.Context(), "data")
		if disk == nil || missing {
			t.Fatal(disk, missing)
		}
		if _, missing := v.Volume(t.Context(), "gone"); !missing {
			t.Error("a disk that is gone is there")
		}
		go func() {
			time.Sleep(patience / 2)
			d.Managed("1")
			d.ManagedSnapshot("1/a")
		}()
		if vm, held := v.Holder(t.Context(), disk); held {
			t.Errorf("%v is in state and has the disk", vm)
		}
		if strange := v.StrangeSnapshots(t.Context(), "1"); len(strange) != 1 || strange[0].ID != "b" {
			t.Errorf("strange are %v", strange)
		}
		began := time.Now()
		disk.AttachedTo = "2"
		if vm, held := v.Holder(t.Context(), disk); !held || vm.Name != "twin" {
			t.Errorf("%v has the disk: %t", vm, held)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("waited %s once more", waited)
		}
	})
}
