package vsphere

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func (r *rig) machineOf(id backends.ID) *machine {
	r.t.Helper()
	m, err := r.machine(r.ctx, id, "read")
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// byHand changes a VM as somebody else would.
func (r *rig) byHand(id backends.ID, spec types.VirtualMachineConfigSpec) {
	r.t.Helper()
	task, err := r.vm(id).Reconfigure(r.ctx, spec)
	if err == nil {
		err = task.Wait(r.ctx)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// exists reports whether a file of a datastore is there.
func (r *rig) exists(file string) bool {
	r.t.Helper()
	var p object.DatastorePath
	p.FromString(file)
	ds, err := r.storeNamed(r.ctx, p.Datastore)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = ds.Stat(r.ctx, p.Path)
	if err != nil && backends.CodeOf(err) != backends.NotFound {
		r.t.Fatal(err)
	}
	return err == nil
}

func disksOf(spec *backends.VMSpec, disks map[string]backends.Disk) *backends.VMSpec {
	to := *spec
	to.Disks = disks
	return &to
}

func TestMoreDisksThanAControllerHas(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("many")
	spec.VSphere = &backends.VSphereOptions{SCSIType: new("lsilogic_sas")}
	for i := range 16 {
		spec.Disks[fmt.Sprintf("d%02d", i)] = backends.Disk{SizeGiB: new(int64(1)), Provisioning: new("thin")}
	}
	spec.Disks["nvme"] = backends.Disk{SizeGiB: new(int64(1)), Bus: new("nvme")}
	id := r.create(spec)
	r.matches(id, spec)
	got := r.read(id)
	if at := got.Disks["root"].Device; at != "scsi0:0" {
		t.Errorf("the disk that boots is at %s", at)
	}
	seen := map[string]bool{}
	for key, d := range got.Disks {
		if seen[d.Device] || d.Device == "scsi0:7" {
			t.Errorf("disk %s is at %s", key, d.Device)
		}
		seen[d.Device] = true
	}
	if !seen["scsi1:0"] || !seen["nvme0:0"] {
		t.Errorf("places: %v", seen)
	}
}

func TestWhatBecomesOfARemovedDisk(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Disks["kept"] = backends.Disk{SizeGiB: new(int64(1)), KeepOnDestroy: new(true)}
	id := r.create(spec)
	r.power(id, backends.PowerOn)
	files := r.read(id).Disks
	r.becomes(id, disksOf(spec, map[string]backends.Disk{"root": spec.Disks["root"]}), backends.Live)
	if r.exists(files["data"].Path) {
		t.Error("the file of a disk that was removed is still there")
	}
	if !r.exists(files["kept"].Path) || !r.exists(files["root"].Path) {
		t.Error("the file of a disk that was to be kept is gone")
	}
}

func TestDisksChange(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	id := r.create(spec)
	path := r.read(id).Disks["data"].Path
	for _, d := range []backends.Disk{
		{SizeGiB: new(int64(2)), IOPSLimit: new(int64(500))},
		{SizeGiB: new(int64(3)), IOPSLimit: new(int64(0)), Bus: new("sata")},
		{SizeGiB: new(int64(3)), Bus: new("scsi"), Slot: new("2:3")},
		{SizeGiB: new(int64(3)), Slot: new("0:4")},
	} {
		r.becomes(id, disksOf(spec, map[string]backends.Disk{"root": spec.Disks["root"], "data": d}), backends.Cold)
		if got := r.read(id).Disks["data"].Path; got != path {
			t.Errorf("the disk was %s and is %s", path, got)
		}
	}
	// Another controller for all, and back to a place that was another's.
	to := disksOf(spec, map[string]backends.Disk{
		"root": {SizeGiB: new(int64(1)), Slot: new("0:4")}, "data": {SizeGiB: new(int64(3)), Slot: new("0:0")},
	})
	to.VSphere = &backends.VSphereOptions{SCSIType: new("lsilogic")}
	r.becomes(id, to, backends.Cold)
	r.power(id, backends.PowerOn)
	r.matches(id, to)
}

func TestADiskThatSomebodyMoved(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	id := r.create(spec)
	to := *spec
	to.Description = new("the mark is written with what is known of the disks")
	r.becomes(id, &to, backends.Cold)
	m := r.machineOf(id)
	disk := *m.diskDevices()["data"]
	was := r.read(id).Disks["data"]
	disk.UnitNumber = new(int32(9))
	r.byHand(id, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: &disk},
	}})
	is := r.read(id).Disks["data"]
	if is.Device != "scsi0:9" || is.Path != was.Path {
		t.Errorf("the disk was %+v and is %+v", was, is)
	}
	r.matches(id, &to)
}

func TestADiskDoesNotGrowUnderSnapshots(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	id := r.create(spec)
	r.take(id, "before")
	grown := disksOf(spec, map[string]backends.Disk{"root": spec.Disks["root"], "data": {SizeGiB: new(int64(2))}})
	err := r.try(id, grown, backends.Cold)
	r.refused(err, backends.Precondition, `disks["data"].size_gib`)
	if err == nil || !strings.Contains(err.Error(), "before") {
		t.Errorf("the message does not name the snapshot: %v", err)
	}
}

func TestPolicyThatADiskHas(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	spec := r.spec("web")
	spec.Disks["data"] = backends.Disk{SizeGiB: new(int64(1)), Policy: new(r.sim.Seed.Policy)}
	id := r.create(spec)
	r.matches(id, spec)
	m := r.machineOf(id)
	if err := r.readPolicies(r.ctx, []*machine{m}); err != nil {
		t.Fatal(err)
	}
	if got := m.policies[m.mark.Disks["data"].Device]; got != r.sim.Seed.Policy {
		t.Errorf("vCenter tells the policy %q", got)
	}
	if got := value(r.read(id).Config.Disks["data"].Storage); got != r.sim.Seed.PolicyDatastore {
		t.Errorf("the disk is on %q, which does not meet the policy", got)
	}
}

// A VM that was made elsewhere is changed like any other, and its devices keep the names under which they were observed.
func TestAStrangersVM(t *testing.T) {
	r := newRig(t, vcsim.Options{})
	list, err := r.ListVMs(r.ctx, backends.VMFilter{Names: []string{r.sim.Seed.VMs[0]}})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	id := list[0].ID
	vm := r.read(id)
	if vm.Owned {
		t.Error("a stranger's VM counts as ours")
	}
	to := vm.Config
	to.Memory.SizeMiB = new(*to.Memory.SizeMiB + 256)
	to.Description = new("adopted")
	r.becomes(id, &to, backends.Cold)
	if after := r.read(id); after.Owned || len(after.Config.Disks) != len(vm.Config.Disks) {
		t.Errorf("the VM became %+v", after)
	}
	disks := map[string]backends.Disk{"data": {SizeGiB: new(int64(1))}}
	for key, d := range to.Disks {
		disks[key] = d
	}
	r.becomes(id, disksOf(&to, disks), backends.Cold)
}
