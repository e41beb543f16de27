package vsphere

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

const (
	rootKey    = "root"
	defaultBus = "scsi"
	gib        = int64(1) << 30
)

// diskOrder is the order in which disks take their places: the one that boots first.
func diskOrder[V any](disks map[string]V) []string {
	return slices.SortedFunc(maps.Keys(disks), func(a, b string) int {
		if (a == rootKey) != (b == rootKey) {
			if a == rootKey {
				return -1
			}
			return 1
		}
		return cmp.Compare(a, b)
	})
}

// disks takes out what goes, moves and changes what stays, and adds what comes, in this order, so that
// places that become free can be taken.
func (e *edit) disks(ctx context.Context) error {
	if e.m != nil && e.swapsControllers() {
		if err := e.swapControllers(); err != nil {
			return err
		}
	}
	present := e.disksOf
	stay := map[string]*types.VirtualDisk{}
	if !e.creating {
		e.stay = stay
	}
	for _, key := range diskOrder(present) {
		want, wanted := e.to.Disks[key]
		if !wanted || !backends.SameDisk(e.from.Disks[key], want) {
			e.removeDisk(key, present[key])
			continue
		}
		stay[key] = present[key]
	}
	for _, d := range e.others {
		e.removeDisk("", d)
	}
	if err := e.removeUnused(ctx); err != nil {
		return err
	}
	var added []string
	for _, key := range diskOrder(e.to.Disks) {
		if stay[key] == nil {
			added = append(added, key)
		}
		if err := e.checkDisk(key, stay[key]); err != nil {
			return err
		}
	}
	// Those that say where they go before those that take what is left.
	slices.SortStableFunc(added, func(a, b string) int {
		return cmp.Compare(asInt(e.to.Disks[a].Slot == nil), asInt(e.to.Disks[b].Slot == nil))
	})
	if err := e.changeDisks(stay); err != nil {
		return err
	}
	for _, key := range added {
		if err := e.addDisk(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func asInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// removeDisk takes a disk out of the VM, and its file with it where that is the VM's own and nobody asked to keep it.
func (e *edit) removeDisk(key string, d *types.VirtualDisk) {
	change := e.remove(d, backends.Path("disks").Key(key))
	if s, ok := slotOf(e.m.devices(), d); ok {
		delete(e.layout.taken, s)
	}
	k := e.mark.Disks[key]
	delete(e.mark.Disks, key)
	if !e.creating && k.Volume == "" && !k.Keep && key != "" {
		change.FileOperation = types.VirtualDeviceConfigSpecFileOperationDestroy
	}
}

// diskMarkOf is what the mark keeps of a disk.
func diskMarkOf(d backends.Disk, at slot) diskMark {
	return diskMark{
		Slot: at.String(), Keep: value(d.KeepOnDestroy), Volume: value(d.Volume), Storage: value(d.Storage),
		Provisioning: value(d.Provisioning), Policy: value(d.Policy),
	}
}

// settle chooses the place of a disk: the one that is asked for, or a free one.
func (e *edit) settle(d backends.Disk, path backends.Path) (slot, error) {
	name := cmp.Or(value(d.Bus), defaultBus)
	if d.Slot == nil {
		return e.layout.free(name, path)
	}
	s, err := parsePlace(name, *d.Slot)
	if err != nil {
		return s, blame(err, path.Attr("slot"))
	}
	return s, e.layout.take(s, path)
}

func (e *edit) addDisk(ctx context.Context, key string) error {
	want, path := e.to.Disks[key], backends.Path("disks").Key(key)
	at, err := e.settle(want, path)
	if err != nil {
		return err
	}
	disk := &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: e.layout.newKey()}}
	e.layout.connect(&disk.VirtualDevice, at)
	backing := &types.VirtualDiskFlatVer2BackingInfo{DiskMode: string(types.VirtualDiskModePersistent)}
	disk.Backing = backing
	if value(want.IOPSLimit) > 0 {
		disk.StorageIOAllocation = &types.StorageIOAllocationInfo{Limit: want.IOPSLimit}
	}
	if value(want.Shared) {
		backing.Sharing = string(types.VirtualDiskSharingSharingMultiWriter)
	}
	e.mark.Disks[key] = diskMarkOf(want, at)
	if want.Volume != nil {
		backing.FileName = *want.Volume
		// Snapshots leave out what has a life of its own.
		backing.DiskMode = string(types.VirtualDiskModeIndependent_persistent)
		e.add(disk, path.Attr("volume"))
		return nil
	}
	size := value(want.SizeGiB) * gib
	store, err := e.inv.Storage(ctx, e.place, want.Storage, size)
	if err != nil {
		return blame(err, path.Attr("storage"))
	}
	var profile []types.BaseVirtualMachineProfileSpec
	if want.Policy != nil && *want.Policy != "" {
		if store, profile, err = e.storeFor(ctx, want, store, size); err != nil {
			return blame(err, path.Attr("policy"))
		}
	}
	e.datastores[key] = store
	disk.CapacityInBytes, disk.CapacityInKB = size, size>>10
	backing.FileName, backing.Datastore = root(store), &store.Ref
	provision(backing, value(want.Provisioning), value(want.Shared))
	change := e.add(disk, path)
	change.FileOperation, change.Profile = types.VirtualDeviceConfigSpecFileOperationCreate, profile
	return nil
}

// provision says how a new disk takes its space. What several VMs write to is zeroed beforehand: vSphere wants that.
func provision(b *types.VirtualDiskFlatVer2BackingInfo, how string, shared bool) {
	if how == "" && shared {
		how = "eager_zeroed"
	}
	b.ThinProvisioned = new(how == "thin" || how == "")
	if how == "eager_zeroed" {
		b.EagerlyScrub = new(true)
	}
}
