package inventory_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// newFolder makes a folder as somebody else would.
func newFolder(t *testing.T, e *estate, parent types.ManagedObjectReference, name string) types.ManagedObjectReference {
	t.Helper()
	f, err := object.NewFolder(e.conn.VIM(), parent).CreateFolder(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return f.Reference()
}

// disableDRS lets a cluster choose no hosts.
func disableDRS(t *testing.T, e *estate, name string) {
	t.Helper()
	o, err := e.Find(t.Context(), inventory.Cluster, name)
	if err != nil {
		t.Fatal(err)
	}
	spec := &types.ClusterConfigSpecEx{DrsConfig: &types.ClusterDrsConfigInfo{Enabled: types.NewBool(false)}}
	task, err := object.NewClusterComputeResource(e.conn.VIM(), o.Ref).Reconfigure(t.Context(), spec, true)
	if err == nil {
		err = task.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	e.Forget()
	e.server.ResetCalls()
}

// maintain takes a host out of service.
func maintain(t *testing.T, e *estate, name string) {
	t.Helper()
	o, err := e.Find(t.Context(), inventory.Host, name)
	if err != nil {
		t.Fatal(err)
	}
	task, err := object.NewHostSystem(e.conn.VIM(), o.Ref).EnterMaintenanceMode(t.Context(), 0, false, nil)
	if err == nil {
		err = task.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sprint writes what a value holds.
func sprint(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// markUplinks has the switch know the port group of its own links, as vCenter does and the simulator does not.
func markUplinks(t *testing.T, e *estate) (name string) {
	t.Helper()
	ctx := e.server.Context()
	for _, group := range ctx.Map.All("DistributedVirtualPortgroup") {
		if !strings.Contains(group.Entity().Name, "-DVUplinks") {
			continue
		}
		name = group.Entity().Name
		for _, kind := range []string{"DistributedVirtualSwitch", "VmwareDistributedVirtualSwitch"} {
			for _, found := range ctx.Map.All(kind) {
				dvs, ok := found.(*simulator.DistributedVirtualSwitch)
				if !ok {
					t.Fatalf("the switch is a %T", found)
				}
				ctx.WithLock(dvs, func() {
					dvs.Config.GetDVSConfigInfo().UplinkPortgroup = []types.ManagedObjectReference{group.Reference()}
				})
			}
		}
	}
	if name == "" {
		t.Fatal("the estate has no uplinks")
	}
	return name
}
