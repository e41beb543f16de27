package vcsim_test

import (
	"path"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

func (l *lab) clone(vm *object.VirtualMachine, name string, spec types.VirtualMachineCloneSpec) (*object.VirtualMachine, error) {
	l.t.Helper()
	if spec.Location.Pool == nil {
		pool := must[*object.ResourcePool](l.t)(l.find.ResourcePool(l.t.Context(), l.Seed.Clusters[0]+"/Resources"))
		spec.Location.Pool = types.NewReference(pool.Reference())
	}
	task, err := vm.Clone(l.t.Context(), l.folder(), name, spec)
	if err != nil {
		return nil, err
	}
	info, err := task.WaitForResult(l.t.Context(), nil)
	if err != nil {
		return nil, err
	}
	return object.NewVirtualMachine(l.client.Client, info.Result.(types.ManagedObjectReference)), nil
}

// A clone has all of its source but its identity.
func TestClone(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	source := l.vm("source", func(s *types.VirtualMachineConfigSpec) {
		s.Annotation, s.Firmware, s.CpuHotAddEnabled = "inherited", "efi", types.NewBool(true)
		s.ExtraConfig = []types.BaseOptionValue{&types.OptionValue{Key: "kept", Value: "1"}, &types.OptionValue{Key: "changed", Value: "1"}}
	})
	l.write("source", "content")
	was := l.properties(source)
	clone := must[*object.VirtualMachine](t)(l.clone(source, "copy", types.VirtualMachineCloneSpec{Config: &types.VirtualMachineConfigSpec{
		MemoryMB: 2048, ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "changed", Value: "2"}},
	}}))
	l.wantDisk("copy", "content")
	l.write("copy", "differs")
	l.wantDisk("source", "content")

	p := l.properties(clone)
	if p.Config.Annotation != "inherited" || p.Config.Firmware != "efi" || p.Config.CpuHotAddEnabled == nil || !*p.Config.CpuHotAddEnabled || p.Config.Hardware.MemoryMB != 2048 {
		t.Errorf("the clone's configuration: %+v", p.Config)
	}
	extra := map[string]any{}
	for _, o := range p.Config.ExtraConfig {
		extra[o.GetOptionValue().Key] = o.GetOptionValue().Value
	}
	if extra["kept"] != "1" || extra["changed"] != "2" {
		t.Errorf("extra configuration: %v", extra)
	}
	if p.Config.Uuid == was.Config.Uuid || p.Config.InstanceUuid == was.Config.InstanceUuid {
		t.Error("the clone has its source's identity")
	}
	if a, b := device[*types.VirtualVmxnet3](l, source).MacAddress, device[*types.VirtualVmxnet3](l, clone).MacAddress; a == b {
		t.Errorf("both have the MAC %s", a)
	}
}

// A linked clone reads through the snapshot's disk, which stays as long as it is needed.
func TestLinkedClone(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	source := l.vm("source")
	l.write("source", "at the snapshot")
	child := types.VirtualMachineCloneSpec{Location: types.VirtualMachineRelocateSpec{
		DiskMoveType: string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking),
	}}
	if _, err := l.clone(source, "linked", child); faultOf(err) != "InvalidArgument" {
		t.Errorf("without a snapshot: %v", err)
	}
	snap := l.snapshot(source, "base", false)
	l.write("source", "after that")
	child.Snapshot = &snap
	clone := must[*object.VirtualMachine](t)(l.clone(source, "linked", child))

	l.wantDisk("linked", "at the snapshot")
	b := l.disk(clone)
	if b.Parent == nil || path.Base(b.Parent.FileName) != "source.vmdk" || b.Parent.Parent != nil {
		t.Fatalf("the clone's disk: %+v", b)
	}
	task, err := source.RemoveSnapshot(ctx, "base", false, types.NewBool(true))
	if got := faultOf(run(ctx, task, err)); got != "FileLocked" {
		t.Errorf("removing the base: %q", got)
	}
	task, err = source.Destroy(ctx)
	if got := faultOf(run(ctx, task, err)); got != "FileLocked" {
		t.Errorf("destroying the source: %q", got)
	}
	l.wantDisk("linked", "at the snapshot")

	task, err = clone.Destroy(ctx)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	l.wantDisk("source", "after that")
	task, err = source.RemoveSnapshot(ctx, "base", false, types.NewBool(true))
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	l.wantDisk("source", "after that")
}

func TestCloneOfASnapshot(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	source := l.vm("source")
	l.write("source", "then")
	snap := l.snapshot(source, "base", false)
	l.write("source", "now")
	if err := l.reconfigure(source, types.VirtualMachineConfigSpec{NumCPUs: 8}); err != nil {
		t.Fatal(err)
	}
	clone := must[*object.VirtualMachine](t)(l.clone(source, "copy", types.VirtualMachineCloneSpec{Snapshot: &snap}))
	l.wantDisk("copy", "then")
	if n := l.properties(clone).Config.Hardware.NumCPU; n != 2 {
		t.Errorf("%d processors, want those of the snapshot, 2", n)
	}
	if b := l.disk(clone); b.Parent != nil {
		t.Errorf("a full clone has a parent: %+v", b)
	}
}

// Storage vMotion moves the files and keeps snapshots; vMotion changes the host.
func TestRelocate(t *testing.T) {
	l := newLab(t, vcsim.Options{})
	ctx := t.Context()
	vm := l.vm("web")
	l.write("web", "before")
	l.snapshot(vm, "one", false)
	l.write("web", "after.")
	l.start(vm)

	fast := must[*object.Datastore](t)(l.find.Datastore(ctx, "fast"))
	host := l.hostNamed(l.Seed.Hosts[0][1])
	ref, to := fast.Reference(), host.Reference()
	task, err := vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ref, Host: &to}, types.VirtualMachineMovePriorityDefaultPriority)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	l.wantDisk("web", "after.")
	p := l.properties(vm)
	if *p.Runtime.Host != to || p.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn {
		t.Errorf("on %s, %s", p.Runtime.Host, p.Runtime.PowerState)
	}
	b := l.disk(vm)
	if !strings.HasPrefix(b.FileName, "[fast] ") || b.Parent == nil || !strings.HasPrefix(b.Parent.FileName, "[fast] ") || !strings.HasPrefix(p.Config.Files.VmPathName, "[fast] ") {
		t.Errorf("files: %s, %+v, %s", b.FileName, b.Parent, p.Config.Files.VmPathName)
	}
	if len(p.Datastore) != 1 || p.Datastore[0] != ref {
		t.Errorf("datastores %v, want %v", p.Datastore, ref)
	}
	task, err = vm.RevertToSnapshot(ctx, "one", true)
	if err := run(ctx, task, err); err != nil {
		t.Fatal(err)
	}
	l.wantDisk("web", "before")
}
