package vcsim

import (
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// storage is what a server knows of the disks on its datastores: how much
// space each takes, and which machine has it in its hardware or in a snapshot.
type storage struct {
	mu    sync.Mutex
	taken map[diskFile]taken
	other map[types.ManagedObjectReference]int64 // of a datastore, what is no disk's
	files map[types.ManagedObjectReference]map[diskFile]bool
	open  map[types.ManagedObjectReference]map[diskFile]bool // of machines that run; true: by several writers
}

type taken struct {
	datastore types.ManagedObjectReference
	bytes     int64
	parent    diskFile
}

func newStorage() *storage {
	return &storage{
		taken: map[diskFile]taken{},
		other: map[types.ManagedObjectReference]int64{},
		files: map[types.ManagedObjectReference]map[diskFile]bool{},
		open:  map[types.ManagedObjectReference]map[diskFile]bool{},
	}
}

// takeStock counts what the estate holds when the server starts.
func (s *Server) takeStock(ctx *simulator.Context) {
	for _, e := range ctx.Map.All("Datastore") {
		if ds, ok := e.(*simulator.Datastore); ok {
			s.storage.other[ds.Self] = max(0, ds.Summary.Capacity-ds.Summary.FreeSpace)
		}
	}
	for _, e := range ctx.Map.All("VirtualMachine") {
		vm, ok := e.(*simulator.VirtualMachine)
		if !ok {
			continue
		}
		// The simulator counted these disks as full.
		for _, d := range disksOf(vm.Config.Hardware.Device) {
			if ds := s.datastoreOf(ctx, vm, fileName(d)); ds != nil {
				s.storage.other[ds.Self] = max(0, s.storage.other[ds.Self]-d.CapacityInBytes)
			}
		}
		ctx.WithLock(vm, func() {
			s.settle(ctx, vm)
			s.install(ctx, vm)
			s.shut(vm) // nobody watches yet
		})
	}
}

// disksOf returns the virtual disks among devices.
func disksOf(devices []types.BaseVirtualDevice) []*types.VirtualDisk {
	var disks []*types.VirtualDisk
	for _, d := range devices {
		if disk, ok := d.(*types.VirtualDisk); ok {
			disks = append(disks, disk)
		}
	}
	return disks
}

// fileName returns the datastore path of a disk, or "" if it has no file.
func fileName(d *types.VirtualDisk) string {
	if b, ok := d.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		return b.GetVirtualDeviceFileBackingInfo().FileName
	}
	return ""
}

// datastoreOf returns the datastore of a path as the machine's host knows it.
func (s *Server) datastoreOf(ctx *simulator.Context, vm *simulator.VirtualMachine, name string) *simulator.Datastore {
	var p object.DatastorePath
	if !p.FromString(name) || vm.Runtime.Host == nil {
		return nil
	}
	host, ok := ctx.Map.Get(*vm.Runtime.Host).(*simulator.HostSystem)
	if !ok {
		return nil
	}
	ds, _ := ctx.Map.FindByName(p.Datastore, host.Datastore).(*simulator.Datastore)
	return ds
}

// diskFile returns the file of a disk that the machine's host can reach, or "".
func (s *Server) diskFile(ctx *simulator.Context, vm *simulator.VirtualMachine, name string) diskFile {
	ds := s.datastoreOf(ctx, vm, name)
	if ds == nil {
		return ""
	}
	return fileOn(ds, name)
}

func fileOn(ds *simulator.Datastore, name string) diskFile {
	var p object.DatastorePath
	if !p.FromString(name) {
		return ""
	}
	return diskFile(filepath.Join(ds.Summary.Url, p.Path))
}

// nameOf returns the datastore path of a file, for the datastores given.
func nameOf(ctx *simulator.Context, datastores []types.ManagedObjectReference, d diskFile) (string, *simulator.Datastore) {
	for _, ref := range datastores {
		ds, ok := ctx.Map.Get(ref).(*simulator.Datastore)
		if !ok {
			continue
		}
		if rel, ok := strings.CutPrefix(string(d), path.Clean(ds.Summary.Url)+"/"); ok {
			return (&object.DatastorePath{Datastore: ds.Name, Path: rel}).String(), ds
		}
	}
	return "", nil
}

