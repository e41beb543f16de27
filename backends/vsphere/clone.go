package vsphere

import (
	"context"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// CloneVM makes a VM from another one, a template or a snapshot, in one task of vCenter, and leaves it stopped. The
// interfaces of the clone are new, its disks copies or layers above the source's.
//
// Firmware variables and the state of a TPM are copied by vSphere.
func (b *Backend) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	const op = "create"
	name := backends.VMObject(spec.Spec.Name)
	if err := backends.Vet(b.catalogue(), &backends.VMSpec{}, &spec.Spec, backends.CloneRequirements(spec), op, name); err != nil {
		return "", err
	}
	if spec.Spec.Image != "" || spec.Spec.Template != "" {
		return "", backends.Errorf(backends.Invalid, op, name, "a clone is made from its source, not from an image or template").At("image")
	}
	as := cloneAs{source: spec.Source, snapshot: spec.Snapshot, linked: spec.Linked, path: "source_vm"}
	id, err := b.clone(ctx, &spec.Spec, as)
	return id, backends.Wrap(err, op, name)
}

// clone makes a VM from another one.
func (b *Backend) clone(ctx context.Context, spec *backends.VMSpec, as cloneAs) (backends.ID, error) {
	began := time.Now()
	unlock, unpin := func() {}, func() {}
	if as.linked {
		var err error
		if unlock, err = b.links.lock(ctx, as.source); err != nil {
			return "", err
		}
		unpin = b.links.pin(as.source)
	} else if _, err := b.links.thaws.wait(ctx, as.source); err != nil {
		return "", err
	}
	defer unlock()
	defer unpin()
	id, err := b.cloneLocked(ctx, spec, as, began, unlock)
	if err != nil && as.linked && as.snapshot == "" {
		unlock()
		unpin()
		limit := tidyTime
		if ctx.Err() != nil {
			limit = hurry // somebody waits for the end
		}
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		b.tidyOrigin(tidy, as.source)
	}
	return id, err
}

// What bounds the removal of a base whose clone failed.
const (
	tidyTime = time.Minute
	hurry    = 4 * time.Second
)

// cloneLocked gives the lock of the source of a linked clone back once its base is there.
func (b *Backend) cloneLocked(ctx context.Context, spec *backends.VMSpec, as cloneAs, began time.Time, unlock func()) (backends.ID, error) {
	if err := checkName(spec.Name); err != nil {
		return "", err
	}
	src, err := b.source(ctx, as)
	if err != nil {
		return "", err
	}
	want, err := src.inherit(spec, as)
	if err != nil {
		return "", err
	}
	place, err := b.inv.Place(ctx, want.Placement)
	if err != nil {
		return "", err
	}
	if id, err := b.claim(ctx, place, spec); id != "" || err != nil {
		return id, err
	}
	bld, err := b.buildConfig(ctx, place, want, src.then, src.devices(want))
	if err != nil {
		return "", err
	}
	if as.linked && src.snapshot == nil {
		ref, err := b.base(ctx, src.now, began)
		if err != nil {
			return "", err
		}
		src.snapshot = &ref
	}
	unlock()
	if err := src.note(bld, as); err != nil {
		return "", err
	}
	id, err := b.copy(ctx, src, want, bld, as)
	b.links.sharers.forget()
	if err != nil {
		return id, err
	}
	if err := b.upgradeClone(ctx, id, src.then, want); err != nil {
		return id, err
	}
	return id, b.finish(ctx, id, want, bld)
}

// upgradeClone raises the virtual hardware of a clone, which vCenter makes with its source's version whatever it is told.
func (b *Backend) upgradeClone(ctx context.Context, id backends.ID, from *machine, want *backends.VMSpec) error {
	if want.VSphere == nil || value(want.VSphere.HardwareVersion) <= hardwareVersion(from.Config.Version) {
		return nil
	}
	m, err := b.machine(ctx, id, "create")
	if err != nil {
		return err
	}
	return b.upgrade(ctx, m, *want.VSphere.HardwareVersion)
}

// note writes into the mark of a clone what a deletion has to know, also where the creation does not end.
func (s *source) note(bld *build, as cloneAs) error {
	bld.mark.Cloned = !as.content
	if as.linked {
		bld.mark.Origin = s.now.Self.Value
	}
	return bld.sign()
}

