package vsphere

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// relocation is the way of a VM, or of some of its disks, to another place.
type relocation struct {
	*Backend
	m     *machine
	to    backends.PlacementSpec // what is asked for, without Storage
	home  *string                // storage of the VM's own files, nil where they stay
	disks map[string]diskMove    // by key

	spec  types.VirtualMachineRelocateSpec
	at    inventory.Place // where it goes
	edits []types.BaseVirtualDeviceConfigSpec
}

// diskMove is what a disk gets: another place, another allocation on the way, or another policy.
type diskMove struct {
	storage, provisioning, policy *string
	path                          backends.Path // to blame for the storage
}

// carryOut makes the move: what differs from where the VM is, in one task where it can be one.
func (v *relocation) carryOut(ctx context.Context) error {
	if err := v.locate(ctx); err != nil {
		return err
	}
	if err := v.store(ctx); err != nil {
		return err
	}
	if err := v.run(ctx); err != nil {
		return err
	}
	return v.remember(ctx)
}

// locate decides on host, pool and folder.
func (v *relocation) locate(ctx context.Context) error {
	if v.to.Host == nil && v.to.Cluster == nil && v.to.ResourcePool == nil && v.to.Folder == nil {
		v.at = v.m.place()
		return nil
	}
	template := v.m.Config.Template
	if template && v.to.ResourcePool != nil {
		return backends.Errorf(backends.Invalid, "", "", "a template is in no resource pool").At("placement.resource_pool")
	}
	from := v.m.place()
	at, err := v.inv.Destination(ctx, inventory.Move{From: from, To: v.to, Uses: v.uses(), Pinned: template})
	if err != nil {
		return err
	}
	v.at = at
	if at.Host != nil && (from.Host == nil || at.Host.Ref != from.Host.Ref) {
		v.spec.Host = &at.Host.Ref
	}
	if !template && at.Pool.Ref != from.Pool.Ref {
		v.spec.Pool = &at.Pool.Ref
	}
	if at.Folder.Ref != from.Folder.Ref || at.Datacenter.Ref != from.Datacenter.Ref {
		v.spec.Folder = &at.Folder.Ref
	}
	return nil
}

// uses are the networks and datastores that the VM goes on to use, wherever it goes.
func (v *relocation) uses() []types.ManagedObjectReference {
	var all []types.ManagedObjectReference
	moving := map[int32]bool{}
	for key, d := range v.m.diskDevices() {
		moving[d.Key] = v.disks[key].storage != nil
	}
	for _, d := range v.m.devices() {
		backing := d.GetVirtualDevice().Backing
		if _, nic := d.(types.BaseVirtualEthernetCard); nic {
			if network, _, ok := v.m.index.NetworkOf(backing); ok {
				all = append(all, network.Ref)
			}
			continue
		}
		file, ok := backing.(types.BaseVirtualDeviceFileBackingInfo)
		if _, cdrom := d.(*types.VirtualCdrom); !ok || moving[d.GetVirtualDevice().Key] || cdrom && !plugged(d) {
			continue
		}
		if store := file.GetVirtualDeviceFileBackingInfo().Datastore; store != nil {
			all = append(all, *store)
		}
	}
	if home, ok := v.m.homeStore(); ok && v.home == nil && !v.homeFollows() {
		all = append(all, home.Ref)
	}
	return all
}

// plugged reports whether a drive's medium is in use.
func plugged(d types.BaseVirtualDevice) bool {
	c := d.GetVirtualDevice().Connectable
	return c != nil && (c.Connected || c.StartConnected)
}

// run makes the task or the call that the move takes.
func (v *relocation) run(ctx context.Context) error {
	s := v.spec
	if len(v.edits) > 0 {
		if err := v.reconfigure(ctx, v.m, "change the storage policy", types.VirtualMachineConfigSpec{DeviceChange: v.edits}); err != nil {
			return err
		}
	}
	switch {
	case reflect.DeepEqual(s, types.VirtualMachineRelocateSpec{}):
		return nil
	case reflect.DeepEqual(s, types.VirtualMachineRelocateSpec{Folder: s.Folder}):
		return v.await(ctx, "move into the folder "+v.at.Folder.Name, "placement.folder", func(ctx context.Context) (*object.Task, error) {
			return object.NewFolder(v.conn.VIM(), *s.Folder).MoveInto(ctx, []types.ManagedObjectReference{v.m.Self})
		})
	case reflect.DeepEqual(s, types.VirtualMachineRelocateSpec{Pool: s.Pool}) && v.at.Compute.Ref == v.m.place().Compute.Ref:
		_, err := methods.MoveIntoResourcePool(ctx, v.conn.VIM(), &types.MoveIntoResourcePool{This: *s.Pool, List: []types.ManagedObjectReference{v.m.Self}})
		return blame(fault.Wrap(err, "move into the resource pool "+v.at.Pool.Name, v.m.object()), "placement.resource_pool")
	}
	return v.await(ctx, "migrate", v.blame(), func(ctx context.Context) (*object.Task, error) {
		return v.vm(v.m.id()).Relocate(ctx, s, types.VirtualMachineMovePriorityDefaultPriority)
	})
}

func (v *relocation) await(ctx context.Context, op string, path backends.Path, start func(context.Context) (*object.Task, error)) error {
	_, err := v.conn.Await(ctx, op, v.m.object(), start)
	if code := backends.CodeOf(err); code == backends.Locked || code == backends.Canceled || code == backends.Timeout {
		return err // not the attribute's fault
	}
	return blame(err, path)
}

// blame is the attribute that asks for the task.
func (v *relocation) blame() backends.Path {
	switch {
	case v.spec.Host != nil && v.to.Host != nil:
		return "placement.host"
	case v.spec.Pool != nil && v.to.Cluster != nil:
		return "placement.cluster"
	case v.spec.Pool != nil:
		return "placement.resource_pool"
	}
	for _, key := range slices.Sorted(maps.Keys(v.disks)) {
		return v.disks[key].path
	}
	return "placement.storage"
}

// remember keeps in the mark what was asked for. A VM without one gets none.
func (v *relocation) remember(ctx context.Context) error {
	const op = "write down what was asked for"
	if v.m.mark == nil {
		return nil
	}
	m := v.m
	if !reflect.DeepEqual(v.spec, types.VirtualMachineRelocateSpec{}) || len(v.edits) > 0 {
		if reflect.DeepEqual(m.mark, v.note(m.mark)) {
			return nil
		}
		var err error
		if m, err = v.machine(ctx, m.id(), op); err != nil || m.mark == nil { // with its present version
			return err
		}
	}
	k := v.note(m.mark)
	if reflect.DeepEqual(m.mark, k) {
		return nil
	}
	option, err := k.option()
	if err != nil {
		return err
	}
	return v.reconfigure(ctx, m, op, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{option}})
}

// note is a mark that knows what was asked for.
func (v *relocation) note(was *mark) *mark {
	k := was.clone()
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&k.Placement.Host, v.to.Host)
	set(&k.Placement.Cluster, v.to.Cluster)
	set(&k.Placement.ResourcePool, v.to.ResourcePool)
	set(&k.Placement.Folder, v.to.Folder)
	set(&k.Placement.Storage, v.home)
	for key, d := range v.disks {
		disk, ok := k.Disks[key]
		if !ok {
			continue
		}
		set(&disk.Storage, d.storage)
		set(&disk.Provisioning, d.provisioning)
		set(&disk.Policy, d.policy)
		k.Disks[key] = disk
	}
	return k
}