// allDatastores returns the datastores of all hosts.
func allDatastores(ctx *simulator.Context) []types.ManagedObjectReference {
	var refs []types.ManagedObjectReference
	for _, e := range ctx.Map.All("Datastore") {
		refs = append(refs, e.Reference())
	}
	return refs
}

// snapshotsOf returns the snapshots of a machine, parents first.
func snapshotsOf(ctx *simulator.Context, vm *simulator.VirtualMachine) []*simulator.VirtualMachineSnapshot {
	if vm.Snapshot == nil {
		return nil
	}
	var list []*simulator.VirtualMachineSnapshot
	var walk func([]types.VirtualMachineSnapshotTree)
	walk = func(tree []types.VirtualMachineSnapshotTree) {
		for _, t := range tree {
			if snap, ok := ctx.Map.Get(t.Snapshot).(*simulator.VirtualMachineSnapshot); ok {
				list = append(list, snap)
			}
			walk(t.ChildSnapshotList)
		}
	}
	walk(vm.Snapshot.RootSnapshotList)
	return list
}

// settle brings what is known of a machine's disks up to date: the disks'
// capacity and kind of space, which machine has which file, and the space on
// the datastores. The machine's lock is held.
func (s *Server) settle(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	files := map[diskFile]bool{}
	for _, d := range disksOf(vm.Config.Hardware.Device) {
		f := s.diskFile(ctx, vm, fileName(d))
		if f == "" || !f.exists() {
			continue
		}
		files[f] = true
		if b, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && b.Parent == nil {
			thin := b.ThinProvisioned != nil && *b.ThinProvisioned
			if thin != (f.ddb(ddbThin) != "") {
				_ = f.setThin(thin)
			}
		}
		if d.CapacityInBytes > f.capacity() {
			_ = f.setCapacity(d.CapacityInBytes)
		}
	}
	for _, snap := range snapshotsOf(ctx, vm) {
		for _, d := range disksOf(snap.Config.Hardware.Device) {
			if f := s.diskFile(ctx, vm, fileName(d)); f != "" && f.exists() {
				files[f] = true
			}
		}
	}

	s.openFiles(ctx, vm)

	s.storage.mu.Lock()
	old := s.storage.files[vm.Self]
	s.storage.files[vm.Self] = files
	s.storage.mu.Unlock()
	for f := range files {
		for _, layer := range f.chain() {
			s.count(ctx, layer)
		}
	}
	for f := range old {
		if !files[f] {
			s.count(ctx, f)
		}
	}
	for _, ref := range vm.Datastore {
		s.free(ctx, ref)
	}
}

// dropFiles forgets which files a machine has, and returns them.
func (s *Server) dropFiles(vm types.ManagedObjectReference) map[diskFile]bool {
	s.storage.mu.Lock()
	defer s.storage.mu.Unlock()
	files := s.storage.files[vm]
	delete(s.storage.files, vm)
	delete(s.storage.open, vm)
	return files
}

// count brings the space that a disk takes up to date; it may be gone.
func (s *Server) count(ctx *simulator.Context, f diskFile) {
	now := taken{}
	if f.exists() {
		now.bytes, now.parent = f.usage(), f.parent()
	}
	s.storage.mu.Lock()
	was, known := s.storage.taken[f]
	s.storage.mu.Unlock()
	if now.datastore = was.datastore; !known {
		_, ds := nameOf(ctx, allDatastores(ctx), f)
		if ds == nil {
			return
		}
		now.datastore = ds.Self
	}
	s.storage.mu.Lock()
	s.storage.taken[f] = now
	if !f.exists() {
		delete(s.storage.taken, f)
	}
	s.storage.mu.Unlock()
	s.free(ctx, now.datastore)
}

// left returns how many bytes of a datastore are left; less than 0 are if it
// was filled with more than it can hold.
func (st *storage) left(ds *simulator.Datastore) int64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	n := ds.Summary.Capacity - st.other[ds.Self]
	for _, t := range st.taken {
		if t.datastore == ds.Self {
			n -= t.bytes
		}
	}
	return n
}

// over reports whether a datastore holds more than it can.
func (st *storage) over(ds *simulator.Datastore) bool { return st.left(ds) < 0 }