// copy has vCenter clone the source. The id comes next to an error where the VM exists all the same.
func (b *Backend) copy(ctx context.Context, src *source, want *backends.VMSpec, bld *build, as cloneAs) (backends.ID, error) {
	name := backends.VMObject(want.Name)
	folder := object.NewFolder(b.conn.VIM(), bld.place.Folder.Ref)
	info, err := b.conn.Await(ctx, "create", name, func(ctx context.Context) (*object.Task, error) {
		return b.vm(src.now.id()).Clone(ctx, folder, escaped(want.Name), src.cloneSpec(want, bld, as))
	})
	var id backends.ID
	if info != nil {
		if ref, ok := info.Result.(types.ManagedObjectReference); ok {
			id = backends.ID(ref.Value)
		}
	}
	switch {
	case err == nil && id == "":
		return "", backends.Errorf(backends.Internal, "create", name, "vSphere answered no VM")
	case err == nil:
		return id, nil
	case id != "":
		return id, bld.explain(err)
	}
	return b.afterwards(ctx, want, bld, err)
}

// cloneSpec is what CloneVM_Task takes. Changes of devices are in its config: those in its location may name the network of an
// interface or the policy of a disk, and vSphere ignores all others (VirtualMachineRelocateSpec.deviceChange).
func (s *source) cloneSpec(want *backends.VMSpec, bld *build, as cloneAs) types.VirtualMachineCloneSpec {
	spec := types.VirtualMachineCloneSpec{Config: &bld.spec, Snapshot: s.snapshot}
	spec.Location.Pool, spec.Location.Datastore = &bld.place.Pool.Ref, &bld.home.Ref
	if bld.place.Host != nil {
		spec.Location.Host = &bld.place.Host.Ref
	}
	if as.linked {
		spec.Location.DiskMoveType = string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)
	}
	s.ownFiles(bld)
	from := map[int32]string{}
	for key, device := range s.devices(want) {
		from[device] = key
	}
	for _, d := range s.then.devices() {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		key, kept := from[disk.Key]
		if !kept {
			continue
		}
		store, ok := bld.datastores[key]
		if !ok {
			store = bld.home
		}
		l := s.locator(disk, key, store, want.Disks[key], as)
		l.Profile = bld.profiles[key]
		spec.Location.Disk = append(spec.Location.Disk, l)
	}
	return spec
}

// ownFiles takes the source's files out of the changes to disks, which are the clone's once they are made, and has
// copies of what snapshots of the source leave out take part in those of the clone.
func (s *source) ownFiles(bld *build) {
	for _, c := range bld.spec.DeviceChange {
		c := c.GetVirtualDeviceConfigSpec()
		disk, ok := c.Device.(*types.VirtualDisk)
		if !ok || c.Operation != types.VirtualDeviceConfigSpecOperationEdit {
			continue
		}
		own := *disk
		backing := *flatBacking(disk)
		backing.FileName, backing.Datastore, backing.BackingObjectId, backing.Parent = "", nil, nil, nil
		backing.Uuid, backing.ContentId, backing.ChangeId = "", "", ""
		if independent(disk) {
			backing.DiskMode = string(types.VirtualDiskModePersistent)
		}
		own.Backing = &backing
		c.Device = &own
	}
}

// locator says where a disk goes and how. What snapshots leave out cannot be shared, so it is copied.
func (s *source) locator(disk *types.VirtualDisk, key string, store inventory.Object, want backends.Disk, as cloneAs) types.VirtualMachineRelocateSpecDiskLocator {
	l := types.VirtualMachineRelocateSpecDiskLocator{DiskId: disk.Key, Datastore: store.Ref}
	if as.linked && !independent(disk) {
		l.DiskMoveType = string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)
		return l
	}
	if as.linked || independent(disk) {
		l.DiskMoveType = string(types.VirtualMachineRelocateDiskMoveOptionsMoveAllDiskBackingsAndDisallowSharing)
	}
	if how := value(want.Provisioning); how != "" && (how != value(s.spec.Disks[key].Provisioning) || independent(disk)) {
		l.DiskBackingInfo = &types.VirtualDiskFlatVer2BackingInfo{
			DiskMode:        string(types.VirtualDiskModePersistent),
			ThinProvisioned: types.NewBool(how == "thin"), EagerlyScrub: types.NewBool(how == "eager_zeroed"),
		}
	}
	return l
}
