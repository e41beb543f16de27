package vcsim

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// Sizes of datastores: a machine of 40 GiB fits into most, and a test can fill
// the small one.
const (
	gib                 = int64(1) << 30
	datastoreCapacity   = 500 * gib
	smallDatastoreBytes = 8 * gib
)

// capacity returns the size of the datastore of that name.
func (e *estate) capacity(name string) int64 {
	if name == e.seed.SmallDatastore {
		return smallDatastoreBytes
	}

	return datastoreCapacity
}

// datastores makes those of the first datacenter.
func (e *estate) datastores(folder *object.Folder, hosts []*object.HostSystem) error {
	for _, name := range e.seed.Datastores {
		if err := e.datastore(name, hosts...); err != nil {
			return err
		}
	}

	// The first host of the second cluster follows those of the first.
	if err := e.datastore(e.seed.LocalDatastore, hosts[len(e.seed.Hosts[0])]); err != nil {
		return err
	}

	pod, err := folder.CreateStoragePod(e.ctx, e.seed.DatastoreCluster)
	if err != nil {
		return err
	}

	ds := e.server.named(e.seed.ClusterDatastore)

	task, err := object.NewFolder(e.client, pod.Reference()).MoveInto(e.ctx, ds)
	if err != nil {
		return err
	}

	_, err = e.wait(task)

	return err
}

// datastore makes a datastore that the hosts mount.
func (e *estate) datastore(name string, hosts ...*object.HostSystem) error {
	home, err := e.home()
	if err != nil {
		return err
	}

	dir := filepath.Join(home, uuid.NewString())
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}

	var ref types.ManagedObjectReference

	for _, host := range hosts {
		system, err := host.ConfigManager().DatastoreSystem(e.ctx)
		if err != nil {
			return err
		}

		ds, err := system.CreateLocalDatastore(e.ctx, name, dir)
		if err != nil {
			return fmt.Errorf("datastore %s: %w", name, err)
		}

		ref = ds.Reference()
	}

	// The second and later hosts mount what is there already; the simulator
	// gives them a reference that is empty.
	for _, r := range e.server.named(name) {
		if r.Type == ref.Type || ref.Type == "" {
			ref = r
		}
	}

	ds, ok := e.server.Registry().Get(ref).(*simulator.Datastore)
	if !ok {
		return fmt.Errorf("datastore %s was not made", name)
	}

	e.size(ds)

	return nil
}

// size gives the datastore its capacity and the type of a shared one.
func (e *estate) size(ds *simulator.Datastore) {
	capacity := e.capacity(ds.Name)
	ds.Summary.Capacity, ds.Summary.FreeSpace = capacity, capacity
	ds.Summary.Type = string(types.HostFileSystemVolumeFileSystemTypeVMFS)
	ds.Summary.MultipleHostAccess = types.NewBool(len(ds.Host) > 1)

	info := ds.Info.GetDatastoreInfo()
	info.FreeSpace, info.MaxFileSize = capacity, capacity
}

// home returns the directory that holds the server's files.
func (e *estate) home() (string, error) {
	for _, o := range e.server.Registry().OptionManager().Setting {
		if v := o.GetOptionValue(); v.Key == "vcsim.home" {
			home, ok := v.Value.(string)
			if ok {
				return home, nil
			}
		}
	}

	return "", fmt.Errorf("no home directory")
}
