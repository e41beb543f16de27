package vcsim

import (
	"context"
	"fmt"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// estate makes the inventory of a server, by calls within the process to the
// simulator before it is strict.
type estate struct {
	ctx    context.Context //nolint:containedctx // Of one function's calls.
	server *Server
	client *vim25.Client
	seed   Seed
}

// seed makes what Seed names.
func (s *Server) seed() error {
	client, err := vim25.NewClient(context.Background(), s.service)
	if err != nil {
		return err
	}

	e := &estate{ctx: context.Background(), server: s, client: client}

	if s.options.ESXi {
		e.seed = hostSeed()
		err = e.standAlone()
	} else {
		e.seed = vCenterSeed()
		err = e.vCenter()
	}

	s.Seed = e.seed

	return err
}

// vCenter makes the estate of a vCenter.
func (e *estate) vCenter() error {
	folders, err := e.datacenter(e.seed.Datacenter)
	if err != nil {
		return err
	}

	hosts, err := e.computeResources(folders.HostFolder)
	if err != nil {
		return err
	}

	if err := e.networks(folders.NetworkFolder, hosts); err != nil {
		return err
	}

	if err := e.datastores(folders.DatastoreFolder, hosts); err != nil {
		return err
	}

	if err := e.folders(folders.VmFolder); err != nil {
		return err
	}

	if err := e.otherDatacenter(); err != nil {
		return err
	}

	if err := e.keyProvider(); err != nil {
		return err
	}

	if err := e.attribute(); err != nil {
		return err
	}

	return e.machines(folders.VmFolder, hosts[0])
}

// standAlone makes the estate of a host without a vCenter.
func (e *estate) standAlone() error {
	dc, ok := e.any("Datacenter").(*simulator.Datacenter)
	if !ok {
		return fmt.Errorf("no datacenter")
	}

	folders, err := object.NewDatacenter(e.client, dc.Self).Folders(e.ctx)
	if err != nil {
		return err
	}

	host := object.NewHostSystem(e.client, e.any("HostSystem").Reference())
	e.equip(host)

	for _, ref := range e.server.named(e.seed.Network) {
		if network, ok := e.server.Registry().Get(ref).(*mo.Network); ok {
			e.attachNetwork(network, host)
		}
	}

	for _, ds := range e.seed.Datastores {
		if err := e.datastore(ds, host); err != nil {
			return err
		}
	}

	for i, name := range []string{e.seed.SecondNetwork, e.seed.VLANPortGroup, e.seed.NextPortGroup} {
		vlan := 0
		if i > 0 {
			vlan = e.seed.VLAN + i - 1
		}

		if err := e.portGroup(name, vlan, host); err != nil {
			return err
		}
	}

	pool, err := host.ResourcePool(e.ctx)
	if err != nil {
		return err
	}

	if err := e.pools(pool); err != nil {
		return err
	}

	return e.machines(folders.VmFolder, host)
}

func (e *estate) any(kind string) mo.Entity { return e.server.Registry().Any(kind) }

func (e *estate) datacenter(name string) (*object.DatacenterFolders, error) {
	dc, err := object.NewRootFolder(e.client).CreateDatacenter(e.ctx, name)
	if err != nil {
		return nil, err
	}

	return dc.Folders(e.ctx)
}

// computeResources makes the clusters and hosts and returns the hosts.
func (e *estate) computeResources(folder *object.Folder) ([]*object.HostSystem, error) {
	var hosts []*object.HostSystem

	for i, name := range e.seed.Clusters {
		cluster, err := folder.CreateCluster(e.ctx, name, types.ClusterConfigSpecEx{})
		if err != nil {
			return nil, err
		}

		for _, name := range e.seed.Hosts[i] {
			host, err := e.host(cluster.AddHost(e.ctx, types.HostConnectSpec{HostName: name}, true, nil, nil))
			if err != nil {
				return nil, err
			}

			hosts = append(hosts, host)
		}

		if i > 0 {
			continue
		}

		root, err := cluster.ResourcePool(e.ctx)
		if err != nil {
			return nil, err
		}

		if err := e.pools(root); err != nil {
			return nil, err
		}
	}

	host, err := e.standAloneHost(folder, e.seed.Host)

	return append(hosts, host), err
}

func (e *estate) standAloneHost(folder *object.Folder, name string) (*object.HostSystem, error) {
	return e.host(folder.AddStandaloneHost(e.ctx, types.HostConnectSpec{HostName: name}, true, nil, nil))
}

func (e *estate) host(task *object.Task, err error) (*object.HostSystem, error) {
	ref, err := e.result(task, err)
	if err != nil {
		return nil, err
	}

	host := object.NewHostSystem(e.client, ref)
	e.equip(host)

	return host, nil
}

// result waits for a task that makes an object.
func (e *estate) result(task *object.Task, err error) (types.ManagedObjectReference, error) {
	if err != nil {
		return types.ManagedObjectReference{}, err
	}

	info, err := e.wait(task)
	if err != nil {
		return types.ManagedObjectReference{}, err
	}

	ref, _ := info.Result.(types.ManagedObjectReference)

	return ref, nil
}

// wait waits for a task.
func (e *estate) wait(task *object.Task) (types.TaskInfo, error) {
	return e.server.wait(task.Reference())
}

// pools makes the nested pools under the root.
func (e *estate) pools(root *object.ResourcePool) error {
	pool, err := root.Create(e.ctx, e.seed.Pool, types.DefaultResourceConfigSpec())
	if err != nil {
		return err
	}

	_, err = pool.Create(e.ctx, e.seed.ChildPool, types.DefaultResourceConfigSpec())

	return err
}

// folders makes the nested folders for machines.
func (e *estate) folders(root *object.Folder) error {
	folder, err := root.CreateFolder(e.ctx, e.seed.Folder)
	if err != nil {
		return err
	}

	_, err = folder.CreateFolder(e.ctx, e.seed.ChildFolder)

	return err
}

// otherDatacenter makes the second datacenter, whose network and folder are
// named as those of the first.
func (e *estate) otherDatacenter() error {
	folders, err := e.datacenter(e.seed.OtherDatacenter)
	if err != nil {
		return err
	}

	host, err := e.standAloneHost(folders.HostFolder, e.seed.OtherHost)
	if err != nil {
		return err
	}

	if err := e.datastore(e.seed.OtherDatastore, host); err != nil {
		return err
	}

	_, err = folders.VmFolder.CreateFolder(e.ctx, e.seed.Folder)

	return err
}

// attribute makes a custom attribute of machines.
func (e *estate) attribute() error {
	fields, err := object.GetCustomFieldsManager(e.client)
	if err != nil {
		return err
	}

	_, err = fields.Add(e.ctx, e.seed.Attribute, "VirtualMachine", nil, nil)

	return err
}
