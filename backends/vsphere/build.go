package vsphere

import (
	"context"
	"maps"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// build is a VM in the making: what CreateVM_Task or CloneVM_Task takes, and what is left to do afterwards.
type build struct {
	spec  types.VirtualMachineConfigSpec
	place inventory.Place
	mark  *mark // as in spec; with it changed, write it again by sign
	// datastores has the place of each disk of the VM's own by its key, home that of its other files.
	datastores map[string]inventory.Object
	home       inventory.Object
	profiles   map[string][]types.BaseVirtualMachineProfileSpec // policies of the disks that are cloned, by key

	blames []backends.Path // of spec.DeviceChange, by index
	boot   bool            // the boot order waits for the keys of devices
}

// buildConfig lays a VM out: from nothing where base is nil, else as changes to the devices of base, the VM or
// the snapshot that is cloned. baseDisks has, by key, the device key in base of the disk that is made from it; the other
// disks of base, its interfaces, drives and host devices are taken out. Everything that can be refused is refused here.
func (b *Backend) buildConfig(ctx context.Context, place inventory.Place, spec *backends.VMSpec, base *machine, baseDisks map[string]int32) (*build, error) {
	uuid := newInstanceUUID()
	e := &edit{
		Backend: b, from: &backends.VMSpec{}, to: spec, m: base, creating: true, place: place,
		mark: newMark(spec, uuid), datastores: map[string]inventory.Object{}, disksOf: map[string]*types.VirtualDisk{},
	}
	if base != nil {
		if err := e.onto(base, baseDisks); err != nil {
			return nil, err
		}
	}
	e.mark.Tags = b.markTags(spec.Tags)
	if spec.VSphere != nil {
		e.mark.Attributes = slices.Sorted(maps.Keys(spec.VSphere.CustomAttributes))
	}
	e.newLayout()
	if err := e.volumes(ctx); err != nil {
		return nil, err
	}
	if err := e.build(ctx); err != nil {
		return nil, err
	}
	if guest := e.guestID(); guest != "" && datasourceOf(spec) == fromCustomization {
		if err := checkFamily(guest, *spec.Customization); err != nil {
			return nil, err
		}
	}
	bld := &build{spec: e.spec, place: place, mark: e.mark, datastores: e.datastores, blames: e.blames, boot: e.boot}
	if err := e.settleHome(ctx, bld); err != nil {
		return nil, err
	}
	bld.spec.InstanceUuid = uuid
	bld.mark.Partial = bld.unfinished(b, spec) || base != nil
	return bld, bld.sign()
}

// guestID is vSphere's name for the guest operating system of the VM in the making, "" where vSphere chooses.
func (e *edit) guestID() string {
	if e.spec.GuestId == "" && e.m != nil {
		return e.m.Config.GuestId
	}
	return e.spec.GuestId
}

// onto makes the edit one of the source of a clone.
func (e *edit) onto(base *machine, baseDisks map[string]int32) error {
	vm, err := base.observe(backends.AspectConfig)
	if err != nil {
		return err
	}
	from := vm.Config
	from.Disks, from.Networks, from.CDROM, from.HostDevices = map[string]backends.Disk{}, nil, nil, nil
	used := map[int32]bool{}
	for key, device := range baseDisks {
		disk, ok := base.devices().FindByKey(device).(*types.VirtualDisk)
		if !ok {
			return backends.Errorf(backends.Internal, "", "", "the source has no disk with the device key %d", device).At(backends.Path("disks").Key(key))
		}
		used[device] = true
		e.disksOf[key] = disk
		d, _ := base.observeDisk(base.keyOf(disk), disk)
		d.Volume = nil // a copy is the clone's own
		from.Disks[key] = d
	}
	for _, d := range base.devices() {
		if disk, ok := d.(*types.VirtualDisk); ok && !used[disk.Key] {
			e.others = append(e.others, disk)
		}
	}
	if base.mark != nil && base.mark.Flat {
		e.mark.Flat = true
	}
	e.from = &from
	// Keys that the source's owner set are set in the clone too, and those of its seed are the seed's to clear.
	return nil
}

// settleHome chooses where the VM's own files go: where placement.storage says, else with its first disk.
func (e *edit) settleHome(ctx context.Context, bld *build) error {
	bld.profiles = map[string][]types.BaseVirtualMachineProfileSpec{}
	for key, disk := range e.disksOf {
		if !e.creating {
			break
		}
		want, path := e.to.Disks[key], backends.Path("disks").Key(key)
		store, err := e.inv.Storage(ctx, e.place, want.Storage, diskBytes(disk))
		if err != nil {
			return blame(err, path.Attr("storage"))
		}
		if value(want.Policy) != "" {
			if store, bld.profiles[key], err = e.storeFor(ctx, want, store, diskBytes(disk)); err != nil {
				return blame(err, path.Attr("policy"))
			}
		}
		bld.datastores[key] = store
	}
	if e.to.Placement.Storage == nil {
		for _, key := range diskOrder(bld.datastores) {
			bld.home = bld.datastores[key]
			break
		}
	}
	if bld.home.Ref.Value == "" {
		var err error
		if bld.home, err = e.inv.Storage(ctx, e.place, nil, 0); err != nil {
			return err
		}
	}
	bld.spec.Files = &types.VirtualMachineFileInfo{VmPathName: root(bld.home)}
	return nil
}

// root is the datastore itself, where vSphere chooses the folder.
func root(store inventory.Object) string { return "[" + escaped(store.Name) + "]" }

// unfinished reports whether something is left to do when the VM exists.
func (bld *build) unfinished(b *Backend, spec *backends.VMSpec) bool {
	return bld.boot || datasourceOf(spec) != "" || len(spec.Tags) > 0 && b.conn.VCenter() ||
		spec.VSphere != nil && len(spec.VSphere.CustomAttributes) > 0
}

// sign writes the mark into the specification.
func (bld *build) sign() error {
	option, err := bld.mark.option()
	if err != nil {
		return err
	}
	for i, o := range bld.spec.ExtraConfig {
		if o.GetOptionValue().Key == markKey {
			bld.spec.ExtraConfig[i] = option
			return nil
		}
	}
	bld.spec.ExtraConfig = append(bld.spec.ExtraConfig, option)
	return nil
}

// newMark is the mark of a VM of our own; its devices are entered as they are laid out.
func newMark(spec *backends.VMSpec, uuid string) *mark {
	p := spec.Placement
	return &mark{
		VM: uuid, Token: spec.CreateToken,
		Disks: map[string]diskMark{}, NICs: map[string]nicMark{},
		Placement: placementMark{
			Host: value(p.Host), Cluster: value(p.Cluster), ResourcePool: value(p.ResourcePool), Folder: value(p.Folder), Storage: value(p.Storage),
		},
	}
}

// clone returns a mark that can be changed.
func (k *mark) clone() *mark {
	c := *k
	c.Disks, c.NICs, c.HostDevices = maps.Clone(k.Disks), maps.Clone(k.NICs), maps.Clone(k.HostDevices)
	if c.Disks == nil {
		c.Disks = map[string]diskMark{}
	}
	if c.NICs == nil {
		c.NICs = map[string]nicMark{}
	}
	return &c
}

// newLayout starts from the controllers that there are.
func (e *edit) newLayout() {
	kind := "pvscsi"
	if e.m != nil {
		kind = orElse(e.m.observeSCSIType(), kind)
	}
	if o := e.to.VSphere; o != nil && o.SCSIType != nil {
		kind = *o.SCSIType
	}
	var devices object.VirtualDeviceList
	if e.m != nil {
		devices = e.m.devices()
	}
	e.layout = newLayout(devices, e.hardwareVersion(), kind)
	e.layout.add = e.add
}

// keyOf is the key of one of the VM's disks.
func (m *machine) keyOf(disk *types.VirtualDisk) string {
	for key, d := range m.diskDevices() {
		if d.Key == disk.Key {
			return key
		}
	}
	return ""
}
