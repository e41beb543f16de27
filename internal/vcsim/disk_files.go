package vcsim

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// DeleteDatastoreFileTask deletes a file, or a folder with all that is in it,
// unless a machine that runs has a disk of it open.
func (m *FileManager) DeleteDatastoreFileTask(ctx *simulator.Context, req *types.DeleteDatastoreFile_Task) soap.HasFault {
	return m.server.start(ctx, m.Self, "DeleteDatastoreFile_Task", shared, func(j *job) (types.AnyType, types.BaseMethodFault) {
		path, _, fault := j.resolve(req.Datacenter, req.Name)
		if fault != nil {
			return nil, fault
		}
		disks := j.server.storage.under(path)
		for _, d := range disks {
			if j.server.storage.openElsewhere(d, types.ManagedObjectReference{}, false) {
				return nil, &types.FileLocked{FileFault: types.FileFault{File: req.Name}}
			}
		}
		_, fault = j.step(m.Self, func() soap.HasFault { return m.FileManager.DeleteDatastoreFileTask(j.Context, req) })
		for _, d := range disks {
			j.server.count(j.Context, d)
		}
		return nil, fault
	})
}

// under returns the disks whose files are that one or lie in it.
func (st *storage) under(path diskFile) []diskFile {
	st.mu.Lock()
	defer st.mu.Unlock()
	var list []diskFile
	for d := range st.taken {
		if d == path || d.extent() == string(path) || strings.HasPrefix(string(d), string(path)+"/") {
			list = append(list, d)
		}
	}
	return list
}
