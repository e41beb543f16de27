package vcsim

import (
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// HostDatastoreBrowser answers the calls to a browser of datastores.
type HostDatastoreBrowser struct {
	*simulator.HostDatastoreBrowser

	server *Server
}

// SearchDatastoreTask lists the files of one directory, and tells of virtual
// disks what a query of theirs asks for. The extents of disks are not listed
// where queries name the types of files, unless one is for files of all types.
func (b *HostDatastoreBrowser) SearchDatastoreTask(ctx *simulator.Context, req *types.SearchDatastore_Task) soap.HasFault {
	ref, fault := b.server.begin(ctx, b.Self, "SearchDatastore_Task", shared, func(j *job) (types.AnyType, types.BaseMethodFault) {
		result, fault := j.step(b.Self, func() soap.HasFault { return b.HostDatastoreBrowser.SearchDatastoreTask(j.Context, req) })
		found, ok := result.(types.HostDatastoreBrowserSearchResults)
		if fault != nil || !ok {
			return result, fault
		}
		j.describeDisks(&found, req.SearchSpec)
		return found, nil
	})
	if fault != nil {
		return refusal(fault)
	}
	return &methods.SearchDatastore_TaskBody{Res: &types.SearchDatastore_TaskResponse{Returnval: ref}}
}

// describeDisks fills in what was asked of the virtual disks that were found.
func (j *job) describeDisks(found *types.HostDatastoreBrowserSearchResults, spec *types.HostDatastoreBrowserSearchSpec) {
	var want *types.VmDiskFileQueryFlags
	if spec != nil {
		for _, q := range spec.Query {
			if q, ok := q.(*types.VmDiskFileQuery); ok && q.Details != nil {
				want = q.Details
			}
		}
	}
	if want == nil || found.Datastore == nil {
		return
	}
	ds, ok := j.Map.Get(*found.Datastore).(*simulator.Datastore)
	if !ok {
		return
	}
	var dir object.DatastorePath
	if !dir.FromString(found.FolderPath) {
		return
	}
	for _, f := range found.File {
		info, ok := f.(*types.VmDiskFileInfo)
		if !ok {
			continue
		}
		file := fileOn(ds, (&object.DatastorePath{Datastore: dir.Datastore, Path: dir.Path + "/" + info.Path}).String())
		if want.CapacityKb {
			info.CapacityKb = file.capacity() / 1024
		}
		if want.DiskType {
			info.DiskType = "VirtualDiskFlatVer2BackingInfo"
		}
		if want.Thin != nil && *want.Thin {
			info.Thin = types.NewBool(file.ddb(ddbThin) != "")
		}
	}
}
