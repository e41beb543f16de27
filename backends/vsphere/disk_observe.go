package vsphere

import (
	"path"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
)

// diskDevices are the VM's disks by key: that of the mark, else the slot's name ("scsi0-1").
func (m *machine) diskDevices() map[string]*types.VirtualDisk {
	keys := map[int32]string{}
	if m.mark != nil {
		for key, d := range m.mark.Disks {
			keys[d.Device] = key
		}
	}
	disks := map[string]*types.VirtualDisk{}
	list := m.devices()
	for _, d := range list {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		key, known := keys[disk.Key]
		if !known {
			s, ok := slotOf(list, disk)
			if !ok {
				key = list.Name(disk)
			} else {
				key = strings.ReplaceAll(s.String(), ":", "-") // what the schema takes as a key
			}
			if _, taken := disks[key]; taken {
				key = list.Name(disk)
			}
		}
		disks[key] = disk
	}
	return disks
}

// observeDisks returns the VM's disks by key.
func (m *machine) observeDisks() (map[string]backends.Disk, map[string]backends.DiskStatus) {
	disks, status := map[string]backends.Disk{}, map[string]backends.DiskStatus{}
	for key, device := range m.diskDevices() {
		disks[key], status[key] = m.observeDisk(key, device)
	}
	return disks, status
}

// markOf is what is known of a disk beyond what vSphere tells.
func (m *machine) markOf(key string, device *types.VirtualDisk) diskMark {
	if m.mark != nil {
		if k, known := m.mark.Disks[key]; known {
			return k
		}
	}
	k := diskMark{Device: device.Key}
	if at, ok := slotOf(m.devices(), device); ok {
		k.Slot = at.String()
	}
	if file := ownFile(flatBacking(device)); ourVolume(file) {
		k.Volume = file
	}
	return k
}

func (m *machine) observeDisk(key string, device *types.VirtualDisk) (backends.Disk, backends.DiskStatus) {
	k := m.markOf(key, device)
	bytes := diskBytes(device)
	d := backends.Disk{
		SizeGiB: new(max(bytes/gib, 1)), Format: new("vmdk"), KeepOnDestroy: new(k.Keep),
		IOPSLimit: new(int64(0)),
	}
	s := backends.DiskStatus{SizeBytes: bytes, Owned: k.Volume == ""}
	if at, ok := slotOf(m.devices(), device); ok {
		d.Bus, d.Slot = &at.bus, new(at.place())
		s.Device = at.String()
	}
	if io := device.StorageIOAllocation; io != nil && value(io.Limit) > 0 {
		d.IOPSLimit = io.Limit
	}
	backing := flatBacking(device)
	s.Path, s.VolumeID = backing.FileName, ownFile(backing)
	d.Shared = new(backing.Sharing == string(types.VirtualDiskSharingSharingMultiWriter))
	d.Provisioning = observeProvisioning(backing)
	if backing.Parent != nil && k.Provisioning != "" {
		d.Provisioning = &k.Provisioning // a layer over the disk says nothing of how that takes its space
	}
	if backing.Datastore != nil {
		d.Storage = new(m.index.Spelling(k.Storage, *backing.Datastore))
	}
	if k.Policy != "" {
		d.Policy = new(m.policyOf(device.Key, k.Policy))
	}
	if k.Volume != "" {
		d.Volume = new(k.Volume)
		if backing.Parent == nil && backing.FileName != k.Volume {
			d.Volume = &backing.FileName // another one was put there
		}
		s.VolumeID = *d.Volume
	}
	s.Backing = m.sharedContent(backing)
	return d, s
}

// flatBacking is where a disk's bytes are; of those that are no file of a datastore only the name.
func flatBacking(d *types.VirtualDisk) *types.VirtualDiskFlatVer2BackingInfo {
	switch b := d.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		return b
	case types.BaseVirtualDeviceFileBackingInfo:
		return &types.VirtualDiskFlatVer2BackingInfo{VirtualDeviceFileBackingInfo: *b.GetVirtualDeviceFileBackingInfo()}
	}
	return &types.VirtualDiskFlatVer2BackingInfo{}
}

func observeProvisioning(b *types.VirtualDiskFlatVer2BackingInfo) *string {
	switch {
	case value(b.ThinProvisioned):
		return new("thin")
	case value(b.EagerlyScrub):
		return new("eager_zeroed")
	case b.ThinProvisioned != nil || b.EagerlyScrub != nil:
		return new("thick")
	}
	return nil
}

// ownFile is the file that a disk is once the layers of snapshots are merged: the lowest that is not another VM's.
func ownFile(b *types.VirtualDiskFlatVer2BackingInfo) string {
	file := b.FileName
	for p := b.Parent; p != nil && folderOf(p.FileName) == folderOf(file); p = p.Parent {
		file = p.FileName
	}
	return file
}

// ourVolume reports whether a file lies where disks are made that are no VM's. A VM that has it attached does not own it,
// whatever became of its mark.
func ourVolume(file string) bool {
	_, name, ok := datastore.Parse(file)
	return ok && strings.HasPrefix(name, ourFolder+"/")
}

// sharedContent is the file that a disk shares content with copy-on-write: one below its layers that
// lies in another VM's folder.
func (m *machine) sharedContent(b *types.VirtualDiskFlatVer2BackingInfo) string {
	folder := folderOf(b.FileName)
	for p := b.Parent; p != nil; p = p.Parent {
		if folderOf(p.FileName) != folder {
			return p.FileName
		}
	}
	return ""
}

// folderOf is the folder of a file of a datastore, "[ds] web".
func folderOf(file string) string {
	var p object.DatastorePath
	if !p.FromString(file) {
		return file
	}
	p.Path = path.Dir(p.Path)
	return p.String()
}
