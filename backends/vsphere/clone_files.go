package vsphere

import (
	"github.com/vmware/govmomi/vim25/types"
)

// fileOf is the datastore path of the file that a disk's content is written to, "" where it has none.
func fileOf(d *types.VirtualDisk) string {
	if b, ok := d.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		return b.GetVirtualDeviceFileBackingInfo().FileName
	}
	return ""
}

// parentOf is the path of the file below that one, "" where a disk is whole.
func parentOf(d *types.VirtualDisk) string {
	if chain := chainOf(d.Backing); len(chain) > 1 {
		return chain[1]
	}
	return ""
}

// chainOf returns the files that make up a disk, the one that is written to first.
func chainOf(backing types.BaseVirtualDeviceBackingInfo) []string {
	var chain []string
	for backing != nil {
		b, ok := backing.(types.BaseVirtualDeviceFileBackingInfo)
		if !ok {
			break
		}
		chain = append(chain, b.GetVirtualDeviceFileBackingInfo().FileName)
		backing = below(backing)
	}
	return chain
}

func below(backing types.BaseVirtualDeviceBackingInfo) types.BaseVirtualDeviceBackingInfo {
	// A typed nil would be an interface that is not nil.
	switch b := backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		if b.Parent != nil {
			return b.Parent
		}
	case *types.VirtualDiskSeSparseBackingInfo:
		if b.Parent != nil {
			return b.Parent
		}
	case *types.VirtualDiskSparseVer2BackingInfo:
		if b.Parent != nil {
			return b.Parent
		}
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		if b.Parent != nil {
			return b.Parent
		}
	}
	return nil
}

// files are the disk files that the VM's hardware and snapshots need, as far as they were read.
func (m *machine) files() map[string]bool {
	all := map[string]bool{}
	for _, d := range m.devices() {
		if disk, ok := d.(*types.VirtualDisk); ok {
			for _, file := range chainOf(disk.Backing) {
				all[file] = true
			}
		}
	}
	if m.LayoutEx != nil {
		for _, f := range m.LayoutEx.File {
			if f.Type == string(types.VirtualMachineFileLayoutExFileTypeDiskDescriptor) {
				all[f.Name] = true
			}
		}
	}
	return all
}
