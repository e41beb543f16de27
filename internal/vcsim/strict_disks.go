package vcsim

import (
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

// backing refuses a file on a datastore that there is not.
func (d *deviceCheck) backing(backing types.BaseVirtualDeviceBackingInfo) types.BaseMethodFault {
	file, ok := backing.(types.BaseVirtualDeviceFileBackingInfo)
	if !ok {
		return nil
	}

	path := file.GetVirtualDeviceFileBackingInfo().FileName
	if path == "" {
		return nil
	}

	datacenter, _ := d.server.roster.above(d.folder, "Datacenter")

	ref, f := d.datastore(datacenter, path)
	if f != nil {
		return f
	}

	if d.host == nil {
		return nil
	}

	if f := d.mounted(*d.host, ref); f != nil {
		if _, ok := f.(*types.InaccessibleDatastore); ok {
			return f
		}
	}

	return nil
}

// newDisk refuses a disk that cannot be made or attached.
func (d *deviceCheck) newDisk(i int, s *types.VirtualDeviceConfigSpec, disk *types.VirtualDisk) types.BaseMethodFault {
	if f := d.backing(disk.Backing); f != nil {
		return f
	}

	if s.FileOperation != types.VirtualDeviceConfigSpecFileOperationCreate {
		return nil
	}

	if capacityOf(disk) <= 0 {
		return d.invalid(i, "The disk has no capacity.")
	}

	if b, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && !truth(b.ThinProvisioned) {
		d.need[d.store(b.FileName, b.Datastore)] += capacityOf(disk)
	}

	return nil
}

// store returns the datastore that a disk's file is on.
func (d *deviceCheck) store(path string, ref *types.ManagedObjectReference) types.ManagedObjectReference {
	if path == "" && d.machine != nil {
		path = d.machine.Config.Files.VmPathName
	}

	var p object.DatastorePath
	if p.FromString(path) {
		datacenter, _ := d.server.roster.above(d.folder, "Datacenter")
		if ds, ok := d.server.roster.within(datacenter, "Datastore", p.Datastore); ok {
			return ds
		}
	}

	if ref != nil && ref.Value != "" {
		return *ref
	}

	return d.home
}

// sameDisk refuses to shrink a disk, and to grow one that others build on.
func (d *deviceCheck) sameDisk(i int, old, disk *types.VirtualDisk) types.BaseMethodFault {
	before, after := capacityOf(old), wanted(old, disk)

	if after < 0 {
		return d.invalid(i, "The capacities in bytes and in kilobytes differ.")
	}

	if after < before {
		return d.operation(i, types.VirtualDeviceConfigSpecOperationEdit, "A disk cannot be shrunk.")
	}

	if after == before {
		return nil
	}

	flat, _ := old.Backing.(*types.VirtualDiskFlatVer2BackingInfo)

	independent := flat != nil && flat.DiskMode == string(types.VirtualDiskModeIndependent_persistent)
	snap := d.machine.Snapshot

	if !independent && snap != nil && len(snap.RootSnapshotList) > 0 || flat != nil && flat.Parent != nil {
		return d.operation(i, types.VirtualDeviceConfigSpecOperationEdit, "A disk with snapshots or a parent cannot be extended.")
	}

	if _, ide := d.devices[old.ControllerKey].(*types.VirtualIDEController); ide && d.running {
		return wrongPower(stateOn, stateOff)
	}

	if flat != nil && !truth(flat.ThinProvisioned) {
		d.need[d.store(flat.FileName, flat.Datastore)] += after - before
	}

	return nil
}

// wanted returns the capacity that a change asks for. It may be in either
// unit; the one that is as it was is not looked at.
func wanted(old, disk *types.VirtualDisk) int64 {
	before := capacityOf(old)
	bytes, kilobytes := disk.CapacityInBytes, disk.CapacityInKB<<10

	switch {
	case bytes == 0 || bytes == before:
		if kilobytes == 0 {
			return before
		}

		return kilobytes
	case kilobytes == 0 || kilobytes == before || kilobytes == bytes:
		return bytes
	default:
		return -1
	}
}
