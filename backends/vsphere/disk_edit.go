package vsphere

import (
	"slices"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// changeDisks edits the disks that stay: all that are moved leave their places before any takes another.
func (e *edit) changeDisks(stay map[string]*types.VirtualDisk) error {
	from := map[string]slot{}
	moves := map[string]bool{}
	for _, key := range diskOrder(stay) {
		have, want := e.from.Disks[key], e.to.Disks[key]
		from[key], _ = slotOf(e.m.devices(), stay[key])
		if changed(have.Bus, want.Bus) || changed(have.Slot, want.Slot) {
			moves[key] = true
			delete(e.layout.taken, from[key])
		}
	}
	for _, key := range diskOrder(stay) {
		if err := e.changeDisk(key, stay[key], from[key], moves[key]); err != nil {
			return err
		}
	}
	return nil
}

func (e *edit) changeDisk(key string, disk *types.VirtualDisk, at slot, moves bool) error {
	have, want, path := e.from.Disks[key], e.to.Disks[key], backends.Path("disks").Key(key)
	next := *disk
	dirty := false
	if moves {
		if changed(have.Bus, want.Bus) && !changed(have.Slot, want.Slot) {
			want.Slot = nil // that was on the other bus
		}
		to, err := e.settle(want, path)
		if err != nil {
			return err
		}
		e.layout.connect(&next.VirtualDevice, to)
		at, dirty, path = to, true, path.Attr("slot")
	} else if slices.Contains(e.swapped, disk.ControllerKey) {
		e.layout.connect(&next.VirtualDevice, at)
		dirty = true
	}
	// The disk of an image may have less than the GiB that it is observed as.
	if changed(have.SizeGiB, want.SizeGiB) || e.creating && want.SizeGiB != nil && *want.SizeGiB*gib > diskBytes(disk) {
		size := *want.SizeGiB * gib
		if size < diskBytes(disk) && *want.SizeGiB < value(have.SizeGiB) {
			return backends.Errorf(backends.Invalid, "", "", "a disk cannot shrink: it has %d bytes and %d are asked for", diskBytes(disk), size).At(path.Attr("size_gib"))
		}
		if size > diskBytes(disk) {
			if err := e.canGrow(disk, path.Attr("size_gib")); err != nil {
				return err
			}
			next.CapacityInBytes, next.CapacityInKB = size, size>>10
			dirty, path = true, backends.Path("disks").Key(key).Attr("size_gib")
		}
	}
	if changed(have.IOPSLimit, want.IOPSLimit) {
		limit := *want.IOPSLimit
		if limit == 0 {
			limit = -1
		}
		io := types.StorageIOAllocationInfo{}
		if disk.StorageIOAllocation != nil {
			io = *disk.StorageIOAllocation
		}
		io.Limit = &limit
		next.StorageIOAllocation = &io
		dirty = true
	}
	if changed(have.Shared, want.Shared) && (have.Shared != nil || *want.Shared) {
		if backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok {
			copied := *backing
			copied.Sharing = string(types.VirtualDiskSharingSharingNone)
			if *want.Shared {
				copied.Sharing = string(types.VirtualDiskSharingSharingMultiWriter)
			}
			next.Backing = &copied
			dirty, path = true, backends.Path("disks").Key(key).Attr("shared")
		}
	}
	k := e.mark.Disks[key]
	k.Slot, k.Keep = at.String(), value(want.KeepOnDestroy)
	if e.creating {
		k = diskMarkOf(want, at)
	}
	e.mark.Disks[key] = k
	if dirty {
		e.change(&next, path)
	}
	return nil
}

// canGrow refuses to grow a disk that is a layer above another, which vSphere does not. The disk of a new VM is
// a copy, which is whole.
func (e *edit) canGrow(disk *types.VirtualDisk, path backends.Path) error {
	if e.creating {
		return nil
	}
	return e.m.canGrow(disk, path)
}

// canGrow refuses to grow a disk that shares content, or that snapshots hold or held.
func (m *machine) canGrow(disk *types.VirtualDisk, path backends.Path) error {
	backing := flatBacking(disk)
	if shared := m.sharedContent(backing); shared != "" {
		return backends.Errorf(backends.Precondition, "", "", "the disk shares the content of %q, and vSphere does not grow what shares its content", shared).
			At(path).Advise("Make a full clone, whose disks are its own, or add another disk.")
	}
	if m.Snapshot != nil && len(m.Snapshot.RootSnapshotList) > 0 && !independent(disk) {
		return backends.Errorf(backends.Precondition, "", "", "VM %q has %s, and vSphere does not grow disks that those hold", m.Name, m.heldBy()).
			At(path).Advise("Delete them first.")
	}
	if backing.Parent != nil {
		return backends.Errorf(backends.Precondition, "", "", "the disk has layers of snapshots that were not merged").
			At(path).Advise("Consolidate the VM's disks in the vSphere client first.")
	}
	return nil
}

// checkDisk refuses what no disk can be; have is the device where it is there already.
func (e *edit) checkDisk(key string, have *types.VirtualDisk) error {
	d, path := e.to.Disks[key], backends.Path("disks").Key(key)
	invalid := func(attr, format string, args ...any) error {
		return backends.Errorf(backends.Invalid, "", "", format, args...).At(path.Attr(attr))
	}
	if _, ok := busLimits(orElse(d.Bus, defaultBus), true, 0); !ok {
		return invalid("bus", "vSphere has no bus %q for disks: there are scsi, sata, nvme and ide", *d.Bus)
	}
	if have == nil && d.Volume == nil && d.SizeGiB == nil {
		return invalid("size_gib", "a new disk needs a size")
	}
	if d.SizeGiB != nil && *d.SizeGiB < 1 {
		return invalid("size_gib", "%d GiB is less than the least, 1 GiB", *d.SizeGiB)
	}
	if value(d.IOPSLimit) < 0 || value(d.IOPSLimit) > 0 && *d.IOPSLimit < 16 {
		return invalid("iops_limit", "%d: vSphere takes 16 operations a second or more, or 0 for no limit", *d.IOPSLimit)
	}
	if !slices.Contains([]string{"", "thin", "thick", "eager_zeroed"}, value(d.Provisioning)) {
		return invalid("provisioning", `%q is none of "thin", "thick" and "eager_zeroed"`, *d.Provisioning)
	}
	if value(d.Shared) && have == nil && d.Volume == nil && d.Provisioning != nil && *d.Provisioning != "eager_zeroed" {
		return invalid("provisioning", `a disk that several VMs write to is "eager_zeroed"`)
	}
	return nil
}

func orElse[T any](p *T, other T) T {
	if p != nil {
		return *p
	}
	return other
}

// diskBytes is a disk's size: old hosts tell it in KiB only.
func diskBytes(d *types.VirtualDisk) int64 {
	if d.CapacityInBytes > 0 {
		return d.CapacityInBytes
	}
	return d.CapacityInKB << 10
}
