package vcsim

import (
	"os"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// CreateVirtualDiskTask makes an empty disk.
func (m *VirtualDiskManager) CreateVirtualDiskTask(ctx *simulator.Context, req *types.CreateVirtualDisk_Task) soap.HasFault {
	return m.server.start(ctx, m.Self, "CreateVirtualDisk_Task", shared, func(j *job) (types.AnyType, types.BaseMethodFault) {
		file, ds, fault := j.resolve(req.Datacenter, req.Name)
		if fault != nil {
			return nil, fault
		}
		spec, ok := req.Spec.(types.BaseFileBackedVirtualDiskSpec)
		if !ok {
			return nil, &types.InvalidArgument{InvalidProperty: "spec"}
		}
		capacity := spec.GetFileBackedVirtualDiskSpec().CapacityKb << 10
		thin := req.Spec.GetVirtualDiskSpec().DiskType == string(types.VirtualDiskTypeThin)
		switch {
		case capacity <= 0:
			return nil, &types.InvalidArgument{InvalidProperty: "spec.capacityKb"}
		case file.exists():
			return nil, &types.FileAlreadyExists{FileFault: types.FileFault{File: req.Name}}
		case !parentDir(file):
			return nil, &types.FileNotFound{FileFault: types.FileFault{File: req.Name}}
		}
		if !thin {
			if fault := j.server.room(ds, req.Name, capacity); fault != nil {
				return nil, fault
			}
		}
		if err := file.create(capacity, thin); err != nil {
			return nil, &types.CannotCreateFile{FileFault: types.FileFault{File: req.Name}}
		}
		j.server.count(j.Context, file)
		return req.Name, nil
	})
}

// ExtendVirtualDiskTask grows a disk.
func (m *VirtualDiskManager) ExtendVirtualDiskTask(ctx *simulator.Context, req *types.ExtendVirtualDisk_Task) soap.HasFault {
	return m.server.start(ctx, m.Self, "ExtendVirtualDisk_Task", shared, func(j *job) (types.AnyType, types.BaseMethodFault) {
		file, ds, fault := j.existing(req.Datacenter, req.Name)
		if fault != nil {
			return nil, fault
		}
		grow := req.NewCapacityKb<<10 - file.capacity()
		if grow < 0 || file.isDelta() {
			return nil, &types.InvalidArgument{InvalidProperty: "newCapacityKb"}
		}
		if file.ddb(ddbThin) == "" {
			if fault := j.server.room(ds, req.Name, grow); fault != nil {
				return nil, fault
			}
		}
		if err := file.setCapacity(req.NewCapacityKb << 10); err != nil {
			return nil, &types.CannotAccessFile{FileFault: types.FileFault{File: req.Name}}
		}
		j.server.count(j.Context, file)
		return nil, nil
	})
}

// DeleteVirtualDiskTask deletes a disk that no machine has.
func (m *VirtualDiskManager) DeleteVirtualDiskTask(ctx *simulator.Context, req *types.DeleteVirtualDisk_Task) soap.HasFault {
	return m.server.start(ctx, m.Self, "DeleteVirtualDisk_Task", shared, func(j *job) (types.AnyType, types.BaseMethodFault) {
		file, _, fault := j.existing(req.Datacenter, req.Name)
		if fault != nil {
			return nil, fault
		}
		if len(j.server.users(file, types.ManagedObjectReference{})) > 0 {
			return nil, &types.FileLocked{FileFault: types.FileFault{File: req.Name}}
		}
		if err := file.remove(); err != nil {
			return nil, &types.CannotDeleteFile{FileFault: types.FileFault{File: req.Name}}
		}
		j.server.count(j.Context, file)
		return nil, nil
	})
}

// MoveVirtualDiskTask renames a disk, or moves it to another datastore.
func (m *VirtualDiskManager) MoveVirtualDiskTask(ctx *simulator.Context, req *types.MoveVirtualDisk_Task) soap.HasFault {
	return m.server.start(ctx, m.Self, "MoveVirtualDisk_Task", shared, func(j *job) (types.AnyType, types.BaseMethodFault) {
		from, _, fault := j.existing(req.SourceDatacenter, req.SourceName)
		if fault != nil {
			return nil, fault
		}
		if len(j.server.users(from, types.ManagedObjectReference{})) > 0 {
			return nil, &types.FileLocked{FileFault: types.FileFault{File: req.SourceName}}
		}
		to, fault := j.vacant(other(req.DestDatacenter, req.SourceDatacenter), req.DestName, req.Force, from.usage())
		if fault != nil {
			return nil, fault
		}
		if err := from.move(to); err != nil {
			return nil, &types.CannotAccessFile{FileFault: types.FileFault{File: req.SourceName}}
		}
		j.server.count(j.Context, from)
		j.server.count(j.Context, to)
		return req.DestName, nil
	})
}

// CopyVirtualDiskTask copies a disk with all that it holds, as one without a parent.
func (m *VirtualDiskManager) CopyVirtualDiskTask(ctx *simulator.Context, req *types.CopyVirtualDisk_Task) soap.HasFault {
	return m.server.start(ctx, m.Self, "CopyVirtualDisk_Task", transfer, func(j *job) (types.AnyType, types.BaseMethodFault) {
		from, _, fault := j.existing(req.SourceDatacenter, req.SourceName)
		if fault != nil {
			return nil, fault
		}
		thin := false // what vSphere makes of no specification
		if req.DestSpec != nil {
			thin = req.DestSpec.GetVirtualDiskSpec().DiskType == string(types.VirtualDiskTypeThin)
		}
		need := from.capacity()
		if thin {
			need = from.usage()
		}
		to, fault := j.vacant(other(req.DestDatacenter, req.SourceDatacenter), req.DestName, req.Force, need)
		if fault != nil {
			return nil, fault
		}
		if j.server.storage.openElsewhere(from, types.ManagedObjectReference{}, false) {
			return nil, &types.FileLocked{FileFault: types.FileFault{File: req.SourceName}}
		}
		err := to.create(from.capacity(), thin)
		if err == nil {
			err = to.copyFrom(from)
		}
		if err != nil {
			return nil, &types.CannotAccessFile{FileFault: types.FileFault{File: req.SourceName}}
		}
		j.server.count(j.Context, to)
		return req.DestName, nil
	})
}

func other(ref, fallback *types.ManagedObjectReference) *types.ManagedObjectReference {
	if ref != nil {
		return ref
	}
	return fallback
}

// resolve finds the file of a datastore path.
func (j *job) resolve(dc *types.ManagedObjectReference, name string) (diskFile, *simulator.Datastore, types.BaseMethodFault) {
	var p object.DatastorePath
	if !p.FromString(name) {
		return "", nil, &types.InvalidDatastorePath{DatastorePath: name}
	}
	if dc == nil && j.Map.IsVPX() {
		return "", nil, &types.InvalidArgument{InvalidProperty: "datacenter"}
	}
	for _, e := range j.Map.All("Datastore") {
		ds, ok := e.(*simulator.Datastore)
		if !ok || ds.Name != p.Datastore {
			continue
		}
		if in := datacenterOf(j.Context, ds.Self); dc == nil || in != nil && in.Self == *dc {
			return fileOn(ds, name), ds, nil
		}
	}
	return "", nil, &types.InvalidDatastore{Name: p.Datastore}
}

// existing finds the file of a disk that is there.
func (j *job) existing(dc *types.ManagedObjectReference, name string) (diskFile, *simulator.Datastore, types.BaseMethodFault) {
	file, ds, fault := j.resolve(dc, name)
	if fault == nil && !file.exists() {
		fault = &types.FileNotFound{FileFault: types.FileFault{File: name}}
	}
	return file, ds, fault
}

// vacant finds the path of a disk that is to be made.
func (j *job) vacant(dc *types.ManagedObjectReference, name string, force *bool, need int64) (diskFile, types.BaseMethodFault) {
	file, ds, fault := j.resolve(dc, name)
	switch {
	case fault != nil:
		return "", fault
	case !parentDir(file):
		return "", &types.FileNotFound{FileFault: types.FileFault{File: name}}
	case !file.exists():
		return file, j.server.room(ds, name, need)
	case force == nil || !*force:
		return "", &types.FileAlreadyExists{FileFault: types.FileFault{File: name}}
	}
	_ = file.remove()
	j.server.count(j.Context, file)
	return file, j.server.room(ds, name, need)
}

func parentDir(file diskFile) bool {
	info, err := os.Stat(dirOf(file))
	return err == nil && info.IsDir()
}
