package vcsim

import (
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// moving is a machine whose files move between datastores.
type moving struct {
	*job

	vm    *simulator.VirtualMachine
	spec  *types.VirtualMachineRelocateSpec
	home  *simulator.Datastore // where the machine's own files go; nil: nowhere
	files []move
	moved map[diskFile]diskFile
}

type move struct {
	from, to diskFile
	ds       *simulator.Datastore
	thin     *bool // nil: as it is
	whole    bool  // with what its parents hold
}

// plan finds out which files have to move.
func (m *moving) plan() types.BaseMethodFault {
	if ref := m.spec.Datastore; ref != nil {
		ds, ok := m.Map.Get(*ref).(*simulator.Datastore)
		if !ok {
			return &types.ManagedObjectNotFound{Obj: *ref}
		}
		if current := m.server.datastoreOf(m.Context, m.vm, m.vm.Config.Files.VmPathName); current == nil || current.Self != ds.Self {
			m.home = ds
		}
	}
	for _, d := range disksOf(m.vm.Config.Hardware.Device) {
		if fault := m.planDisk(d); fault != nil {
			return fault
		}
	}
	return nil
}

func (m *moving) planDisk(d *types.VirtualDisk) types.BaseMethodFault {
	ref, moveType := m.spec.Datastore, m.spec.DiskMoveType
	var thin *bool
	if l := locator(m.spec.Disk, d.Key); l != nil {
		ref = &l.Datastore
		if l.DiskMoveType != "" {
			moveType = l.DiskMoveType
		}
		if b, ok := l.DiskBackingInfo.(*types.VirtualDiskFlatVer2BackingInfo); ok {
			thin = b.ThinProvisioned
		}
	}
	if ref == nil {
		return nil
	}
	ds, ok := m.Map.Get(*ref).(*simulator.Datastore)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: *ref}
	}
	file := m.server.diskFile(m.Context, m.vm, fileName(d))
	current := m.server.datastoreOf(m.Context, m.vm, fileName(d))
	if file == "" || !file.exists() {
		return &types.FileNotFound{FileFault: types.FileFault{File: fileName(d)}}
	}
	if current.Self == ds.Self && (thin == nil || *thin == (file.ddb(ddbThin) != "")) {
		return nil
	}
	childOnly := moveType == string(types.VirtualMachineRelocateDiskMoveOptionsMoveChildMostDiskBacking)
	for _, layer := range file.chain() {
		if slices.ContainsFunc(m.files, func(f move) bool { return f.from == layer }) {
			continue
		}
		foreign := layer.parent() != "" && len(m.server.users(layer.parent(), m.vm.Self)) > 0
		whole := foreign && !childOnly
		m.files = append(m.files, move{from: layer, to: m.target(layer, ds), ds: ds, thin: thin, whole: whole})
		if whole || childOnly {
			break
		}
	}
	return nil
}

// target returns a free name for a file on the datastore.
func (m *moving) target(layer diskFile, ds *simulator.Datastore) diskFile {
	var p object.DatastorePath
	p.FromString(m.vm.Config.Files.VmPathName)
	dir := filepath.Join(ds.Summary.Url, path.Dir(p.Path))
	to := diskFile(filepath.Join(dir, filepath.Base(string(layer))))
	for n := 1; to.exists() || slices.ContainsFunc(m.files, func(f move) bool { return f.to == to }); n++ {
		name := filepath.Base(string(layer))
		to = diskFile(filepath.Join(dir, name[:len(name)-len(".vmdk")]+"_"+string(rune('0'+n))+".vmdk"))
	}
	return to
}

// room refuses what does not fit.
func (m *moving) room() types.BaseMethodFault {
	need := map[*simulator.Datastore]int64{}
	for _, f := range m.files {
		n := f.from.usage()
		if f.thin != nil && !*f.thin {
			n = f.from.capacity()
		}
		need[f.ds] += n
	}
	for ds, n := range need {
		if fault := m.server.room(ds, m.vm.Config.Files.VmPathName, n); fault != nil {
			return fault
		}
	}
	return nil
}

// run moves the files.
func (m *moving) run() types.BaseMethodFault {
	for _, f := range m.files {
		if err := f.do(); err != nil {
			return &types.CannotAccessFile{FileFault: types.FileFault{File: string(f.from)}}
		}
		m.moved[f.from] = f.to
	}
	for _, f := range m.files {
		if to, ok := m.moved[f.to.parent()]; ok {
			_ = f.to.setParent(to)
		}
	}
	return nil
}

func (f move) do() error {
	if f.whole {
		base := f.from.chain()
		thin := base[len(base)-1].ddb(ddbThin) != ""
		if f.thin != nil {
			thin = *f.thin
		}
		if err := f.to.create(f.from.capacity(), thin); err != nil {
			return err
		}
		if err := f.to.copyFrom(f.from); err != nil {
			return err
		}
		return f.from.remove()
	}
	if err := f.from.move(f.to); err != nil {
		return err
	}
	if f.thin != nil && f.to.parent() == "" {
		return f.to.setThin(*f.thin)
	}
	return nil
}

// moveOwn moves a machine's own files between directories.
func moveOwn(from, to string) {
	entries, err := os.ReadDir(from)
	if err != nil || os.MkdirAll(to, 0o700) != nil {
		return
	}
	for _, e := range entries {
		if own[filepath.Ext(e.Name())] {
			_ = os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()))
		}
	}
	_ = os.Remove(from)
}

// ownFiles has changes of a clone's disks mean the clone's files: a client knows and names those of the source.
func ownFiles(clone *simulator.VirtualMachine, changes []types.BaseVirtualDeviceConfigSpec) {
	devices := object.VirtualDeviceList(clone.Config.Hardware.Device)
	for _, b := range changes {
		c := b.GetVirtualDeviceConfigSpec()
		if c.Operation != types.VirtualDeviceConfigSpecOperationEdit {
			continue
		}
		own, ok := devices.FindByKey(c.Device.GetVirtualDevice().Key).(*types.VirtualDisk)
		if !ok {
			continue
		}
		have, ok := own.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		asked, both := c.Device.GetVirtualDevice().Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if ok && both {
			asked.FileName, asked.Datastore, asked.Parent, asked.Uuid = have.FileName, have.Datastore, have.Parent, have.Uuid
		}
	}
}