// space returns how many bytes of a datastore are free.
func (s *Server) space(ds *simulator.Datastore) int64 { return max(0, s.storage.left(ds)) }

// free sets the free space that a datastore shows.
func (s *Server) free(ctx *simulator.Context, ref types.ManagedObjectReference) {
	ds, ok := ctx.Map.Get(ref).(*simulator.Datastore)
	if !ok {
		return
	}
	ctx.WithLock(ds, func() {
		n := s.space(ds)
		if ds.Summary.FreeSpace == n {
			return
		}
		ctx.Update(ds, []types.PropertyChange{{Name: "summary.freeSpace", Val: n}})
		ds.Info.GetDatastoreInfo().FreeSpace = n
	})
}

// room returns a fault unless a file of n bytes fits on a datastore.
func (s *Server) room(ds *simulator.Datastore, file string, n int64) types.BaseMethodFault {
	if n <= s.space(ds) {
		return nil
	}
	return &types.NoDiskSpace{FileFault: types.FileFault{File: file}, Datastore: ds.Name}
}

// users returns which other machines have a file in a chain of their disks.
func (s *Server) users(f diskFile, except types.ManagedObjectReference) []types.ManagedObjectReference {
	s.storage.mu.Lock()
	defer s.storage.mu.Unlock()
	var refs []types.ManagedObjectReference
	for vm, files := range s.storage.files {
		if vm == except {
			continue
		}
		for top := range files {
			if s.storage.reaches(top, f) {
				refs = append(refs, vm)
				break
			}
		}
	}
	return refs
}

// direct reports whether no other machine has a child of the file, though one
// may have the file itself.
func (st *storage) direct(f diskFile, vm types.ManagedObjectReference) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	for other, files := range st.files {
		for top := range files {
			if other != vm && top != f && st.reaches(top, f) {
				return false
			}
		}
	}
	return true
}

// openFiles notes which files a machine that runs has open.
func (s *Server) openFiles(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	open := map[diskFile]bool{}
	if vm.Runtime.PowerState == on {
		for _, d := range disksOf(vm.Config.Hardware.Device) {
			open[s.diskFile(ctx, vm, fileName(d))] = multiWriter(d)
		}
	}
	s.storage.mu.Lock()
	defer s.storage.mu.Unlock()
	s.storage.open[vm.Self] = open
}

func multiWriter(d *types.VirtualDisk) bool {
	b, ok := d.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	return ok && b.Sharing == string(types.VirtualDiskSharingSharingMultiWriter)
}

// openElsewhere reports whether another machine keeps the file from being opened.
func (st *storage) openElsewhere(f diskFile, vm types.ManagedObjectReference, shared bool) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	for other, files := range st.open {
		if writers, ok := files[f]; ok && other != vm && (!writers || !shared) {
			return true
		}
	}
	return false
}

// reaches reports whether f is top or a parent of it.
func (st *storage) reaches(top, f diskFile) bool {
	for ; top != ""; top = st.taken[top].parent {
		if top == f {
			return true
		}
	}
	return false
}

// RefreshDatastore looks at the datastore again: the space shown is always current.
func (d *Datastore) RefreshDatastore(ctx *simulator.Context, _ *types.RefreshDatastore) soap.HasFault {
	d.server.free(ctx, d.Self)
	return &methods.RefreshDatastoreBody{Res: new(types.RefreshDatastoreResponse)}
}

// FillDatastore takes space on the datastore of that name until only leave
// bytes are free, as files of others do.
func (s *Server) FillDatastore(name string, leave int64) bool {
	ctx := s.Context()
	for _, e := range ctx.Map.All("Datastore") {
		ds, ok := e.(*simulator.Datastore)
		if !ok || ds.Name != name {
			continue
		}
		n := s.space(ds)
		s.storage.mu.Lock()
		s.storage.other[ds.Self] += n - leave
		s.storage.mu.Unlock()
		s.free(ctx, ds.Self)
		return true
	}
	return false
}

// install puts a guest on the disk of a machine of the estate.
func (s *Server) install(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	if disks := disksOf(vm.Config.Hardware.Device); len(disks) > 0 && s.seeded(vm) {
		_ = s.diskFile(ctx, vm, fileName(disks[0])).writeAt([]byte(GuestMarker), 0)
	}
}
